//! Managers whose address takes no mail: an alarm stands for each, and the operator gets what they were to get, until a mail to them is
//! taken again, their address is another, or a person says so.

use leadgate_core::email;
use leadgate_core::onward::{Alarm, AlarmView, Detail, JobId, event};
use leadgate_core::ports::{Store, StoreError};
use leadgate_core::submission::{Reference, Signal, Submission};

use crate::app::Gateway;
use crate::config::{MAIL, Manager};

/// The key of a manager's alarm.
pub fn key(manager: &str) -> String {
    format!("{MAIL}:manager:{manager}")
}

/// The alarm that stands for a manager's address, if one does; not that of an address they had before.
pub async fn standing(store: &dyn Store, manager: &str, address: &str) -> Result<Option<AlarmView>, StoreError> {
    let key = key(manager);
    let stands = |alarm: &AlarmView| alarm.name == event::MANAGER_UNREACHABLE && alarm.key == key && is_of(alarm, address);
    Ok(store.alarms().await?.into_iter().find(stands))
}

/// What an alarm says begins with the address.
fn is_of(alarm: &AlarmView, address: &str) -> bool {
    alarm.detail.words.strip_prefix(address).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
}

/// An address takes no mail.
pub async fn unreachable(
    gateway: &Gateway,
    store: &dyn Store,
    (manager, address): (&str, &str),
    why: &str,
) -> Result<(), StoreError> {
    let (key, now) = (key(manager), gateway.clock.now());
    let words = if why.is_empty() { address.to_owned() } else { format!("{address}: {why}") };
    let detail = Detail { target: Some(key.clone()), since: Some(now), words, ..Detail::default() };
    let routes = &gateway.live().rules.routes;
    let news = gateway.news(event::MANAGER_UNREACHABLE, None, detail.clone(), now, routes);
    store.raise(Alarm { name: event::MANAGER_UNREACHABLE, key, since: now, detail }, news).await.map(|_| ())
}

/// A mail was taken: nothing is wrong any more.
pub async fn reachable(store: &dyn Store, manager: &str) -> Result<(), StoreError> {
    store.clear(event::MANAGER_UNREACHABLE, &key(manager), None).await.map(|_| ())
}

/// Takes back what stands for managers or addresses that are not in the configuration any more.
pub async fn forget(gateway: &Gateway, store: &dyn Store) -> Result<(), StoreError> {
    let live = gateway.live();
    for alarm in store.alarms().await?.iter().filter(|alarm| alarm.name == event::MANAGER_UNREACHABLE) {
        let manager = live.people.iter().find(|manager| key(&manager.id.0) == alarm.key);
        if !manager.and_then(|manager| manager.email.as_deref()).is_some_and(|address| is_of(alarm, address)) {
            store.clear(event::MANAGER_UNREACHABLE, &alarm.key, None).await?;
        }
    }
    Ok(())
}

/// Takes note of mails of ours to managers that came back. Only what names a mail that was sent is believed: anybody can write that
/// somebody does not exist.
pub async fn bounced(gateway: &Gateway, store: &dyn Store, items: &[Submission]) -> Result<(), StoreError> {
    let live = gateway.live();
    for item in items.iter().filter(|item| !item.historic && !item.draft.failures.is_empty() && !is_forged(item)) {
        for failure in item.draft.failures.iter().filter(|failure| failure.permanent) {
            let Some(manager) = whose(&live.people, &failure.address) else { continue };
            if !was_sent(store, item).await? {
                continue;
            }
            let address = manager.email.as_deref().unwrap_or_default();
            unreachable(gateway, store, (&manager.id.0, address), &failure.status).await?;
        }
    }
    Ok(())
}

fn is_forged(item: &Submission) -> bool {
    item.signals.iter().any(|signal| matches!(signal, Signal::Spoof { .. }))
}

fn whose<'m>(managers: &'m [Manager], address: &str) -> Option<&'m Manager> {
    let key = |text: &str| email::read(text).emails.into_iter().next().map(|email| email.key);
    let failed = key(address)?;
    managers.iter().find(|manager| manager.email.as_deref().and_then(key).as_ref() == Some(&failed))
}

/// Whether a bounce speaks of a mail that the gateway sent: its Message-ID begins with the id of what was owed.
async fn was_sent(store: &dyn Store, item: &Submission) -> Result<bool, StoreError> {
    let ids = item.draft.refers_to.iter().filter(|reference| reference.scope == Reference::MESSAGE_ID);
    for id in ids.filter_map(|reference| reference.value.split('@').next()?.parse::<JobId>().ok()) {
        if store.job(id).await?.is_some_and(|known| known.job.target == MAIL) {
            return Ok(true);
        }
    }
    Ok(false)
}
