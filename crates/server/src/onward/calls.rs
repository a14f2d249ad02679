//! What is due of calls: one that is silent is over, and whoever was missed should have been called back.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::call::CallFacts;
use leadgate_core::ids::SubmissionId;
use leadgate_core::onward::{EventData, News, Timer, TimerEnd, call_of, event};
use leadgate_core::ports::{Intake as _, Store, StoreError};
use leadgate_core::submission::{ActivityKind, Codec, ContentHash, Draft, Key, Raw, Submission};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use uuid::Uuid;

use crate::app::{Gateway, Live};

/// What cannot be recorded now is tried again after this time.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);
/// The type of what the gateway itself notes of a call.
const TYPE: &str = "application/vnd.leadgate.silence";

/// Nothing came of a call for a time: it is over, unless something came meanwhile.
pub(super) async fn quiet(
    gateway: &Gateway,
    live: &Live,
    store: &dyn Store,
    timer: Timer,
    now: Timestamp,
) -> Result<TimerEnd, StoreError> {
    let over = |timer| Ok(TimerEnd { timer, again: None, news: None });
    let Some((source, key)) = call_of(&timer.key).map(|(source, key)| (source, key.to_owned())) else { return over(timer) };
    let Some(call) = store.call(&source, &key).await?.filter(|call| !call.over) else { return over(timer) };
    let quiet_at = call.at.saturating_add(live.rules.of(&source).calls.quiet).unwrap_or(Timestamp::MAX);
    if quiet_at > now {
        return Ok(TimerEnd { timer, again: Some(quiet_at), news: None });
    }
    let silence = silence(&source, &key, call.at, now);
    match gateway.intake.submit(vec![silence]).await {
        Ok(_receipts) => over(timer),
        Err(error) => {
            tracing::warn!(%source, %error, "that a call is over waits for the database");
            Ok(TimerEnd { timer, again: Some(now.saturating_add(AGAIN).unwrap_or(Timestamp::MAX)), news: None })
        }
    }
}

/// What the gateway notes itself. The same silence noted twice is one.
fn silence(source: &leadgate_core::ids::SourceId, key: &str, since: Timestamp, now: Timestamp) -> Submission {
    let said = format!("{{\"silence\":{{\"call\":{key:?},\"since\":\"{since}\"}}}}");
    let sha256: [u8; 32] = Sha256::digest(said.as_bytes()).into();
    let id = id(source.as_str(), key, since, now);
    let raw = Raw {
        content_type: TYPE.to_owned(),
        codec: Codec::Plain,
        body: Bytes::from(said),
        sha256,
        query: String::new(),
        peer: None,
        head: String::new(),
    };
    let call = CallFacts::silence(key.strip_prefix("call:").unwrap_or(key));
    Submission {
        keys: Key::new("silence", &format!("{key}@{}", since.as_microsecond())).into_iter().collect(),
        content: ContentHash(sha256),
        draft: Draft {
            activity: ActivityKind::Call,
            external_key: Some(key.to_owned()),
            call: Some(Box::new(call)),
            ..Draft::default()
        },
        ..Submission::of_bytes(id, source.clone(), now, raw)
    }
}

/// A UUIDv7 of the moment, the rest of which follows from what it is about: whoever notes it at that moment gives it the same.
fn id(source: &str, key: &str, since: Timestamp, now: Timestamp) -> SubmissionId {
    let said = format!("{source} {key} {}", since.as_microsecond());
    let digest = Sha256::digest(said.as_bytes());
    let millis = now.as_millisecond().unsigned_abs().to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    SubmissionId(Uuid::from_bytes(bytes))
}

/// Nobody has called back in time. It is told of where the call stands today; a call that is nobody's any more waits for nobody.
pub(super) async fn unreturned(
    gateway: &Gateway,
    live: &Live,
    store: &dyn Store,
    timer: Timer,
    now: Timestamp,
) -> Result<TimerEnd, StoreError> {
    let call = match call_of(&timer.key) {
        Some((source, key)) => store.call(&source, key).await?,
        None => None,
    };
    let news = call.filter(|call| call.place.activity.is_some()).map(|call| {
        let data = EventData {
            lead: call.place.lead,
            contact: call.place.contact,
            activity: call.place.activity,
            ..EventData::default()
        };
        let routes = Arc::clone(&live.rules.routes);
        News { id: gateway.clock.event(), name: event::CALL_UNRETURNED, at: now, source: timer.source.clone(), data, routes }
    });
    Ok(TimerEnd { timer, again: None, news })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_one_however_often_it_is_noted() {
        let source = leadgate_core::ids::SourceId::parse("mango").unwrap();
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let (one, two) = (silence(&source, "call:1", at(0), at(120)), silence(&source, "call:1", at(0), at(125)));
        assert_eq!((&one.keys, one.content), (&two.keys, two.content));
        assert_eq!(one.draft.call.as_ref().map(|call| (call.id.as_str(), call.silent)), Some(("1", true)));
        assert_eq!(one.id.0.get_version_num(), 7);
        assert_ne!(silence(&source, "call:1", at(60), at(180)).keys, one.keys);
        assert_eq!(one.raw.sha256, one.content.0);
    }
}
