//! A gateway's side of a call, without a gateway.

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{
    BuildContext, BuildProblem, Explanation, Mode, Outcome, Parsed, Part, PathToken, Push, Refusal, Reply, Request, Secrets, Told,
};
use leadgate_core::rules::SourceRules;
use leadgate_core::secret::Secret;
use leadgate_core::submission::{Draft, Submission};

pub const ID: &str = "0197a000-0000-7000-8000-000000000001";
pub const URL: &str = "https://gate.example/in/site/t0k3n";

/// Secrets are texts; what an example names stands for one.
struct Literal;

impl Secrets for Literal {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        let named = value.get("env").or_else(|| value.get("file")).unwrap_or(value);
        named.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

pub fn build(kind: &str, config: &str) -> Result<(Box<dyn Push>, SourceRules), Vec<BuildProblem>> {
    let kind = leadgate_web_forms::KINDS.iter().find(|known| known.name == kind).unwrap();
    let context = BuildContext {
        source: SourceId::parse("site").unwrap(),
        language: "ru".to_owned(),
        company: "Ромашка & Ко".to_owned(),
        public_url: "https://gate.example".to_owned(),
        country: None,
        ours: std::sync::Arc::default(),
        data: std::path::PathBuf::new(),
    };
    let connector = (kind.build)(config.parse().unwrap(), &Literal, &context)?;
    match connector.mode {
        Mode::Push(push) => Ok((push, connector.rules)),
        Mode::Pull(_) | Mode::Both(..) => panic!("a form is no pull source"),
    }
}

/// A call.
#[derive(Clone)]
pub struct Call {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub parts: Option<Vec<Part>>,
    pub token: PathToken,
}

impl Call {
    pub fn post(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: "POST",
            url: URL.to_owned(),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            parts: None,
            token: PathToken::Valid,
        }
    }

    /// A form of a page of the allowed site.
    pub fn form(body: impl Into<Bytes>) -> Self {
        Self::post("application/x-www-form-urlencoded", body).header("origin", "https://shop.example")
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub fn query(mut self, query: &str) -> Self {
        self.url = format!("{URL}?{query}");
        self
    }

    pub fn untokened(mut self) -> Self {
        self.token = PathToken::Absent;
        self
    }

    fn with<T>(&self, act: impl FnOnce(&Request<'_>) -> T) -> T {
        let source = SourceId::parse("site").unwrap();
        act(&Request {
            id: id(),
            source: &source,
            method: self.method,
            url: &self.url,
            headers: &self.headers,
            body: &self.body,
            parts: self.parts.as_deref(),
            peer: Some("203.0.113.7".parse().unwrap()),
            received_at: at(),
            path_token: self.token,
            rest: "",
        })
    }

    pub fn parse(&self, push: &dyn Push) -> Result<Parsed, Refusal> {
        self.with(|request| push.parse(request))
    }

    pub fn explain(&self, push: &dyn Push) -> Option<Explanation> {
        self.with(|request| push.explain(request))
    }

    pub fn submission(&self, push: &dyn Push) -> Submission {
        only(self.parse(push).unwrap())
    }

    /// What becomes of it when the service that was asked has said this.
    pub fn told(&self, push: &dyn Push, told: &Told) -> Submission {
        only(self.with(|request| push.told(request, told)).unwrap())
    }

    pub fn asset(&self, push: &dyn Push, rest: &'static str) -> Option<Reply> {
        self.with(|request| push.asset(&Request { rest, ..request.clone() }))
    }

    pub fn probe(&self, push: &dyn Push) -> Reply {
        match self.parse(push).unwrap() {
            Parsed::Probe(reply) => reply,
            other => panic!("no probe: {other:?}"),
        }
    }

    pub fn reply(&self, push: &dyn Push, outcome: Outcome<'_>) -> Reply {
        self.with(|request| push.reply(request, outcome))
    }

    pub fn success(&self, push: &dyn Push) -> Reply {
        self.reply(push, Outcome::Recorded(&[]))
    }
}

fn only(parsed: Parsed) -> Submission {
    match parsed {
        Parsed::Submissions(mut all) => {
            assert_eq!(all.len(), 1);
            all.remove(0)
        }
        other => panic!("no submission: {other:?}"),
    }
}

pub fn id() -> SubmissionId {
    ID.parse().unwrap()
}

pub fn at() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

pub fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

pub fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

pub fn fields(draft: &Draft) -> Vec<(&str, &str)> {
    draft.fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect()
}

pub fn phones(draft: &Draft) -> Vec<&str> {
    draft.phones.iter().map(|typed| typed.text.as_str()).collect()
}

pub fn emails(draft: &Draft) -> Vec<&str> {
    draft.emails.iter().map(|typed| typed.text.as_str()).collect()
}

pub fn raw(submission: &Submission) -> String {
    String::from_utf8_lossy(&submission.raw.body).into_owned()
}
