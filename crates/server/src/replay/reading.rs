//! Reading what was kept: a call as its connector saw it, as far as it was kept.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Mode, Parsed, PathToken, Pull, Push, Refusal, Request, Told, Who};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Reason;
use leadgate_core::replay::{Head, Kept};
use leadgate_core::rules::Rules;
use leadgate_core::submission::{Codec, Purpose, Raw, Signal, Submission};

use super::Deed;
use crate::app::Live;
use crate::config::Config;

/// The most bytes a kept body unpacks to: more than any limit of a source.
const UNPACKED_MOST: usize = 64 << 20;
/// What a source holds because nothing can be read of it: a person's word does not help.
const UNREADABLE: &[&str] = &["unreadable", "oversize", "poisoned"];

/// A source that reads.
struct Reader<'a> {
    by: By<'a>,
    enabled: bool,
}

/// What reads.
enum By<'a> {
    /// A connector that is called, at this URL.
    Push(&'a dyn Push, String),
    /// A connector that asks.
    Pull(&'a dyn Pull),
}

/// The sources as they are configured, and the rules.
pub struct Readers<'a> {
    sources: HashMap<&'a SourceId, Reader<'a>>,
    rules: Arc<Rules>,
}

impl std::fmt::Debug for Readers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

impl<'a> Readers<'a> {
    /// Those of a running gateway.
    pub fn of_live(live: &'a Live) -> Self {
        let pushes = live.sources.iter().map(|source| {
            let url = format!("{}{}", live.base_url, source.path());
            (&source.id, Reader { by: By::Push(&*source.push, url), enabled: source.enabled })
        });
        let pulls = live.pulls.iter().map(|pull| (&pull.id, Reader { by: By::Pull(&*pull.pull), enabled: pull.enabled }));
        // Where both are, senders call it.
        let sources = pulls.chain(pushes).collect();
        Self { sources, rules: Arc::clone(&live.rules) }
    }

    /// Those of a configuration, its tokens added.
    pub fn of_config(config: &'a Config) -> Self {
        let base = config.base_url();
        let reader = |source: &'a crate::config::Source| {
            let url = format!("{base}{}", source.path().unwrap_or_default());
            let by = match &source.connector.mode {
                Mode::Push(push) | Mode::Both(push, _) => By::Push(&**push, url),
                Mode::Pull(pull) => By::Pull(&**pull),
            };
            (&source.id, Reader { by, enabled: source.enabled })
        };
        Self { sources: config.sources.iter().map(reader).collect(), rules: Arc::new(config.rules()) }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// A submission of which nothing is read.
    pub(super) fn nothing_of(&self, kept: &Kept) -> Prepared {
        Prepared::new(bare(kept), &self.rules)
    }

    /// What a kept submission says today; or why that cannot be told.
    pub(super) fn read(&self, kept: &Kept, instead: Option<&SourceId>, deed: Deed) -> Result<Submission, String> {
        let id = instead.unwrap_or(&kept.source);
        let reader = self.reader(id, deed)?;
        if let Some(at) = kept.emptied_at {
            let day = at.strftime("%Y-%m-%d");
            return Err(format!("its bytes were let go on {day} ([keeping] raw, or an erased contact): nothing is left to read"));
        }
        if is_head_only(kept) {
            return Err("only its head was kept: its body was over the limit".to_owned());
        }
        let vouched = kept.authenticated || deed == Deed::Release;
        if !vouched {
            return Err("nobody vouches for its sender: release it if you do".to_owned());
        }
        let mut item = match &reader.by {
            By::Push(push, url) => parse(kept, id, *push, url)?,
            By::Pull(pull) => catch_unwind(AssertUnwindSafe(|| pull.read_again(kept)))
                .unwrap_or_else(|_panic| Err("the connector still fails on it".to_owned()))?,
        };
        // What the gateway itself saw of the sender's pace cannot be read again.
        let rate = Reason::Signal { signal: Signal::Rate };
        if kept.reasons.contains(&rate) && !item.signals.contains(&Signal::Rate) {
            item.signals.push(Signal::Rate);
        }
        if let Some(hold) = item.hold.take()
            && (deed != Deed::Release || UNREADABLE.contains(&hold.code.as_str()))
        {
            return Err(hold.words);
        }
        match deed {
            Deed::Release => {
                item.historic = kept.historic;
                if item.purpose == Purpose::Note {
                    item.purpose = Purpose::Lead;
                }
            }
            _ => item.historic = true,
        }
        (item.id, item.source) = (kept.id, id.clone());
        item.raw = bare(kept).raw;
        Ok(item)
    }

    /// What was read, ready to be recorded.
    pub(super) fn prepare(&self, item: Submission) -> Result<Prepared, String> {
        catch_unwind(AssertUnwindSafe(|| Prepared::new(item, &self.rules)))
            .map_err(|_panic| "the gateway failed on its content".to_owned())
    }

    fn reader(&self, id: &SourceId, deed: Deed) -> Result<&Reader<'a>, String> {
        match self.sources.get(id) {
            None => Err(format!("there is no source {id} any more: name the one that reads it instead (--as)")),
            Some(reader) if !reader.enabled && deed != Deed::Release => {
                Err(format!("the source {id} is switched off (enabled = false): switch it on, or release single ones"))
            }
            Some(reader) => Ok(reader),
        }
    }
}

/// The connector reads the kept bytes.
fn parse(kept: &Kept, source: &SourceId, push: &dyn Push, url: &str) -> Result<Submission, String> {
    let head: Head = if kept.head.is_empty() {
        Head::default()
    } else {
        serde_json::from_str(&kept.head).map_err(|error| format!("what was kept of its head makes no sense: {error}"))?
    };
    let body = match kept.codec {
        Codec::Plain => kept.raw.clone(),
        Codec::Zstd => {
            let plain = zstd::bulk::decompress(&kept.raw, UNPACKED_MOST);
            Bytes::from(plain.map_err(|error| format!("its bytes cannot be unpacked: {error}"))?)
        }
    };
    let mut headers = vec![("content-type".to_owned(), kept.content_type.clone())];
    headers.extend(head.headers);
    let mut url = url.to_owned();
    for (mark, part) in [('/', &head.rest), ('?', &kept.query)] {
        if !part.is_empty() {
            url.push(mark);
            url.push_str(part);
        }
    }
    let request = Request {
        id: kept.id,
        source,
        method: head.method.as_deref().unwrap_or("POST"),
        url: &url,
        headers: &headers,
        body: &body,
        parts: None,
        peer: kept.peer,
        received_at: kept.received_at,
        path_token: PathToken::Vouched,
        rest: &head.rest,
    };
    let parsed = catch_unwind(AssertUnwindSafe(|| match push.parse(&request) {
        // Whether a person was there was asked when it came, or never will be known.
        Ok(Parsed::Ask(_)) => push.told(&request, &Told::NotAsked),
        parsed => parsed,
    }));
    match parsed {
        Ok(Ok(Parsed::Submissions(mut items) | Parsed::Who(Who { tells: mut items, .. }))) if items.len() == 1 => {
            Ok(items.remove(0))
        }
        Ok(Ok(Parsed::Submissions(items) | Parsed::Who(Who { tells: items, .. }))) => {
            Err(format!("it is read as {} deliveries, not as one", items.len()))
        }
        Ok(Ok(Parsed::Probe(_))) => Err("its source takes it for a try of the line".to_owned()),
        Ok(Ok(Parsed::Ask(_))) => Err("its source asks one question after the other".to_owned()),
        Ok(
            Ok(Parsed::Again(_, why))
            | Err(
                Refusal::Unauthenticated(why) | Refusal::Unproven { why, .. } | Refusal::Unreadable(why) | Refusal::Oversize(why),
            ),
        ) => Err(why),
        Err(_panic) => Err("the connector still fails on it".to_owned()),
    }
}

/// Whether only a note about a body was kept, because there was too much of it (`http/inbound/held.rs`).
fn is_head_only(kept: &Kept) -> bool {
    let oversize = kept.reasons.iter().any(|reason| matches!(reason, Reason::Held { code, .. } if code == "oversize"));
    oversize && kept.content_type.starts_with("text/plain") && kept.raw.starts_with(b"content-type: ")
}

fn bare(kept: &Kept) -> Submission {
    // What is kept stays as it is.
    let raw = Raw {
        content_type: String::new(),
        codec: Codec::Plain,
        body: Bytes::new(),
        sha256: [0; 32],
        query: String::new(),
        peer: None,
        head: String::new(),
    };
    Submission {
        historic: true,
        purpose: Purpose::Note,
        ..Submission::of_bytes(kept.id, kept.source.clone(), kept.received_at, raw)
    }
}
