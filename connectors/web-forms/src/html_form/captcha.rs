//! Captchas: the visitor's browser brings an answer, and only its service can tell what the answer is worth.
//!
//! The services speak alike: the server's key and the answer go by POST, JSON comes back. Cloudflare Turnstile, hCaptcha and
//! Google reCAPTCHA say `success` and `error-codes` (reCAPTCHA v3 a `score`, too); Yandex `SmartCaptcha` says `status` and
//! `message`, and asks to take what it answers with another status than 200 for passed.

use std::time::Duration;

use leadgate_core::ports::{Challenge, Parsed, PathToken, Request, Secrets, Told};
use leadgate_core::secret::Secret;
use leadgate_core::submission::{Purpose, Signal, Submission};
use leadgate_core::text;
use leadgate_wire::guarded::is_public;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::answer;
use super::config::Config;
use super::deliver::Delivery;
use crate::config::Keys;
use crate::draft::{self, Placed};

/// How long a service may take: the visitor waits.
const TIME: Duration = Duration::from_secs(2);
/// Longer answers are made up; the longest real ones have some 2 KB.
const ANSWER_BYTES: usize = 16 << 10;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Turnstile,
    Hcaptcha,
    Recaptcha,
    SmartCaptcha,
}

impl Service {
    /// The field its script adds to a form.
    fn field(self) -> &'static str {
        match self {
            Self::Turnstile => "cf-turnstile-response",
            Self::Hcaptcha => "h-captcha-response",
            Self::Recaptcha => "g-recaptcha-response",
            Self::SmartCaptcha => "smart-token",
        }
    }

    fn url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
            Self::Recaptcha => "https://www.google.com/recaptcha/api/siteverify",
            Self::SmartCaptcha => "https://smartcaptcha.cloud.yandex.ru/validate",
        }
    }
}

/// The captcha of a source.
pub(super) struct Captcha {
    service: Service,
    secret: Secret,
    /// The least score of reCAPTCHA v3 that passes.
    min_score: f64,
    /// Whether a form without an answer has to be sent again.
    required: bool,
    field: String,
    url: String,
}

/// Reads `captcha = { kind = "...", secret = ... }`.
pub(super) fn read(keys: &mut Keys, secrets: &dyn Secrets) -> Option<Captcha> {
    keys.within("captcha", |keys| {
        let kinds = [
            ("turnstile", Service::Turnstile),
            ("hcaptcha", Service::Hcaptcha),
            ("recaptcha", Service::Recaptcha),
            ("smartcaptcha", Service::SmartCaptcha),
        ];
        let (before, kind) = (keys.problems(), keys.one_of("kind", &kinds));
        if kind.is_none() && keys.problems() == before {
            keys.problem("kind", "say whose captcha it is: \"turnstile\", \"hcaptcha\", \"recaptcha\" or \"smartcaptcha\"");
        }
        let secret = secret(keys, secrets);
        let min_score = keys.fraction("min_score", 0.0..=1.0);
        if min_score.is_some() && kind.is_some_and(|kind| kind != Service::Recaptcha) {
            keys.problem("min_score", "only reCAPTCHA v3 gives a score");
        }
        let required = keys.yes("required").unwrap_or(true);
        let field = keys.text("field").map(|field| field.trim().to_owned()).filter(|field| !field.is_empty());
        let url = keys.text("url");
        if let Some(url) = &url
            && !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            keys.problem("url", format!("{url:?} is no URL such as \"https://captcha.example/siteverify\""));
        }
        let service = kind?;
        Some(Captcha {
            service,
            secret: secret?,
            min_score: min_score.unwrap_or(0.5),
            required,
            field: field.unwrap_or_else(|| service.field().to_owned()),
            url: url.unwrap_or_else(|| service.url().to_owned()),
        })
    })
    .flatten()
}

fn secret(keys: &mut Keys, secrets: &dyn Secrets) -> Option<Secret> {
    let Some(written) = keys.value("secret") else {
        keys.problem("secret", "the server's key of the captcha is missing: secret = { env = \"CAPTCHA_SECRET\" }");
        return None;
    };
    match secrets.resolve(&written) {
        Ok(secret) if secret.expose().trim().is_empty() => {
            keys.problem("secret", "it is empty");
            None
        }
        Ok(secret) => Some(secret),
        Err(why) => {
            keys.problem("secret", why);
            None
        }
    }
}

impl Captcha {
    /// Whether a field holds an answer, which is never kept.
    pub(super) fn is_field(&self, name: &str) -> bool {
        draft::same_name(name, &self.field)
    }

    /// The answer a form brought.
    pub(super) fn answer(&self, placed: &[Placed]) -> Option<Secret> {
        draft::first(placed, &self.field).map(Secret::new)
    }

    fn challenge(&self, request: &Request<'_>, answer: &Secret) -> Challenge {
        let (token, address) = match self.service {
            Service::SmartCaptcha => ("token", "ip"),
            _ => ("response", "remoteip"),
        };
        let mut form = Serializer::new(String::new());
        form.append_pair("secret", self.secret.expose()).append_pair(token, answer.expose());
        // An address of our own network means nothing to them.
        if let Some(peer) = request.peer.filter(|peer| is_public(*peer)) {
            form.append_pair(address, &peer.to_string());
        }
        Challenge { url: self.url.clone(), form: Secret::new(form.finish()), time: TIME }
    }

    /// What speaks against a form, by what the service said; `None`: it was solved.
    fn signal(&self, told: &Told) -> Option<Signal> {
        let unverified = |why: &str| Some(Signal::Unverified { detail: plain(why) });
        let (status, body) = match told {
            Told::NotAsked => return None,
            Told::Nothing(why) => return unverified(why),
            Told::Answer(status, body) => (*status, body),
        };
        let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(body) else {
            return unverified(&format!("its service answered {status} and nothing that makes sense"));
        };
        let verdict = match self.service {
            Service::SmartCaptcha => yandex(status, &answer),
            _ => siteverify(status, &answer),
        };
        match verdict {
            Verdict::Unknown(why) => unverified(&why),
            Verdict::Failed(why) => Some(Signal::Captcha { detail: plain(&why) }),
            Verdict::Solved => {
                // The score of hCaptcha says the opposite, and only to those who pay for it.
                let score = answer.get("score").and_then(Value::as_f64).filter(|_| self.service == Service::Recaptcha)?;
                (score < self.min_score)
                    .then(|| Signal::Captcha { detail: format!("the score is {score}, below {}", self.min_score) })
            }
        }
    }
}

/// A third party's words, fit to be shown.
fn plain(why: &str) -> String {
    text::cut(&text::printable(why, true), 200).to_owned()
}

enum Verdict {
    Solved,
    Failed(String),
    Unknown(String),
}

type Object = serde_json::Map<String, Value>;

/// Faults of ours or of the service: they say nothing of the visitor.
const OURS: &[&str] =
    &["missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "bad-request", "internal-error"];

fn siteverify(status: u16, answer: &Object) -> Verdict {
    let codes: Vec<&str> = match answer.get("error-codes") {
        Some(Value::Array(codes)) => codes.iter().filter_map(Value::as_str).take(10).collect(),
        _ => Vec::new(),
    };
    let told = || if codes.is_empty() { "no reason given".to_owned() } else { codes.join(", ") };
    match answer.get("success").and_then(Value::as_bool) {
        _ if status >= 500 => Verdict::Unknown(format!("its service answered {status}")),
        Some(true) => Verdict::Solved,
        Some(false) if codes.iter().any(|code| OURS.contains(code)) => Verdict::Unknown(told()),
        Some(false) => Verdict::Failed(told()),
        None => Verdict::Unknown(format!("its service answered {status} and says neither yes nor no")),
    }
}

fn yandex(status: u16, answer: &Object) -> Verdict {
    let message = answer.get("message").and_then(Value::as_str).unwrap_or_default();
    match answer.get("status").and_then(Value::as_str) {
        _ if status != 200 => Verdict::Unknown(format!("its service answered {status}: {message}")),
        Some("ok") => Verdict::Solved,
        Some("failed") if message.to_ascii_lowercase().contains("secret") => Verdict::Unknown(message.to_owned()),
        Some("failed") if message.is_empty() => Verdict::Failed("no reason given".to_owned()),
        Some("failed") => Verdict::Failed(message.to_owned()),
        _ => Verdict::Unknown("its service says neither yes nor no".to_owned()),
    }
}

/// What becomes of a form that was read: where there is a captcha, its service is asked first.
///
/// Nobody is asked about what waits for a person anyway, or counts nowhere: an answer is good for one question.
pub(super) fn ask(config: &Config, request: &Request<'_>, delivery: Delivery) -> Parsed {
    let Delivery { mut submission, answer, typed } = delivery;
    // What is read again was asked about when it came; the answer is not kept.
    let asks = request.path_token != PathToken::Vouched && submission.hold.is_none() && submission.purpose == Purpose::Lead;
    let Some(captcha) = config.captcha.as_ref().filter(|_| asks) else {
        return Parsed::Submissions(vec![submission]);
    };
    match answer {
        Some(answer) if answer.expose().len() <= ANSWER_BYTES => return Parsed::Ask(captcha.challenge(request, &answer)),
        Some(_) => submission.signals.push(Signal::Captcha { detail: "the answer is longer than any".to_owned() }),
        None if captcha.required => {
            let why = format!("the captcha was not answered: the form has no {}", captcha.field);
            return Parsed::Again(answer::unsolved(config, request, typed), why);
        }
        None => submission.signals.push(Signal::Captcha { detail: "there is no answer".to_owned() }),
    }
    Parsed::Submissions(vec![submission])
}

/// The submission, knowing what the service said.
pub(super) fn judged(config: &Config, mut submission: Submission, told: &Told) -> Submission {
    submission.signals.extend(config.captcha.as_ref().and_then(|captcha| captcha.signal(told)));
    submission
}
