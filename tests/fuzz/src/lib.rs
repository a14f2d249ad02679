//! What the fuzz targets have in common: a call made of the fuzzer's bytes, and a connector that must answer it.

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{
    BuildContext, Mode, Outcome, Parsed, PathToken, Push, Request, Secrets,
};
use leadgate_core::prepare::Prepared;
use leadgate_core::rules::Rules;
use leadgate_core::secret::Secret;

/// The types senders name, right or wrong.
pub const CONTENT_TYPES: [&str; 7] = [
    "application/x-www-form-urlencoded",
    "application/json",
    "text/plain;charset=UTF-8",
    "text/plain; charset=windows-1251",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "",
];

struct Literal;

impl Secrets for Literal {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

/// A source of a kind.
///
/// # Panics
/// If there is no such kind, or the configuration is wrong: a target is written wrongly then.
pub fn source(kind: &str, config: &str) -> Box<dyn Push> {
    let known = leadgate_web_forms::KINDS.iter().find(|known| known.name == kind).expect("a kind of this crate");
    let context = BuildContext {
        source: SourceId::parse("site").expect("an id"),
        language: "en".to_owned(),
        company: "Company & Co".to_owned(),
        public_url: "https://gate.example".to_owned(),
        country: None,
        ours: std::sync::Arc::default(),
        data: std::path::PathBuf::new(),
    };
    let built = (known.build)(config.parse().expect("TOML"), &Literal, &context);
    match built.expect("a right configuration").mode {
        Mode::Push(push) => push,
        Mode::Pull(_) | Mode::Both(..) => panic!("a form is no pull source"),
    }
}

/// A call: the first byte picks the content type, the method and whether the path had a token; up to the first line's end follows
/// the query, then the body. What the source makes of it is prepared as the gateway does.
///
/// # Panics
/// On an answer that blames the gateway (5xx): that is what is looked for.
pub fn call(push: &dyn Push, data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (query, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) if first & 0x40 != 0 => rest.split_at(end),
        _ => (&[][..], rest),
    };
    let url = format!("https://gate.example/in/site/token?{}", String::from_utf8_lossy(query));
    let content_type = CONTENT_TYPES[usize::from(first & 0x07) % CONTENT_TYPES.len()];
    let headers = [
        ("content-type".to_owned(), content_type.to_owned()),
        ("origin".to_owned(), "https://shop.example".to_owned()),
        ("user-agent".to_owned(), "WordPress/6.8; https://shop.example".to_owned()),
    ];
    let source = SourceId::parse("site").expect("an id");
    let body = Bytes::copy_from_slice(body);
    let request = Request {
        id: "0197a000-0000-7000-8000-000000000001".parse::<SubmissionId>().expect("an id"),
        source: &source,
        method: if first & 0x20 == 0 { "POST" } else { "GET" },
        url: &url,
        headers: &headers,
        body: &body,
        parts: None,
        peer: None,
        received_at: Timestamp::UNIX_EPOCH,
        path_token: if first & 0x10 == 0 { PathToken::Valid } else { PathToken::Absent },
        rest: "",
    };
    let reply = match push.parse(&request) {
        Ok(Parsed::Submissions(submissions)) => {
            let rules = Rules::default();
            for submission in submissions {
                Prepared::new(submission, &rules);
            }
            push.reply(&request, Outcome::Recorded(&[]))
        }
        Ok(_) => return,
        Err(refusal) => push.reply(&request, Outcome::Refused(&refusal)),
    };
    assert!(reply.status < 500, "{reply:?}");
}
