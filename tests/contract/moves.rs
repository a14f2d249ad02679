//! Detaching and putting back.

use leadgate_core::change::{ChangeError, LeadChange};
use leadgate_core::ids::{ActivityId, MoveId};
use leadgate_core::receipt::{IdentityState, Outcome};

use crate::support::{Db, Dump, act, days, minutes, post, start};

const PHONE: &str = "+7 916 123-45-67";

/// What an undone move leaves as it was.
fn rows_of(dump: &Dump) -> Vec<(&String, &Vec<String>)> {
    dump.iter().filter(|(table, _)| !["activity_move", "event", "sequence"].contains(&table.as_str())).collect()
}

pub(crate) async fn detached_and_put_back_byte_for_byte(db: Db) {
    db.expect(Outcome::Created, post(minutes(0)).name("Анна").phone(PHONE)).await;
    let second = db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE).email("b@firma-mail.ru").utm("ya")).await;
    let before = db.dump().await;
    let moved = db.store.detach(second.activity.unwrap(), act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!((moved.from_lead, moved.from_contact), (second.lead, second.contact));
    assert_ne!(rows_of(&db.dump().await), rows_of(&before));
    let undone = db.store.undo_move(moved.id, act(start() + days(2))).await.unwrap().unwrap();
    assert_eq!(undone.undone_at, Some(start() + days(2)));
    assert_eq!(rows_of(&db.dump().await), rows_of(&before));
    let again = db.store.undo_move(moved.id, act(start() + days(2))).await.unwrap();
    assert!(matches!(again, Err(ChangeError::NotPossible(why)) if why.contains("already")));
    // Numbers are not used twice.
    let next = db.store.detach(second.activity.unwrap(), act(start() + days(3))).await.unwrap().unwrap();
    assert!(next.to_lead > moved.to_lead && next.to_contact > moved.to_contact && next.id > moved.id);
}

pub(crate) async fn detaching_takes_the_values_along(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let second =
        db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE).name("Борис").email("b@firma-mail.ru").utm("ya")).await;
    let moved = db.store.detach(second.activity.unwrap(), act(start() + days(1))).await.unwrap().unwrap();
    let contact = db.store.contact(moved.to_contact.unwrap()).await.unwrap().unwrap();
    assert_eq!(contact.contact.name, "Борис");
    assert_eq!(
        contact.identities.iter().map(|i| (i.value.as_str(), i.state)).collect::<Vec<_>>(),
        [("b@firma-mail.ru", IdentityState::Active)]
    );
    let lead = db.store.lead(moved.to_lead.unwrap()).await.unwrap().unwrap();
    assert_eq!((lead.lead.activities, lead.lead.utm_source.as_deref()), (1, Some("ya")));
    assert_eq!(db.lead_of(&first).await.lead.activities, 1);
    // From now on the value means the new contact, and its lead takes what comes.
    let third = db.expect(Outcome::Attached, post(days(2)).email("b@firma-mail.ru")).await;
    assert_eq!((third.lead, third.contact), (moved.to_lead, moved.to_contact));
    let refused = db.store.undo_move(moved.id, act(start() + days(3))).await.unwrap();
    assert!(matches!(refused, Err(ChangeError::NotPossible(why)) if why.contains("something else")));
}

pub(crate) async fn what_cannot_be_moved(db: Db) {
    let missing = db.store.detach(ActivityId(5), act(start())).await.unwrap();
    assert_eq!(missing, Err(ChangeError::Missing("activity")));
    assert_eq!(db.store.undo_move(MoveId(5), act(start())).await.unwrap(), Err(ChangeError::Missing("move")));
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let lead = first.lead.unwrap();
    db.store.change_lead(lead, vec![LeadChange::Note("called".to_owned())], None, act(start())).await.unwrap().unwrap();
    let only = db.store.detach(first.activity.unwrap(), act(start())).await.unwrap();
    assert!(matches!(only, Err(ChangeError::NotPossible(why)) if why.contains("only one")));
    let note = db.lead_of(&first).await.timeline.into_iter().find(|activity| activity.author.is_some()).unwrap();
    assert_eq!(db.store.activity_source(note.id).await.unwrap(), Some(None));
    let refused = db.store.detach(note.id, act(start())).await.unwrap();
    assert!(matches!(refused, Err(ChangeError::NotPossible(why)) if why.contains("note")));
    assert_eq!(db.store.activity_source(first.activity.unwrap()).await.unwrap().unwrap().unwrap().as_str(), "site");
    assert_eq!(db.store.activity_source(ActivityId(99)).await.unwrap(), None);
}
