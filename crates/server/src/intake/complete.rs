//! What a delivery says that only the database can complete, before it is planned: which campaign's link somebody came by, and
//! whether one of us wrote it.

use std::collections::{BTreeMap, BTreeSet};

use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Account, Campaign, Store, StoreError};
use leadgate_core::submission::{Draft, Field, Handle, Submission};

/// Whose accounts managers link.
const TELEGRAM: &str = "telegram";
/// The field of a link's words that no campaign has.
const START: &str = "start";

/// Whether there is anything to ask.
pub(super) fn is_needed(items: &[Submission]) -> bool {
    items.iter().any(|item| item.draft.campaign.is_some() || account(&item.draft).is_some())
}

/// Completes deliveries: one question for each source with campaigns, and one for all accounts.
pub(crate) async fn complete(items: &mut [Submission], store: &dyn Store) -> Result<(), StoreError> {
    campaigns(items, store).await?;
    accounts(items, store).await
}

async fn campaigns(items: &mut [Submission], store: &dyn Store) -> Result<(), StoreError> {
    let mut asked: BTreeMap<SourceId, BTreeSet<String>> = BTreeMap::new();
    for item in items.iter() {
        if let Some(campaign) = &item.draft.campaign {
            asked.entry(item.source.clone()).or_default().insert(campaign.clone());
        }
    }
    for (source, ids) in asked {
        let known = store.campaigns_of(&source, ids.into_iter().collect()).await?;
        for item in items.iter_mut().filter(|item| item.source == source) {
            came_by(&mut item.draft, &known);
        }
    }
    Ok(())
}

/// What the customer's own words tell comes first; what no campaign has is kept as it was said.
fn came_by(draft: &mut Draft, known: &[Campaign]) {
    let Some(id) = draft.campaign.take() else { return };
    match known.iter().find(|campaign| campaign.id == id) {
        Some(campaign) => draft.touch.fill_from(&campaign.touch),
        None => draft.fields.push(Field { name: START.to_owned(), value: id }),
    }
}

async fn accounts(items: &mut [Submission], store: &dyn Store) -> Result<(), StoreError> {
    let asked: BTreeSet<(String, String)> =
        items.iter().filter_map(|item| account(&item.draft)).map(|handle| (handle.kind.clone(), handle.value.clone())).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let known = store.accounts_of(asked.into_iter().collect()).await?;
    for item in items {
        let is_of = |account: &&Account, handle: &Handle| account.kind == handle.kind && account.value == handle.value;
        let whose = account(&item.draft).and_then(|handle| known.iter().find(|account| is_of(account, handle)));
        item.draft.by_staff = whose.map(|account| account.manager.clone());
    }
    Ok(())
}

/// The account that wrote it, where the messenger vouches for that. What we wrote has the customer's.
fn account(draft: &Draft) -> Option<&Handle> {
    draft.handles.iter().find(|handle| handle.proven && handle.kind == TELEGRAM && !draft.outgoing)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use leadgate_core::attribution::{Origin, Touch};

    use super::*;

    fn campaign(id: &str) -> Campaign {
        let mut touch = Touch::default();
        touch.offer("utm_source", "vk", Origin::Field);
        touch.offer("utm_campaign", "autumn", Origin::Field);
        let (source, note, created_by) = (None, String::new(), "cli".to_owned());
        Campaign { id: id.to_owned(), source, touch, note, created_at: Timestamp::UNIX_EPOCH, created_by }
    }

    #[test]
    fn a_campaign_fills_what_nobody_said() {
        let mut draft = Draft { campaign: Some("a1".to_owned()), ..Draft::default() };
        draft.touch.offer("utm_source", "typed", Origin::Field);
        came_by(&mut draft, &[campaign("b2"), campaign("a1")]);
        assert_eq!((draft.touch.get("utm_source"), draft.touch.get("utm_campaign")), (Some("typed"), Some("autumn")));
        assert_eq!((draft.campaign, draft.fields.len()), (None, 0));
    }

    #[test]
    fn what_no_campaign_has_is_kept_as_it_was_said() {
        let said = "x".repeat(64);
        let mut draft = Draft { campaign: Some(said.clone()), ..Draft::default() };
        came_by(&mut draft, &[campaign("a1")]);
        assert_eq!(draft.fields, [Field { name: "start".to_owned(), value: said }]);
        assert!(draft.touch.is_empty());
    }

    #[test]
    fn only_an_account_the_messenger_vouches_for_is_asked_about() {
        let with = |kind: &str, proven, outgoing| {
            let handle = Handle { kind: kind.to_owned(), value: "7".to_owned(), display: String::new(), proven };
            Draft { handles: vec![handle], outgoing, ..Draft::default() }
        };
        assert!(account(&with("telegram", true, false)).is_some());
        for draft in [with("telegram", false, false), with("ym_client_id", true, false), with("telegram", true, true)] {
            assert!(account(&draft).is_none());
        }
    }
}
