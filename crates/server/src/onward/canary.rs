//! Canaries: what the gateway sends itself by the outside road of a source, and expects back. One that comes is never a lead and is
//! counted nowhere; one that does not is an alarm.
//!
//! A form's goes as a visitor's does, to the public address, through name server, proxy and certificate; a mailbox's as a mail. Each is
//! marked with the source and the time, signed ([`super::Signer::canary`]), so that nobody else can make one, and whatever mailbox
//! it gets to knows it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{
    Alarm, Detail, JobFilter, JobState, NewTimer, Pattern, Recipient, Route, Routes, Timer, TimerEnd, event,
};
use leadgate_core::ports::{Deliver, DeliverError, Delivered, Parcel, Store, StoreError};
use leadgate_core::submission::Submission;
use leadgate_core::views::PageAt;
use leadgate_outbound::mail;
use leadgate_wire::guarded::{Call, Caps, Guarded, Method};
use serde::Deserialize;

use super::Signer;
use crate::app::{Gateway, Live};
use crate::config::{Canary, Road};

/// The header that marks a form's canary.
pub const HEADER: &str = "x-leadgate-canary";
/// A canary is to be sent; the key is its source.
pub(super) const DUE: &str = "canary";
/// One that was sent should be back; the key is its source.
pub(super) const EXPECTED: &str = "canary.expected";
/// One that was on its way for longer says nothing of the road as it is now.
const OLD: SignedDuration = SignedDuration::from_hours(24);
/// Deliveries looked through for why one did not go out.
const JOBS: u32 = 100;

fn configured<'a>(live: &'a Live, key: &str) -> Option<(SourceId, &'a Canary)> {
    let source = SourceId::parse(key).ok().filter(|source| live.expects(source))?;
    let canary = live.onward.canaries.get(&source)?;
    Some((source, canary))
}

// ---------------------------------------------------------------------------------------------------------------- timers

/// A canary is due.
pub(super) async fn due(
    gateway: &Gateway,
    live: &Live,
    store: &dyn Store,
    timer: Timer,
    now: Timestamp,
) -> Result<TimerEnd, StoreError> {
    let Some((source, canary)) = configured(live, &timer.key) else {
        // Nobody wants to know any more.
        store.stop_timers(vec![(EXPECTED.to_owned(), timer.key.clone())]).await?;
        store.clear(event::CANARY_LOST, &timer.key, None).await?;
        return Ok(TimerEnd { timer, again: None, news: None });
    };
    let route = Route {
        target: canary.road.target().into(),
        recipient: Recipient::Canary(timer.key.clone()),
        events: vec![Pattern::One(event::CANARY_DUE.to_owned())],
        sources: None,
        ordered: false,
    };
    let routes = Arc::new(Routes::new(vec![route]));
    let detail = Detail { source: Some(source.clone()), ..Detail::default() };
    let news = gateway.news(event::CANARY_DUE, Some(source), detail, now, &routes);
    let again = now.saturating_add(canary.every).unwrap_or(Timestamp::MAX);
    Ok(TimerEnd { timer, again: Some(again), news: Some(news) })
}

/// One that was sent is not back.
pub(super) async fn lost(
    gateway: &Gateway,
    live: &Live,
    store: &dyn Store,
    timer: Timer,
    now: Timestamp,
) -> Result<TimerEnd, StoreError> {
    if let Some((source, canary)) = configured(live, &timer.key) {
        let since = timer.due_at.saturating_sub(canary.road.within()).unwrap_or(timer.due_at);
        let words = why(store, canary, &timer.key).await?;
        let detail = Detail { source: Some(source.clone()), since: Some(since), words, ..Detail::default() };
        let news = gateway.news(event::CANARY_LOST, Some(source), detail.clone(), now, &live.rules.routes);
        let alarm = Alarm { name: event::CANARY_LOST, key: timer.key.clone(), since, detail };
        store.raise(alarm, news).await?;
    }
    Ok(TimerEnd { timer, again: None, news: None })
}

/// Why it did not even go out, if so.
async fn why(store: &dyn Store, canary: &Canary, key: &str) -> Result<String, StoreError> {
    let states = vec![JobState::Waiting, JobState::Sending, JobState::Dead];
    let filter = JobFilter { states, target: Some(canary.road.target().to_owned()), ..JobFilter::default() };
    let to = Recipient::Canary(key.to_owned()).to_string();
    let jobs = store.jobs(filter, PageAt { after: None, limit: JOBS }).await?.items;
    Ok(jobs.into_iter().find(|job| job.event == event::CANARY_DUE && job.to == to).map(|job| job.words).unwrap_or_default())
}

// --------------------------------------------------------------------------------------------------------------- sending

/// A canary that is about to leave.
#[derive(Debug)]
pub(super) struct Flight {
    /// How it goes.
    pub road: Road,
    /// Its mark.
    pub mark: String,
}

/// What comes before a canary is sent: from now on it is expected, whatever becomes of the sending. Otherwise why none is sent.
pub(super) async fn begin(gateway: &Gateway, parcel: &Parcel, key: &str) -> Result<Result<Flight, Delivered>, DeliverError> {
    let moot = |words: &str| Ok(Err(Delivered { refs: Vec::new(), words: words.to_owned() }));
    let later = |words: String| DeliverError::Later { words, after: None };
    let live = gateway.live();
    let Some((source, canary)) = configured(&live, key) else { return moot("the source has no canary any more") };
    if parcel.now.duration_since(parcel.job.at) >= canary.every {
        return moot("its time is over: the next one is due");
    }
    let (Some(signer), Some(store)) = (gateway.signer().await, gateway.store_now()) else {
        return Err(later("the database is not open".to_owned()));
    };
    let Some(mark) = signer.canary(&source, parcel.now) else { return moot("it cannot be signed") };
    let due_at = parcel.now.saturating_add(canary.road.within()).unwrap_or(Timestamp::MAX);
    // One that is expected already stays so: what comes back does so for both.
    let expected = NewTimer { kind: EXPECTED, key: key.to_owned(), due_at, source: Some(source) };
    let set = store.set_timers(vec![expected]).await;
    set.map_err(|error| later(format!("that it is expected cannot be written: {error}")))?;
    Ok(Ok(Flight { road: canary.road.clone(), mark }))
}

/// Sends canaries as visitors send forms.
pub(super) struct Forms {
    client: Guarded,
    gateway: Arc<Gateway>,
}

impl Forms {
    /// One call takes so long at most.
    pub const LONGEST: Duration = Duration::from_secs(20);
    /// What is read of an answer: nothing of it is looked at.
    const ANSWER_BYTES: usize = 4 << 10;

    /// By this client.
    pub fn new(client: Guarded, gateway: Arc<Gateway>) -> Self {
        Self { client, gateway }
    }
}

#[async_trait]
impl Deliver for Forms {
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let moot = |words: &str| Ok(Delivered { refs: Vec::new(), words: words.to_owned() });
        // Never the target's fault: each source has an address of its own, and its absence is what tells.
        let later = |words: String| DeliverError::Later { words, after: None };
        let Recipient::Canary(key) = &parcel.job.recipient else { return moot("it is no canary") };
        let Flight { road, mark } = match begin(&self.gateway, parcel, key).await? {
            Ok(flight) => flight,
            Err(moot) => return Ok(moot),
        };
        let live = self.gateway.live();
        let (Road::Form, Some(source), Some(base)) = (road, live.source(key), &live.public_url) else {
            return moot("it does not go as a form any more");
        };
        let form = [("name", "Leadgate"), ("message", "Leadgate canary")];
        let call = Call {
            method: Method::POST,
            url: format!("{base}{}", source.path()),
            headers: vec![
                (Cow::Borrowed("content-type"), "application/x-www-form-urlencoded".to_owned()),
                (Cow::Borrowed(HEADER), mark),
            ],
            body: Bytes::from(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()),
        };
        let caps = Caps { time: Self::LONGEST, bytes: Self::ANSWER_BYTES, cut: true, types: &[], redirects: &[] };
        let answer = self.client.call(&call, caps).await.map_err(|error| later(error.words()))?;
        if (200..300).contains(&answer.status) {
            moot(&answer.status.to_string())
        } else {
            Err(later(format!("the address that senders use answered {}", answer.status)))
        }
    }
}

// ------------------------------------------------------------------------------------------------------------- returning

/// It is back: nothing is expected any more, and nothing is wrong. `sent`: when it left.
pub async fn returned(gateway: &Gateway, store: &dyn Store, source: &SourceId, sent: Timestamp) -> Result<(), StoreError> {
    let now = gateway.clock.now();
    if now.duration_since(sent) > OLD {
        return Ok(());
    }
    tracing::debug!(%source, %sent, "a canary is back");
    store.stop_timers(vec![(EXPECTED.to_owned(), source.to_string())]).await?;
    let detail = Detail { source: Some(source.clone()), ..Detail::default() };
    let routes = Arc::clone(&gateway.live().rules.routes);
    let news = gateway.news(event::CANARY_RETURNED, Some(source.clone()), detail, now, &routes);
    store.clear(event::CANARY_LOST, source.as_str(), Some(news)).await.map(|_| ())
}

/// Whether a mail may be a canary.
pub fn is_marked(item: &Submission) -> bool {
    mark(&item.raw.body).is_some()
}

/// Takes canaries out of mails that were read: their own kind is none of a lead, whichever source's and however old they are. When the
/// newest of those was sent that are back at this source.
pub fn sift(mut items: Vec<Submission>, signer: &Signer, source: &SourceId) -> (Vec<Submission>, Option<Timestamp>) {
    let mut returned = None;
    items.retain(|item| {
        let Some((of, sent)) = mark(&item.raw.body).and_then(|mark| signer.read_canary(&mark)) else { return true };
        // What lies in a folder of sent mails has not come by any road.
        if of == *source && !is_of_sent(item) {
            returned = returned.max(Some(sent));
        }
        false
    });
    (items, returned)
}

/// What is looked at of what a mailbox keeps beside a mail.
#[derive(Deserialize)]
struct Beside {
    #[serde(default)]
    sent: bool,
}

fn is_of_sent(item: &Submission) -> bool {
    serde_json::from_str::<Beside>(&item.raw.head).is_ok_and(|beside| beside.sent)
}

/// The mark in a mail's header (RFC 5322, section 2.2): the first, its lines put together again.
fn mark(mail: &[u8]) -> Option<String> {
    let mut found: Option<String> = None;
    for line in mail.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            break;
        }
        match (&mut found, line[0]) {
            (Some(mark), b' ' | b'\t') => mark.push_str(std::str::from_utf8(line).ok()?.trim()),
            (Some(_), _) => break,
            (None, _) => {
                let mut halves = line.splitn(2, |byte| *byte == b':');
                let name = halves.next().unwrap_or_default().trim_ascii_end();
                if name.eq_ignore_ascii_case(mail::CANARY.as_bytes()) {
                    found = Some(std::str::from_utf8(halves.next()?).ok()?.trim().to_owned());
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use leadgate_core::ids::SubmissionId;
    use leadgate_core::submission::{Codec, Raw};

    use super::*;

    fn source(id: &str) -> SourceId {
        SourceId::parse(id).unwrap()
    }

    fn mail(header: &str, head: &str) -> Submission {
        let raw = Raw {
            content_type: "message/rfc822".to_owned(),
            codec: Codec::Plain,
            body: Bytes::from(format!("From: a@b.ru\r\n{header}Subject: x\r\n\r\nX-Leadgate-Canary: body\r\n")),
            sha256: [0; 32],
            query: String::new(),
            peer: None,
            head: head.to_owned(),
        };
        Submission::of_bytes(SubmissionId(uuid::Uuid::nil()), source("info"), Timestamp::UNIX_EPOCH, raw)
    }

    #[test]
    fn a_mark_is_read_from_the_header_alone() {
        let read = |header: &str| mark(&mail(header, "").raw.body);
        for header in ["X-Leadgate-Canary: a.1.00\r\n", "x-leadgate-CANARY:a.1.00 \n", "X-Leadgate-Canary:\r\n a.1.\r\n\t00\r\n"]
        {
            assert_eq!(read(header).as_deref(), Some("a.1.00"), "{header:?}");
        }
        for none in ["", "X-Leadgate-Canary\r\n", "Subject: a\r\n X-Leadgate-Canary: b\r\n", "X-Leadgate-Canary: \u{fffd}\r\n"] {
            assert!(read(none).is_none_or(|mark| mark == "\u{fffd}"), "{none:?}");
        }
        for broken in [&b""[..], b"\n", b"\r\n\r\n", b":", b" ", b"X-Leadgate-Canary: \xff\n"] {
            assert_eq!(mark(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn mails_that_are_canaries_are_no_leads_and_the_newest_of_this_mailbox_is_back() {
        let signer = Signer::new([7; 32]);
        let at = |second| Timestamp::from_second(second).unwrap();
        let header = |signer: &Signer, id: &str, second| {
            format!("X-Leadgate-Canary: {}\r\n", signer.canary(&source(id), at(second)).unwrap())
        };
        let sift = |items: Vec<Submission>| {
            let (left, returned) = sift(items, &signer, &source("info"));
            (left.len(), returned.map(Timestamp::as_second))
        };
        let own = |second| mail(&header(&signer, "info", second), r#"{"folder":"INBOX"}"#);
        assert_eq!(sift(vec![mail("", ""), own(7), own(9), own(8)]), (1, Some(9)));
        assert_eq!(sift(vec![mail(&header(&signer, "info", 9), r#"{"folder":"Sent","sent":true}"#)]), (0, None), "it never left");
        assert_eq!(sift(vec![mail(&header(&signer, "other", 9), "")]), (0, None), "of another mailbox");
        assert_eq!(sift(vec![mail(&header(&Signer::new([8; 32]), "info", 9), "")]), (1, None), "of a stranger");
        assert!(is_marked(&own(1)) && !is_marked(&mail("", "")));
    }
}
