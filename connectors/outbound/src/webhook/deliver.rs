//! One attempt.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{EVENTS, Envelope, Pattern, Recipient, Route};
use leadgate_core::ports::{Deliver, DeliverError, Delivered, Parcel};
use leadgate_core::secret::Secret;
use leadgate_wire::guarded::{Call, CallError, Caps, Guarded, Method};

use super::answer::{ids, judged, unanswered};
use super::signature::{Key, signatures};
use super::template::Template;

/// How much of an answer is read. Its status is what counts, and the ids it may tell are few.
const ANSWER_BYTES: usize = 64 << 10;
/// How much longer than its time an attempt may take in all: looking up a name is not within the client's own time.
const GRACE: Duration = Duration::from_secs(1);

/// A webhook as the configuration has it.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its id: `[webhooks.<id>]`.
    pub id: String,
    /// Which events it gets.
    pub events: Vec<Pattern>,
    /// Only of what comes from these sources.
    pub sources: Option<BTreeSet<SourceId>>,
    /// What concerns one lead goes in the order it happened.
    pub ordered: bool,
    /// So many deliveries at a time.
    pub in_flight: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// After this time from the event on a delivery is given up.
    pub give_up_after: Duration,
    pub(super) way: Arc<Way>,
}

impl Hook {
    /// The target's name: `webhook:<id>`.
    pub fn target(&self) -> String {
        target(&self.id)
    }

    /// Who hears of what by it.
    pub fn route(&self) -> Route {
        Route {
            target: self.target().into(),
            recipient: Recipient::Target,
            events: self.events.clone(),
            sources: self.sources.clone(),
            ordered: self.ordered,
        }
    }

    /// The first event it gets, in the catalogue's order: what it is tried with.
    pub fn first_event(&self) -> Option<&'static str> {
        EVENTS.iter().map(|kind| kind.name).find(|name| self.events.iter().any(|pattern| pattern.fits(name)))
    }

    /// How long one delivery takes at most, whatever happens.
    pub fn longest(&self) -> Duration {
        self.timeout + GRACE
    }

    /// Whether its deliveries are signed.
    pub fn is_signed(&self) -> bool {
        !self.way.keys.is_empty()
    }
}

pub(super) fn target(id: &str) -> String {
    format!("webhook:{id}")
}

/// Where and how it goes.
pub(super) struct Way {
    pub url: Secret,
    pub method: Method,
    pub content_type: String,
    pub headers: Vec<(String, Secret)>,
    pub keys: Vec<Key>,
    /// `None`: the event as everybody is sent it.
    pub template: Option<Template>,
    /// What an id is called, and where it stands in the answer.
    pub references: Vec<(String, String)>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("method", &self.method).field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

impl Way {
    /// What is sent; `None`: the template says nothing of it. The error is for the outbox: nobody's data.
    pub(super) fn body(&self, envelope: &Envelope<'_>) -> Result<Option<Vec<u8>>, String> {
        match &self.template {
            None => serde_json::to_vec(envelope).map(Some).map_err(|_| "the event is nothing JSON knows".to_owned()),
            Some(template) => template.render(envelope).map_err(|fault| format!("the template: {}", fault.words)),
        }
    }

    fn call(&self, parcel: &Parcel, body: Vec<u8>) -> Call {
        let (id, timestamp) = (parcel.job.id.to_string(), parcel.now.as_second());
        let mut headers: Vec<(Cow<'static, str>, String)> = vec![("content-type".into(), self.content_type.clone())];
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone().into(), value.expose().to_owned())));
        if !self.keys.is_empty() {
            headers.push(("webhook-signature".into(), signatures(&self.keys, &id, timestamp, &body)));
        }
        headers.push(("webhook-id".into(), id));
        headers.push(("webhook-timestamp".into(), timestamp.to_string()));
        Call { method: self.method.clone(), url: self.url.expose().to_owned(), headers, body: Bytes::from(body) }
    }
}

/// Delivers by a webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    client: Guarded,
    timeout: Duration,
    way: Arc<Way>,
}

impl Webhook {
    /// Delivers as a configuration says.
    pub fn new(hook: &Hook, client: Guarded) -> Self {
        Self { client, timeout: hook.timeout, way: Arc::clone(&hook.way) }
    }

    /// Makes one attempt with an event that never happened, and says so in it (`data.test`). See [`super::sample`].
    pub async fn test(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        self.attempt(parcel, true).await
    }

    async fn attempt(&self, parcel: &Parcel, test: bool) -> Result<Delivered, DeliverError> {
        let envelope = Envelope::of(&parcel.job, &parcel.brief, parcel.installation, test);
        let body = self.way.body(&envelope).map_err(|words| DeliverError::Refused { words })?;
        let Some(body) = body else {
            return Ok(Delivered { refs: Vec::new(), words: "the template says nothing of it: nothing was sent".to_owned() });
        };
        let call = self.way.call(parcel, body);
        let caps = Caps { time: self.timeout, bytes: ANSWER_BYTES, cut: true, types: &[], redirects: &[] };
        let called = tokio::time::timeout(self.timeout + GRACE, self.client.call(&call, caps)).await;
        let answer = called.unwrap_or(Err(CallError::TooSlow)).map_err(|error| unanswered(&error))?;
        judged(&answer, parcel.now)?;
        let refs = ids(&answer.body, &self.way.references);
        let without = if refs.len() < self.way.references.len() { ", without the id it was to tell" } else { "" };
        Ok(Delivered { refs, words: format!("answered {}{without}", answer.status) })
    }
}

#[async_trait]
impl Deliver for Webhook {
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        self.attempt(parcel, false).await
    }
}
