//! Who it is, where the database has to know.

use leadgate_core::change::{ChangeError, Close, LeadChange, Stage};
use leadgate_core::receipt::{IdentityState, Outcome, Reason, Receipt};
use leadgate_core::rules::KnownContact;
use leadgate_core::views::{ContactFilter, IdentityView};

use crate::support::{Db, act, days, minutes, page, post, start};

const PHONE: &str = "+7 916 123-45-67";

async fn close(db: &Db, receipt: &Receipt, how: Close) {
    db.store.change_lead(receipt.lead.unwrap(), vec![LeadChange::Close(how)], None, act(start())).await.unwrap().unwrap();
}

fn state_of<'a>(identities: &'a [IdentityView], part: &str) -> Option<&'a IdentityState> {
    identities.iter().find(|identity| identity.value.contains(part)).map(|identity| &identity.state)
}

pub(crate) async fn a_known_contact_attaches_and_adds(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let second =
        db.expect(Outcome::Attached, post(minutes(1)).name("Анна").phone("+7(916)1234567").email("anna@firma-mail.ru")).await;
    assert_eq!((second.lead, second.contact), (first.lead, first.contact));
    let contact = db.contact_of(&first).await;
    assert_eq!((contact.contact.name.as_str(), contact.contact.last_active), ("Анна", start() + minutes(1)));
    assert_eq!(state_of(&contact.identities, "anna@"), Some(&IdentityState::Claimed));
    assert_eq!(state_of(&contact.identities, "+7916"), Some(&IdentityState::Active));
    let third = db.expect(Outcome::Attached, post(minutes(2)).name("Анна Петрова").phone(PHONE)).await;
    assert_eq!(third.contact, first.contact);
    let contact = db.contact_of(&first).await;
    assert_eq!(
        (contact.contact.name.as_str(), contact.contact.other_names.as_slice()),
        ("Анна", &["Анна Петрова".to_owned()][..])
    );
    for (prefix, found) in [("petr", 1), ("ann", 1), ("zzz", 0)] {
        let named = ContactFilter { name: Some(leadgate_core::name::fold(prefix)), ..ContactFilter::default() };
        assert_eq!(db.store.contacts(named, page(5)).await.unwrap().items.len(), found, "{prefix}");
    }
}

pub(crate) async fn after_junk_comes_a_new_lead(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    close(&db, &first, Close::Junk).await;
    let second = db.expect(Outcome::Created, post(days(1)).phone(PHONE)).await;
    assert_ne!(second.lead, first.lead);
    assert_eq!(second.contact, first.contact);
    assert!(db.lead_of(&second).await.lead.return_customer);
    assert_eq!(db.contact_of(&first).await.lead_ids, [second.lead.unwrap(), first.lead.unwrap()]);
}

pub(crate) async fn a_known_contact_without_a_lead_waits(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let contact = first.contact.unwrap();
    let refused = db.store.take_contact(contact, "anna".to_owned(), act(start())).await.unwrap();
    assert!(matches!(refused, Err(ChangeError::NotPossible(_))));
    close(&db, &first, Close::Converted).await;
    let back = db.expect(Outcome::Returned, post(days(1)).phone(PHONE)).await;
    assert_eq!((back.lead, back.contact), (None, first.contact));
    db.expect(Outcome::Returned, post(days(2)).phone(PHONE)).await;
    let waiting = || ContactFilter { waiting: true, ..ContactFilter::default() };
    let listed = db.store.contacts(waiting(), page(5)).await.unwrap();
    assert_eq!(listed.items[0].waiting_since, Some(start() + days(1)), "it waits since it first came back");
    assert_eq!(db.store.totals().await.unwrap().waiting_contacts, 1);
    let taken = db.store.take_contact(contact, "anna".to_owned(), act(start() + days(2))).await.unwrap().unwrap();
    assert_eq!((taken.contact.responsible.as_deref(), taken.contact.waiting_since), (Some("anna"), None));
    assert_eq!(taken.timeline.len(), 2);
    assert!(db.store.contacts(waiting(), page(5)).await.unwrap().items.is_empty());
    let missing = db.store.take_contact(leadgate_core::ids::ContactId(99), "anna".to_owned(), act(start())).await.unwrap();
    assert!(matches!(missing, Err(ChangeError::Missing(_))));
}

pub(crate) async fn repeat_lead_and_reopen_follow_the_source(db: Db) {
    let db = db.with_source("again", |rules| rules.known_contact = KnownContact::RepeatLead);
    let db = db.with_source("reopen", |rules| rules.known_contact = KnownContact::Reopen);
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    db.store
        .change_lead(
            first.lead.unwrap(),
            vec![LeadChange::Take(leadgate_core::ids::ManagerId("anna".into()))],
            None,
            act(start()),
        )
        .await
        .unwrap()
        .unwrap();
    close(&db, &first, Close::Converted).await;
    let reopened = db.expect(Outcome::Attached, post(days(1)).source("reopen").phone(PHONE)).await;
    assert_eq!(reopened.lead, first.lead);
    let lead = db.lead_of(&reopened).await;
    assert_eq!((lead.lead.stage, lead.lead.closed_at), (Stage::InProcess, None));
    assert_eq!(lead.history.last().map(|entry| (entry.actor.as_str(), entry.field.as_str())), Some(("intake", "reopened")));
    close(&db, &first, Close::Converted).await;
    let again = db.expect(Outcome::Created, post(days(2)).source("again").phone(PHONE)).await;
    let lead = db.lead_of(&again).await;
    assert!(lead.lead.return_customer);
    assert_eq!(lead.lead.responsible.as_deref(), Some("anna"), "the manager of the person's last lead");
}

pub(crate) async fn own_leads_belong_to_one_contact(db: Db) {
    let order = |n| post(minutes(n)).phone(PHONE).edit(|s| s.draft.own_lead = true);
    let receipts = db.record(vec![order(0), order(1), order(2)]).await;
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Created && receipt.contact == receipts[0].contact));
    assert_eq!(db.contact_of(&receipts[0]).await.lead_ids.len(), 3);
    db.expect(Outcome::Attached, post(minutes(3)).phone(PHONE)).await;
}

pub(crate) async fn a_family_phone_is_shared(db: Db) {
    let anna = db.expect(Outcome::Created, post(minutes(0)).name("Анна").phone(PHONE)).await;
    let boris = db.expect(Outcome::Created, post(minutes(1)).name("Борис").phone(PHONE)).await;
    assert_ne!(anna.contact, boris.contact);
    for receipt in [&anna, &boris] {
        let contact = db.contact_of(receipt).await;
        assert_eq!(state_of(&contact.identities, "+7916"), Some(&IdentityState::Shared));
        assert_eq!(contact.reviews.len(), 1);
    }
    let reviews = db.store.reviews(page(5)).await.unwrap();
    assert_eq!(
        reviews.items.iter().map(|review| (review.a, review.b)).collect::<Vec<_>>(),
        [(anna.contact.unwrap(), boris.contact.unwrap())]
    );
    // By name they are told apart; without one the newest enquiry takes it.
    assert_eq!(db.expect(Outcome::Attached, post(minutes(2)).name("Анна").phone(PHONE)).await.contact, anna.contact);
    let nameless = db.expect(Outcome::Attached, post(minutes(3)).phone(PHONE)).await;
    assert_eq!(nameless.contact, boris.contact);
    assert!(db.lead_of(&nameless).await.timeline.iter().any(|activity| activity.ambiguous));
    assert_eq!(db.store.totals().await.unwrap().reviews, 1);
}

pub(crate) async fn claims_are_limited_a_day(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    for n in 0..14 {
        db.expect(Outcome::Attached, post(minutes(n + 1)).phone(PHONE).email(&format!("u{n}@firma-mail.ru"))).await;
    }
    assert_eq!(db.contact_of(&first).await.identities.len(), 11);
    db.expect(Outcome::Attached, post(days(1)).phone(PHONE).email("next@firma-mail.ru")).await;
    assert_eq!(db.contact_of(&first).await.identities.len(), 12, "another day, another ten");
}

pub(crate) async fn a_claim_owns_nothing_until_it_is_proven(db: Db) {
    // A stranger writes his own e-mail beside a victim's phone.
    let victim = db.expect(Outcome::Created, post(minutes(0)).name("Анна").phone(PHONE)).await;
    db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE).email("stranger@firma-mail.ru")).await;
    let later = db.expect(Outcome::Created, post(minutes(2)).email("stranger@firma-mail.ru")).await;
    assert_ne!(later.contact, victim.contact, "the stranger's mail is not the victim's");
    assert!(later.reasons.iter().any(|reason| matches!(reason, Reason::OnlyClaimed { .. })));
    // A claim that its own channel proves is the contact's.
    let oleg = db.expect(Outcome::Created, post(minutes(3)).phone("+7 916 555-00-11")).await;
    db.expect(Outcome::Attached, post(minutes(4)).phone("+7 916 555-00-11").email("oleg@firma-mail.ru")).await;
    let mail = db.expect(Outcome::Attached, post(minutes(5)).source("mail").email("oleg@firma-mail.ru").proven()).await;
    assert_eq!(mail.contact, oleg.contact);
    assert_eq!(state_of(&db.contact_of(&oleg).await.identities, "oleg@"), Some(&IdentityState::Active));
}

pub(crate) async fn a_crowded_value_costs_little(db: Db) {
    for n in 0..40 {
        let phone = format!("+7 916 700-00-{n:02}");
        db.record(vec![post(minutes(n)).phone(&phone), post(minutes(n)).phone(&phone).email("crowd@firma-mail.ru")]).await;
    }
    let claims = db.rows("identity").await.iter().filter(|row| row.contains("crowd@")).count();
    assert_eq!(claims, 40);
    let held = db.expect(Outcome::Created, post(days(1)).email("crowd@firma-mail.ru")).await;
    assert!(held.reasons.iter().any(|reason| matches!(reason, Reason::OnlyClaimed { .. })));
    let by_value = ContactFilter { identity: Some("crowd@firma-mail.ru".to_owned()), ..ContactFilter::default() };
    assert_eq!(db.store.contacts(by_value, page(100)).await.unwrap().items.len(), 41);
}
