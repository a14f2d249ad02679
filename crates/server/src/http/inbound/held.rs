//! Submissions the server makes itself: what waits for a person because no connector could make anything of it.

use bytes::Bytes;
use http::Method;
use leadgate_core::ports::{Part, PathToken, Push, Request};
use leadgate_core::replay::Head;
use leadgate_core::submission::{Codec, Draft, FileRef, Hold, Raw, Submission};
use leadgate_core::text;
use leadgate_wire::redact::{self, Hide};
use sha2::{Digest as _, Sha256};

/// The most bytes kept of a sender nobody vouches for.
const STRANGER_BYTES: usize = 64 << 10;
/// The longest header that is kept.
const HEADER_BYTES: usize = 2000;
/// The longest query kept beside a head.
const QUERY_BYTES: usize = 4096;

/// What is not kept of a call that no connector read: the usual secrets, the source's own, and the name some senders give their key,
/// right or mistyped.
fn hidden(push: &dyn Push, path: &[String], value: &str) -> Hide {
    match path {
        [name] if name.trim().eq_ignore_ascii_case("key") => Hide::All,
        _ if push.is_secret(path) => Hide::All,
        _ => redact::usual(path, value),
    }
}

/// A call with its bytes, secrets overwritten, waiting for a person.
pub fn with_bytes(push: &dyn Push, request: &Request<'_>, code: &str, words: String, authenticated: bool) -> Submission {
    let mut raw = redact::raw(request, &|path, value| hidden(push, path, value), true);
    if !authenticated && raw.body.len() > STRANGER_BYTES {
        raw.body = Bytes::copy_from_slice(&raw.body[..STRANGER_BYTES]);
    }
    held(request, code, words, authenticated, raw)
}

/// A call without its bytes: they were too many.
pub fn head_only(push: &dyn Push, request: &Request<'_>, words: String, authenticated: bool, read: u64) -> Submission {
    let announced = request.header("content-length").unwrap_or("not announced");
    let content_type = request.header("content-type").unwrap_or("not given");
    let note = format!("content-type: {content_type}\ncontent-length: {announced}\nread: {read}\n");
    let body = Bytes::from(text::clean(&note).into_owned());
    let raw = Raw {
        content_type: "text/plain; charset=utf-8".to_owned(),
        codec: Codec::Plain,
        sha256: Sha256::digest(&body).into(),
        body,
        query: text::cut(&redact::query(request.query(), &|path, value| hidden(push, path, value)), QUERY_BYTES).to_owned(),
        peer: request.peer,
        head: String::new(),
    };
    held(request, "oversize", words, authenticated, raw)
}

/// What of a call's head its connector reads, as JSON; empty if that is nothing.
pub fn head(names: &[&str], method: &Method, token: PathToken, rest: &str, headers: &[(String, String)]) -> String {
    let kept = |name: &&str| {
        let (_, value) = headers.iter().find(|(known, _)| known == name)?;
        Some(((*name).to_owned(), text::clean(text::cut(value, HEADER_BYTES)).into_owned()))
    };
    let head = Head {
        method: (method != Method::POST).then(|| method.as_str().to_owned()),
        // Without a valid token something that was meant as one may stand there.
        rest: if token == PathToken::Valid { text::clean(text::cut(rest, HEADER_BYTES)).into_owned() } else { String::new() },
        headers: names.iter().filter_map(kept).collect(),
    };
    if head == Head::default() { String::new() } else { serde_json::to_string(&head).unwrap_or_default() }
}

/// Files that were kept: the submission names them, so that they stay as long as it does.
fn files(request: &Request<'_>) -> Vec<FileRef> {
    let file = |part: &Part| match part {
        Part::File(file) => Some(file.clone()),
        Part::Field { .. } | Part::Refused { .. } => None,
    };
    request.parts.unwrap_or_default().iter().filter_map(file).collect()
}

fn held(request: &Request<'_>, code: &str, words: String, authenticated: bool, mut raw: Raw) -> Submission {
    raw.content_type = text::clean(&raw.content_type).into_owned();
    raw.query = text::clean(&raw.query).into_owned();
    Submission {
        draft: Draft { files: files(request), ..Draft::default() },
        hold: Some(Hold { code: code.to_owned(), words, authenticated }),
        ..Submission::of_bytes(request.id, request.source.clone(), request.received_at, raw)
    }
}
