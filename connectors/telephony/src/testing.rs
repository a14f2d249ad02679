//! Calls for the tests of this crate.

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{ContactId, SourceId, SubmissionId};
use leadgate_core::ports::{
    BuildContext, BuildProblem, Challenge, Connector, Explanation, Known, Mode, Outcome, Parsed, Part, PathToken, Push, Refusal,
    Reply, Request, Secrets, SourceKind,
};
use leadgate_core::secret::Secret;
use leadgate_core::submission::Submission;
use toml::Value;
use uuid::Uuid;

/// A built source of a kind.
pub(crate) struct Source {
    pub push: Box<dyn Push>,
    pub rules: leadgate_core::rules::SourceRules,
    id: SourceId,
}

/// A call as a test makes it. Its URL is `https://gw.example.com/in/calls/TOKEN` and what comes behind that.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub method: &'static str,
    pub behind: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// A multipart form, instead of the body.
    pub parts: Option<Vec<Part>>,
    pub at: Timestamp,
    pub token: PathToken,
    /// The whole URL where it is not the usual one.
    pub url: Option<String>,
}

/// The URL before what comes behind it.
pub(crate) const BASE: &str = "https://gw.example.com/in/calls/TOKEN";

/// When calls arrive unless a test says otherwise: 2026-11-21 10:00:00 UTC.
pub(crate) fn noon() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it must be a text".to_owned())
    }
}

/// Builds a source from its keys (without `kind`).
pub(crate) fn try_source(kind: &SourceKind, keys: &str) -> Result<Source, Vec<BuildProblem>> {
    let id = SourceId::parse("calls").unwrap();
    let context = BuildContext {
        source: id.clone(),
        language: "ru".to_owned(),
        company: "Окна".to_owned(),
        public_url: "https://gw.example.com".to_owned(),
        country: leadgate_core::phone::Country::parse("RU"),
        ours: std::sync::Arc::default(),
        data: std::path::PathBuf::new(),
    };
    let Connector { rules, mode } = (kind.build)(keys.parse().unwrap(), &Plain, &context)?;
    let Mode::Push(push) = mode else { panic!("a provider calls us") };
    Ok(Source { push, rules, id })
}

/// Somebody who is known, and whose manager has this telephone.
pub(crate) fn known(name: &str, extension: Option<&str>) -> Known {
    Known { contact: ContactId(7), name: name.to_owned(), lead: None, responsible: None, extension: extension.map(str::to_owned) }
}

/// Builds a source from its keys (without `kind`), which are right.
pub(crate) fn source(kind: &SourceKind, keys: &str) -> Source {
    try_source(kind, keys).unwrap_or_else(|problems| panic!("{problems:?}"))
}

impl Call {
    pub(crate) fn post(behind: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            behind: behind.to_owned(),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            parts: None,
            at: noon(),
            token: PathToken::Valid,
            url: None,
        }
    }

    /// A multipart form, as PHP's curl posts an array.
    pub(crate) fn multipart(behind: &str, fields: &[(&str, &str)]) -> Self {
        let part = |(name, value): &(&str, &str)| Part::Field {
            name: (*name).to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        };
        let parts = Some(fields.iter().map(part).collect());
        Self { parts, ..Self::post(behind, "multipart/form-data; boundary=x", "") }
    }

    /// A urlencoded form.
    pub(crate) fn form(behind: &str, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(behind, "application/x-www-form-urlencoded", body)
    }

    pub(crate) fn json(behind: &str, body: &str) -> Self {
        Self::post(behind, "application/json", body)
    }

    pub(crate) fn get(behind: &str) -> Self {
        Self { method: "GET", headers: Vec::new(), ..Self::post(behind, "", "") }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    pub(crate) fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    fn with<T>(&self, source: &Source, act: impl FnOnce(&Request<'_>) -> T) -> T {
        let url = self.url.clone().unwrap_or_else(|| format!("{BASE}{}", self.behind));
        let rest = self.behind.split('?').next().unwrap_or_default().trim_start_matches('/').to_owned();
        let body = Bytes::from(self.body.clone());
        act(&Request {
            id: SubmissionId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)),
            source: &source.id,
            method: self.method,
            url: &url,
            headers: &self.headers,
            body: &body,
            parts: self.parts.as_deref(),
            peer: Some("192.0.2.7".parse().unwrap()),
            received_at: self.at,
            path_token: self.token,
            rest: &rest,
        })
    }
}

impl Source {
    pub(crate) fn parse(&self, call: &Call) -> Result<Parsed, Refusal> {
        call.with(self, |request| self.push.parse(request))
    }

    /// The submissions of a call that brings some.
    pub(crate) fn submissions(&self, call: &Call) -> Vec<Submission> {
        match self.parse(call) {
            Ok(Parsed::Submissions(items)) => items,
            other => panic!("{other:?}"),
        }
    }

    /// The one submission of a call.
    pub(crate) fn one(&self, call: &Call) -> Submission {
        let mut items = self.submissions(call);
        assert_eq!(items.len(), 1, "{items:?}");
        items.remove(0)
    }

    /// What a call is answered that was recorded.
    pub(crate) fn thanks(&self, call: &Call) -> Reply {
        call.with(self, |request| self.push.reply(request, Outcome::Recorded(&[])))
    }

    /// The answer to who calls.
    pub(crate) fn known(&self, call: &Call, known: Option<&Known>) -> Reply {
        call.with(self, |request| self.push.known(request, known))
    }

    /// What else the provider is asked to do with a call from somebody who is known.
    pub(crate) fn routes(&self, call: &Call, known: &Known) -> Option<Challenge> {
        call.with(self, |request| self.push.routes(request, known))
    }

    /// What a call is answered that proves nothing.
    pub(crate) fn refusal(&self, call: &Call) -> Reply {
        call.with(self, |request| self.push.refuses(request)).unwrap()
    }

    /// What a mapping makes of a call.
    pub(crate) fn explain(&self, call: &Call) -> Option<Explanation> {
        call.with(self, |request| self.push.explain(request))
    }

    /// Whether a call is refused because it proves nothing, and why.
    pub(crate) fn refused(&self, call: &Call) -> Option<String> {
        match self.parse(call) {
            Err(Refusal::Unproven { why, .. } | Refusal::Unauthenticated(why)) => Some(why),
            _ => None,
        }
    }
}

impl Source {
    /// What the sender of a call is told that proves nothing.
    pub(crate) fn told_off(&self, call: &Call) -> Reply {
        call.with(self, |request| self.push.refuses(request)).unwrap()
    }

    /// What a call is told of which nothing could be stored.
    pub(crate) fn busy(&self, call: &Call) -> Reply {
        call.with(self, |request| self.push.reply(request, Outcome::Busy))
    }

    /// What a call is answered that brings nothing to record.
    pub(crate) fn probe(&self, call: &Call) -> Reply {
        match self.parse(call) {
            Ok(Parsed::Probe(reply)) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// What a question who calls tells besides, and whom it names.
    pub(crate) fn asked(&self, call: &Call) -> (Option<leadgate_core::call::CallNumber>, Vec<Submission>) {
        match self.parse(call) {
            Ok(Parsed::Who(who)) => (who.number, who.tells),
            other => panic!("{other:?}"),
        }
    }

    /// What several calls tell of one call: the same in whatever order they come in, and however often.
    pub(crate) fn joined(&self, calls: &[Call]) -> leadgate_core::call::CallFacts {
        let told: Vec<_> = calls.iter().flat_map(|call| self.submissions(call)).filter_map(|item| item.draft.call).collect();
        let of = |order: &mut dyn Iterator<Item = usize>| {
            let mut order = order.map(|at| told[at].as_ref());
            let mut facts = order.next().unwrap().clone();
            order.for_each(|other| facts.join(other));
            facts
        };
        let facts = of(&mut (0..told.len()));
        for turn in 0..told.len() {
            let turned = |at: usize| (at + turn) % told.len();
            assert_eq!(of(&mut (0..told.len()).map(turned)), facts);
            assert_eq!(of(&mut (0..told.len()).rev().map(turned)), facts);
            assert_eq!(of(&mut (0..2 * told.len()).map(turned)), facts);
        }
        facts
    }
}

/// A kind's example is right as it is, and each of its keys is a key.
pub(crate) fn example_is_right(kind: &SourceKind) {
    let servers = ["[sources", "kind = ", "enabled = "];
    let lines = || kind.example.lines().filter(|line| !servers.iter().any(|own| line.starts_with(own)));
    let as_it_is: String = lines().flat_map(|line| [line, "\n"]).collect();
    source(kind, &as_it_is);
    for line in lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = ") && !line.ends_with('.')) {
        if let Err(problems) = try_source(kind, &format!("{as_it_is}\n{line}")) {
            let unknown = problems.iter().any(|problem| problem.words.contains("no such key"));
            assert!(!unknown, "{line}: {problems:?}");
        }
    }
}

/// The body of an answer.
pub(crate) fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}
