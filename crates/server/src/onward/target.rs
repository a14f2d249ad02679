//! A target of the configuration, ready to be delivered to.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::onward;
use leadgate_core::ports::Deliver;
use leadgate_outbound::mail::{Mailer, Reader};
use leadgate_outbound::webhook::Webhook;

use super::canary::Forms;
use super::mailing::{Mailing, People, Person};
use super::recordings;
use crate::app::{Gateway, Live};
use crate::config::{CANARY, MAIL, Road};
use crate::telegram;

/// A target's own limit comes first.
const SLACK: std::time::Duration = std::time::Duration::from_secs(5);
/// A mail that could not be sent for so long is given up.
const MAIL_GIVEN_UP: SignedDuration = SignedDuration::from_hours(24 * 3);

/// A canary is not sent any more when the next one is due; that is sooner.
const CANARY_GIVEN_UP: SignedDuration = SignedDuration::from_hours(24 * 8);

/// A target.
#[derive(Clone)]
pub struct Target {
    /// Its name: `mail`, `webhook:<id>`, `canary`, `telegram:<source>`, `files:<source>`.
    pub name: String,
    /// Delivers there.
    pub deliver: Arc<dyn Deliver>,
    /// One delivery of a lead after the other.
    pub ordered: bool,
    /// Deliveries under way at most.
    pub at_once: usize,
    /// One delivery takes so long at most.
    pub longest: std::time::Duration,
    /// What could not be delivered for so long is given up.
    pub give_up_after: SignedDuration,
}

impl Target {
    /// Jobs whose time is counted from before this are given up.
    pub fn dead_before(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.give_up_after).unwrap_or(Timestamp::MIN)
    }

    /// As the store knows it.
    pub fn for_store(&self, now: Timestamp) -> onward::Target {
        onward::Target { name: self.name.clone(), dead_before: self.dead_before(now) }
    }
}

/// Every target of the configuration in force. One that cannot be made is told of in the log, and what it is owed waits.
pub fn all(gateway: &Arc<Gateway>) -> Vec<Target> {
    let live = gateway.live();
    let mut targets = Vec::new();
    for hook in &live.onward.webhooks {
        let client = match gateway.outward.guarded() {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, target = hook.target(), "a webhook cannot be called");
                continue;
            }
        };
        targets.push(Target {
            name: hook.target(),
            deliver: Arc::new(Webhook::new(hook, client)),
            ordered: hook.ordered,
            at_once: hook.in_flight as usize,
            longest: hook.timeout + SLACK,
            give_up_after: SignedDuration::try_from(hook.give_up_after).unwrap_or(SignedDuration::MAX),
        });
    }
    if live.onward.canaries.values().any(|canary| canary.road == Road::Form) {
        match gateway.outward.guarded() {
            Ok(client) => targets.push(Target {
                name: CANARY.to_owned(),
                deliver: Arc::new(Forms::new(client, Arc::clone(gateway))),
                ordered: false,
                at_once: 4,
                longest: Forms::LONGEST + SLACK,
                give_up_after: CANARY_GIVEN_UP,
            }),
            Err(error) => tracing::error!(%error, "the gateway cannot send itself anything"),
        }
    }
    targets.extend(telegram::targets(gateway, &live));
    targets.extend(recordings::targets(gateway, &live));
    if let Some(settings) = &live.onward.mail {
        let settings = Arc::new(settings.clone());
        let (at_once, longest) = (settings.connections, settings.longest() + SLACK);
        let deliver = Mailing::new(Mailer::new(settings), people(&live), Arc::clone(&live.rules), Arc::clone(gateway));
        targets.push(Target {
            name: MAIL.to_owned(),
            deliver: Arc::new(deliver),
            ordered: false,
            at_once,
            longest,
            give_up_after: MAIL_GIVEN_UP,
        });
    }
    targets
}

/// Whom mails go to.
fn people(live: &Live) -> People {
    let managers = live.people.iter().map(|manager| {
        let language = manager.language.unwrap_or(live.language);
        let zone = manager.time_zone.clone().unwrap_or_else(|| live.time_zone.clone());
        let reader = Reader { language, zone, name: manager.name.clone() };
        (
            manager.id.0.clone(),
            Person { email: manager.email.clone(), reader, quiet: manager.quiet.clone(), noticed: manager.by.mail },
        )
    });
    People {
        company: live.company.clone(),
        language: live.language,
        zone: live.time_zone.clone(),
        operator: live.onward.operator.emails.clone(),
        managers: managers.collect(),
        auto_replies: live.onward.auto_replies.clone(),
        base_url: live.base_url.clone(),
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}
