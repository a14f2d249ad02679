//! Who calls? Asked by a provider while a telephone rings, so the answer comes in time or says that nobody is known.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use leadgate_core::ids::ManagerId;
use leadgate_core::phone::{self, Hints};
use leadgate_core::ports::{Known, Reply, Request, Told, Who};
use leadgate_core::receipt::Outcome;

use super::call::{CLOCK, Call, to_response};
use crate::metrics::{self, Asked};
use crate::onward::alarms;

/// A provider that waits longer waits in vain.
const LONGEST: Duration = Duration::from_secs(3);

impl Call<'_> {
    /// Answers who calls. What the question tells besides is on its way to the database by then; it is there before a success is
    /// answered, unless a telephone waits and has rung for too long.
    pub(super) async fn who(&self, request: &Request<'_>, who: Who) -> Response {
        let Who { number, within, mut tells } = who;
        if !self.source.enabled {
            self.pause(&mut tells);
        }
        let longest = within.map_or(LONGEST, |within| within.min(LONGEST));
        // A source that is switched off is told nothing; whoever asks at a wrong time may ask again what somebody else asked before.
        let held = tells.iter().find_map(|item| item.hold.clone());
        let number = number.filter(|_| self.source.enabled && held.is_none());
        let looked_up = async {
            match number {
                Some(_) if !self.source.may_look_up(self.received_at) => (None, Asked::TooMany),
                Some(number) => self.look_up(&number.typed, number.provider_format).await,
                None => (None, Asked::Unknown),
            }
        };
        let recorded = async {
            // Whoever waits may give up: what is queued is recorded all the same.
            if tells.is_empty() { Some(Vec::new()) } else { self.submit(tells).await.ok() }
        };
        // What takes too long is what is told, or who calls: neither costs the other.
        let looked_up = async { tokio::time::timeout(longest, looked_up).await.unwrap_or((None, Asked::Late)) };
        let recorded = async {
            match within {
                Some(_) => tokio::time::timeout(longest, recorded).await.unwrap_or_else(|_late| Some(Vec::new())),
                None => recorded.await,
            }
        };
        let ((known, asked), receipts) = tokio::join!(looked_up, recorded);
        let Some(receipts) = receipts else { return self.busy(request) };
        for receipt in &receipts {
            self.source.meters.recorded(receipt.outcome, self.received_at.as_second());
        }
        self.source.meters.asked(asked);
        if let Some(hold) = held.filter(|hold| hold.code == CLOCK) {
            alarms::wrong_clock(self.gateway, &self.source.id, &hold.words).await;
        }
        let is_news = !receipts.iter().any(|receipt| receipt.outcome == Outcome::Repeat);
        if let Some(known) = known.as_ref().filter(|_| is_news) {
            self.route(request, known);
        }
        let reply = catch_unwind(AssertUnwindSafe(|| self.source.push.known(request, known.as_ref())));
        to_response(reply.unwrap_or_else(|_panic| {
            tracing::error!(source = %self.source.id, "a connector panicked over who calls");
            Reply::text(200, "")
        }))
    }

    /// Has a call put through, where the provider takes that as a call of our own. Nobody waits for it: what does not come to pass
    /// leaves the call where it would be without us.
    fn route(&self, request: &Request<'_>, known: &Known) {
        let Ok(Some(challenge)) = catch_unwind(AssertUnwindSafe(|| self.source.push.routes(request, known))) else { return };
        let (outward, source) = (Arc::clone(&self.gateway.outward), self.source.id.clone());
        tokio::spawn(async move {
            let why = match outward.ask(&challenge).await {
                Told::Answer(200..=299, _) => return metrics::routed(&source, true),
                Told::Answer(status, _) => format!("it answered {status}"),
                Told::Nothing(why) => why,
                Told::NotAsked => "it was not asked".to_owned(),
            };
            metrics::routed(&source, false);
            tracing::warn!(%source, why, "a caller could not be put through to whoever works with them");
        });
    }

    async fn look_up(&self, typed: &str, provider_format: bool) -> (Option<Known>, Asked) {
        let Some(store) = self.gateway.store().await else { return (None, Asked::Late) };
        let configured = self.live.rules.of(&self.source.id).country;
        let hints = Hints { explicit: None, configured, provider_format, free_text: false };
        let Some(phone) = phone::read(typed, &hints).phones.into_iter().next() else { return (None, Asked::Unknown) };
        match store.caller(&phone.key()).await {
            Ok(Some(caller)) => {
                let responsible = caller.responsible.map(ManagerId);
                let manager = self.live.people.iter().find(|manager| Some(&manager.id) == responsible.as_ref());
                let extension = manager.and_then(|manager| manager.extension.clone());
                let (contact, name, lead) = (caller.contact, caller.name, caller.lead);
                (Some(Known { contact, name, lead, responsible, extension }), Asked::Known)
            }
            Ok(None) => (None, Asked::Unknown),
            Err(error) => {
                tracing::warn!(source = %self.source.id, %error, "who calls cannot be looked up");
                (None, Asked::Late)
            }
        }
    }
}
