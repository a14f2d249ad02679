//! The push source around a provider: bodies, keys, what is kept, answers.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ids::{EventId, SubmissionId};
use leadgate_core::ports::{
    Challenge, Explanation, Fetch, Known, NoFetch, Outcome, Parsed, PathToken, Push, PushLimits, Refusal, Reply, Request, Who,
};
use leadgate_core::submission::{ActivityKind, ContentHash, Draft, Handle, Hold, Key, Purpose, Submission, Typed};
use leadgate_wire::body::{self, BodyError, Entry};
use leadgate_wire::redact::{self, Hide};

use crate::provider::{Event, Heard, Incoming, Proof, Provider};
use crate::settings::Settings;

/// Bytes of a call's body.
const BODY: u64 = 256 << 10;
/// A time that is further from receipt than this is not believed.
const CREDIBLE: SignedDuration = SignedDuration::from_hours(24);
/// Where a connector's own submissions begin that are derived from the call's.
const MOST_EVENTS: usize = 50;

/// A source of a provider.
pub(crate) struct Line<P> {
    pub(crate) provider: P,
    pub(crate) settings: Settings,
}

impl<P: Provider> Push for Line<P> {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        if request.path_token == PathToken::Absent && self.provider.needs_token() {
            return Err(Refusal::Unauthenticated("the path holds no token of this source".to_owned()));
        }
        let incoming = self.decode(request).map_err(|refusal| match request.path_token {
            // Nothing vouches for what cannot even be read.
            PathToken::Absent => Refusal::Unauthenticated("it holds no token and cannot be read".to_owned()),
            PathToken::Valid | PathToken::Vouched => refusal,
        })?;
        let proof = match request.path_token {
            PathToken::Vouched => Proof::Whole,
            PathToken::Valid => self
                .provider
                .verify(&incoming)
                .map_err(|unproven| Refusal::Unproven { why: unproven.why, signed: unproven.signed })?,
            PathToken::Absent => self.provider.verify(&incoming).map_err(|unproven| Refusal::Unauthenticated(unproven.why))?,
        };
        Ok(match self.provider.hear(&incoming)? {
            Heard::Probe(reply) => Parsed::Probe(reply),
            Heard::Events(events) => Parsed::Submissions(self.submissions(&incoming, events, &proof)),
            Heard::Who { number, within, tells } => {
                Parsed::Who(Who { number, within, tells: self.submissions(&incoming, tells, &proof) })
            }
        })
    }

    fn reply(&self, request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            // What is kept is received, whatever it means: providers stop to tell of calls where one event fails.
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Unreadable(_) | Refusal::Oversize(_)) => {
                self.provider.thanks(request)
            }
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => self.provider.refuses(),
            Outcome::Busy => self.provider.busy(request),
        }
    }

    fn known(&self, request: &Request<'_>, known: Option<&Known>) -> Reply {
        self.provider.known(request, known)
    }

    fn routes(&self, request: &Request<'_>, known: &Known) -> Option<Challenge> {
        let incoming = self.decode(request).ok()?;
        self.provider.routes(&incoming, known)
    }

    fn refuses(&self, _request: &Request<'_>) -> Option<Reply> {
        Some(self.provider.refuses())
    }

    fn explain(&self, request: &Request<'_>) -> Option<Explanation> {
        self.provider.explain(request)
    }

    fn limits(&self) -> PushLimits {
        PushLimits { body: BODY, files: 0, file: 0, files_total: 0 }
    }

    fn is_secret(&self, path: &[String]) -> bool {
        self.provider.is_secret(path)
    }

    fn reads_headers(&self) -> &'static [&'static str] {
        self.provider.reads_headers()
    }

    fn fetches(&self) -> Option<Duration> {
        self.settings.recordings
    }

    fn fetch(&self, file: &OfferedFile, answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let mut fetch = self.provider.fetch(file, answer)?;
        fetch.hosts.extend(self.settings.hosts.iter().cloned());
        Ok(fetch)
    }
}

impl<P: Provider> Line<P> {
    fn decode<'a>(&self, request: &'a Request<'a>) -> Result<Incoming<'a>, Refusal> {
        let limits = self.provider.limits();
        let content_type = request.header("content-type").unwrap_or_default();
        let unreadable = |error: BodyError| Refusal::Unreadable(format!("the call cannot be read: {error}"));
        let decoded = match body::decode(content_type, request.body, request.parts, &limits) {
            // JSON that a template broke by putting texts into it as they are.
            Err(error @ BodyError::Unreadable(_)) => match body::mended(content_type, request.body) {
                Some(mended) => body::decode("application/json", &mended, None, &limits),
                None => Err(error),
            },
            decoded => decoded,
        };
        let decoded = decoded.map_err(unreadable)?;
        let query = body::query(request.query(), &limits).map_err(unreadable)?;
        Ok(Incoming { request, body: decoded.entries, query })
    }

    fn hide(&self, path: &[String], value: &str) -> Hide {
        if self.provider.is_secret(path) {
            return Hide::All;
        }
        match redact::usual(path, value) {
            // Numbers of calls look like anything, a card's too; one of a card is said or pressed.
            Hide::Ranges(_) if !path.last().is_some_and(|name| is_said(name)) => Hide::Nothing,
            hide => hide,
        }
    }

    fn submissions(&self, incoming: &Incoming<'_>, events: Vec<Event>, proof: &Proof) -> Vec<Submission> {
        let request = incoming.request;
        let raw = redact::raw(request, &|path, value| self.hide(path, value), true);
        let content = self.content(incoming);
        let several = events.len() > 1;
        let mut out = Vec::with_capacity(events.len().min(MOST_EVENTS));
        for (n, event) in (0u8..).zip(events.into_iter().take(MOST_EVENTS)) {
            let id = if n == 0 { request.id } else { SubmissionId(EventId::of(request.id, n).0) };
            let bare = Submission::of_bytes(id, request.source.clone(), request.received_at, raw.clone());
            let stands_for_it = || if several { format!("{}:{n}", content.as_key()) } else { content.as_key() };
            let keys = Key::new("event", &event.id.clone().unwrap_or_else(stands_for_it)).into_iter().collect();
            let hold = match proof {
                Proof::Expired(words) => Some(Hold { code: CLOCK.to_owned(), words: words.clone(), authenticated: true }),
                Proof::Whole | Proof::Part => None,
            };
            let purpose = if event.call.is_some() { Purpose::Lead } else { Purpose::Note };
            let (occurred_at, draft) = self.draft(event, request.received_at, *proof == Proof::Part);
            out.push(Submission { keys, content, occurred_at, hold, purpose, draft, ..bare });
        }
        out
    }

    /// What stands for an event that has no id: everything it says but what changes when it is sent again.
    fn content(&self, incoming: &Incoming<'_>) -> ContentHash {
        let mut said: Vec<&Entry> = incoming.body.iter().chain(&incoming.query).collect();
        said.retain(|entry| !self.provider.is_secret(&entry.path) && !self.provider.is_fleeting(&entry.path));
        let rest = (!incoming.request.rest.is_empty()).then_some(("", incoming.request.rest));
        ContentHash::of(rest.into_iter().chain(said.iter().map(|entry| (entry.name.as_str(), entry.value.as_str()))))
    }

    fn draft(&self, event: Event, received_at: Timestamp, partly_signed: bool) -> (Option<Timestamp>, Draft) {
        let at = event.at.or_else(|| event.call.as_ref().and_then(|call| call.legs.started));
        let credible = at.filter(|at| at.duration_since(received_at).abs() <= CREDIBLE);
        let external_key = event.call.as_ref().map(|call| format!("call:{}", call.id));
        let call = event.call.map(|mut call| {
            call.partly_signed |= partly_signed;
            call.clock_wrong |= at.is_some() && credible.is_none() && !event.is_later;
            Box::new(call)
        });
        let mut fields = event.fields;
        for field in &mut fields {
            // `dtmf`, `dtmf[digits]`
            if field.name.split(['[', ']']).any(is_said) {
                field.value = redact::without_cards(std::mem::take(&mut field.value));
            }
        }
        let handle = |(kind, value): (String, String)| Handle { kind, display: value.clone(), value, proven: false };
        let draft = Draft {
            activity: ActivityKind::Call,
            title: self.settings.title.clone(),
            name: event.name,
            emails: event.email.map(|email| Typed::new("email", email)).into_iter().collect(),
            handles: event.handles.into_iter().map(handle).collect(),
            message: event.message.map(redact::without_cards),
            touch: event.touch,
            fields,
            external_key,
            call,
            offered: event.recordings,
            ..Draft::default()
        };
        (credible, draft)
    }
}

/// Fields of what people say, write or press; `json` holds what was pressed among other things.
const SAID: &[&str] = &[
    "comment",
    "digits",
    "dtmf",
    "json",
    "message",
    "note",
    "notes",
    "result",
    "speechresult",
    "text",
    "transcription",
    "transcriptiontext",
];

fn is_said(name: &str) -> bool {
    SAID.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Why a call is held whose signature is right and whose time is not.
pub(crate) const CLOCK: &str = "clock";
