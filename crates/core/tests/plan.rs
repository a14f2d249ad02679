//! What becomes of a submission: the rules of the domain, one test a rule, and properties over random histories.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod calls;
mod mails;
mod memory;
mod talks;

use std::sync::Arc;

use jiff::SignedDuration;
use leadgate_core::change::Stage;
use leadgate_core::ids::{ContactId, LeadId};
use leadgate_core::prepare::{IdentityKind, Prepared};
use leadgate_core::receipt::{IdentityState, Outcome, Reason, Receipt};
use leadgate_core::rules::{KnownContact, LeadPer, Ours, Rules, SourceRules};
use leadgate_core::submission::{Hold, Purpose, Reference, Signal};
use memory::{Delivery, Memory, rules, start};
use proptest::prelude::*;

const PHONE: &str = "+7 916 123-45-67";
const KEY: &str = "+79161234567";

struct Story {
    db: Memory,
    rules: Rules,
}

impl Story {
    fn new() -> Self {
        Self { db: Memory::default(), rules: rules() }
    }

    fn with(source: SourceRules) -> Self {
        let country = leadgate_core::phone::Country::parse("RU");
        let rules = Rules { fallback: Arc::new(SourceRules { country, ..source }), ..rules() };
        Self { db: Memory::default(), rules }
    }

    fn send(&mut self, delivery: Delivery) -> Receipt {
        let item = delivery.ready(&self.rules);
        self.db.record(&[item], &self.rules).remove(0)
    }
}

fn ids(receipt: &Receipt) -> (Outcome, Option<i64>, Option<i64>) {
    (receipt.outcome, receipt.lead.map(|id| id.0), receipt.contact.map(|id| id.0))
}

#[test]
fn a_first_delivery_makes_contact_and_lead_and_a_second_joins() {
    let mut story = Story::new();
    let first = story.send(Delivery::new(1).name("Анна Петрова").phone(PHONE).email("anna@mail.ru"));
    assert_eq!(ids(&first), (Outcome::Created, Some(1), Some(1)));
    let second = story.send(Delivery::new(2).name("Анна").phone("8 (916) 123 45 67"));
    assert_eq!(ids(&second), (Outcome::Attached, Some(1), Some(1)));
    assert!(second.reasons.iter().any(|r| matches!(r, Reason::NamesAgree { .. })), "{:?}", second.reasons);
    assert_eq!(story.db.activities.len(), 2);
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), Some(IdentityState::Active));
}

#[test]
fn the_same_delivery_and_the_same_key_are_repeats() {
    let mut story = Story::new();
    let delivery = Delivery::new(1).phone(PHONE).key("k1");
    story.send(delivery.clone());
    assert_eq!(story.send(delivery.clone()).outcome, Outcome::Repeat);
    let again = story.send(Delivery::new(2).phone(PHONE).key("k1").with(|s| s.content = delivery.submission.content));
    assert_eq!(ids(&again), (Outcome::Repeat, Some(1), Some(1)));
    assert_eq!(story.db.activities.len(), 1);
}

#[test]
fn a_known_key_with_other_content_is_a_further_activity_there() {
    let mut story = Story::new();
    story.send(Delivery::new(1).phone("916123").key("k1"));
    assert_eq!(story.db.leads[&LeadId(1)].contact, None, "an invalid phone makes a lead without a contact");
    let corrected = story.send(Delivery::new(2).phone(PHONE).key("k1"));
    assert_eq!(ids(&corrected), (Outcome::Attached, Some(1), Some(1)), "{:?}", corrected.reasons);
    assert_eq!(story.db.leads[&LeadId(1)].contact, Some(ContactId(1)), "the correction gives the lead its contact");
    assert!(corrected.reasons.iter().any(|r| matches!(r, Reason::KeyOtherContent { .. })));
}

#[test]
fn a_late_retry_of_an_earlier_version_undoes_nothing() {
    let mut story = Story::new();
    let order = |n: u32, content: u32| {
        Delivery::new(n).phone(PHONE).key("o1").with(|s| {
            s.content = Delivery::new(content).submission.content;
            s.draft.external_key = Some("o1".into());
        })
    };
    assert_eq!(story.send(order(1, 100)).outcome, Outcome::Created);
    assert_eq!(story.send(order(2, 200)).outcome, Outcome::Amended, "paid");
    assert_eq!(story.send(order(3, 100)).outcome, Outcome::Repeat, "the unpaid one again");
}

#[test]
fn equal_content_is_a_repeat_only_within_the_window() {
    let mut story = Story::new();
    let delivery = Delivery::new(1).phone(PHONE);
    story.send(delivery.clone());
    let content = delivery.submission.content;
    let soon = Delivery::new(2).phone(PHONE).with(|s| s.content = content);
    assert_eq!(story.send(soon).outcome, Outcome::Repeat);
    let late = start() + SignedDuration::from_mins(6);
    let later = Delivery::new(3).phone(PHONE).at(late).with(|s| s.content = content);
    assert_eq!(story.send(later).outcome, Outcome::Attached);
}

#[test]
fn after_junk_comes_a_new_lead_and_after_converted_the_contact_returns() {
    let mut story = Story::new();
    story.send(Delivery::new(1).phone(PHONE));
    story.db.close(LeadId(1), Stage::Junk, start());
    let second = story.send(Delivery::new(2).phone(PHONE));
    assert_eq!(ids(&second), (Outcome::Created, Some(2), Some(1)));
    story.db.close(LeadId(2), Stage::Converted, start());
    let third = story.send(Delivery::new(3).phone(PHONE));
    assert_eq!(ids(&third), (Outcome::Returned, None, Some(1)));
    assert!(story.db.contacts[&ContactId(1)].waits);
}

#[test]
fn known_contact_may_make_a_repeat_lead_or_reopen() {
    let mut story = Story::with(SourceRules { known_contact: KnownContact::RepeatLead, ..Default::default() });
    story.send(Delivery::new(1).phone(PHONE));
    story.db.close(LeadId(1), Stage::Converted, start());
    let repeat = story.send(Delivery::new(2).phone(PHONE));
    assert_eq!(ids(&repeat), (Outcome::Created, Some(2), Some(1)));
    assert!(story.db.leads[&LeadId(2)].return_customer);

    let mut story = Story::with(SourceRules { known_contact: KnownContact::Reopen, ..Default::default() });
    story.send(Delivery::new(1).phone(PHONE));
    story.db.close(LeadId(1), Stage::Converted, start());
    let reopened = story.send(Delivery::new(2).phone(PHONE));
    assert_eq!(ids(&reopened), (Outcome::Attached, Some(1), Some(1)));
    assert!(story.db.leads[&LeadId(1)].takes);
    story.db.close(LeadId(1), Stage::Converted, start());
    let late = start() + SignedDuration::from_hours(24 * 40);
    assert_eq!(story.send(Delivery::new(3).phone(PHONE).at(late)).outcome, Outcome::Returned);
}

#[test]
fn an_untouched_lead_no_longer_takes_activities() {
    let mut story = Story::with(SourceRules { known_contact: KnownContact::RepeatLead, ..Default::default() });
    story.send(Delivery::new(1).phone(PHONE));
    let late = start() + SignedDuration::from_hours(24 * 91);
    let receipt = story.send(Delivery::new(2).phone(PHONE).at(late));
    assert_eq!(ids(&receipt), (Outcome::Created, Some(2), Some(1)));
    assert!(!story.db.leads[&LeadId(1)].takes && story.db.leads[&LeadId(2)].takes);
}

#[test]
fn each_order_is_its_own_lead_and_a_later_post_amends_it() {
    let mut story = Story::new();
    story.send(Delivery::new(1).phone(PHONE));
    let order = |n: u32, key: &str| {
        let key = key.to_owned();
        Delivery::new(n).phone(PHONE).with(|s| {
            s.draft.own_lead = true;
            s.draft.external_key = Some(key);
        })
    };
    assert_eq!(ids(&story.send(order(2, "o1"))), (Outcome::Created, Some(2), Some(1)));
    assert_eq!(ids(&story.send(order(3, "o2"))), (Outcome::Created, Some(3), Some(1)));
    assert_eq!(ids(&story.send(order(4, "o1"))), (Outcome::Amended, Some(2), Some(1)));
    assert_eq!(story.db.activities.len(), 3);
}

#[test]
fn a_family_phone_with_two_names_is_two_people() {
    let mut story = Story::new();
    story.send(Delivery::new(1).name("Анна Петрова").phone(PHONE));
    let other = story.send(Delivery::new(2).name("Борис Сидоров").phone(PHONE));
    assert_eq!(ids(&other), (Outcome::Created, Some(2), Some(2)));
    for contact in [1, 2] {
        assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, contact), Some(IdentityState::Shared));
    }
    assert_eq!(story.db.reviews.len(), 1);
    // A name tells them apart from now on; without one the newest open enquiry takes it, marked.
    assert_eq!(ids(&story.send(Delivery::new(3).name("Аня").phone(PHONE))).2, Some(1));
    let nameless = story.send(Delivery::new(4).phone(PHONE));
    assert_eq!(nameless.contact, Some(ContactId(2)), "lead 2 was made last");
    assert!(nameless.reasons.iter().any(|r| matches!(r, Reason::Ambiguous { holders: 2, .. })));
}

#[test]
fn a_flood_of_names_cannot_make_a_number_generic_but_five_days_can() {
    let names = ["Анна Петрова", "Борис Сидоров", "Виктор Зайцев", "Галина Чернова", "Дмитрий Щукин", "Ефим Гольдберг"];
    let mut story = Story::new();
    for (n, name) in (1..).zip(names) {
        story.send(Delivery::new(n).name(name).phone(PHONE).sent_by("203.0.113.7"));
    }
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), Some(IdentityState::Shared), "one day, one address: a flood");
    let mut story = Story::new();
    for (n, name) in (1..).zip(names) {
        let day = start() + SignedDuration::from_hours(24 * i64::from(n));
        story.send(Delivery::new(n).name(name).phone(PHONE).at(day).sent_by(&format!("203.0.113.{n}")));
    }
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), Some(IdentityState::Generic));
    let late = start() + SignedDuration::from_hours(24 * 8);
    let next = story.send(Delivery::new(9).name("Анна Петрова").phone(PHONE).at(late));
    assert_eq!(next.outcome, Outcome::Created, "a generic number means nobody");
}

#[test]
fn a_value_beside_a_matched_one_is_only_claimed() {
    let mut story = Story::new();
    story.send(Delivery::new(1).name("Виктория").phone(PHONE).email("victim@mail.ru"));
    // A stranger posts the victim's phone with his own address.
    story.send(Delivery::new(2).phone(PHONE).email("stranger@mail.ru"));
    assert_eq!(story.db.state(&IdentityKind::EMAIL, "stranger@mail.ru", 1), Some(IdentityState::Claimed));
    assert_eq!(ids(&story.send(Delivery::new(3).mail_from("victim@mail.ru"))).2, Some(1));
    assert_eq!(ids(&story.send(Delivery::new(4).email("stranger@mail.ru"))).2, Some(2), "a claim attaches nothing");

    // The stranger was there first, and posts the victim's phone: later the victim comes.
    let mut story = Story::new();
    story.send(Delivery::new(1).email("stranger@mail.ru"));
    story.send(Delivery::new(2).email("stranger@mail.ru").phone(PHONE));
    let victim = story.send(Delivery::new(3).phone(PHONE).email("victim@mail.ru"));
    assert_eq!(victim.contact, Some(ContactId(2)));
    assert_eq!(ids(&story.send(Delivery::new(4).mail_from("victim@mail.ru"))).2, Some(2));
}

#[test]
fn a_claim_becomes_active_on_its_own_channel() {
    let mut story = Story::new();
    story.send(Delivery::new(1).phone(PHONE));
    story.send(Delivery::new(2).phone(PHONE).email("anna@mail.ru"));
    let mail = story.send(Delivery::new(3).mail_from("anna@mail.ru"));
    assert_eq!(mail.contact, Some(ContactId(1)));
    assert_eq!(story.db.state(&IdentityKind::EMAIL, "anna@mail.ru", 1), Some(IdentityState::Active));
}

#[test]
fn a_contact_claims_at_most_ten_values_a_day() {
    let mut story = Story::new();
    story.send(Delivery::new(1).phone(PHONE));
    for n in 2..20 {
        story.send(Delivery::new(n).phone(PHONE).email(&format!("person{n}@mail.ru")));
    }
    let claimed = story.db.identities.values().filter(|row| row.0 == IdentityState::Claimed).count();
    assert_eq!(claimed, 10);
}

#[test]
fn weak_identities_attach_only_beside_an_open_lead() {
    let mut story = Story::new();
    story.send(Delivery::new(1).email("info@romashka.ru"));
    assert_eq!(ids(&story.send(Delivery::new(2).email("info@romashka.ru"))), (Outcome::Attached, Some(1), Some(1)));
    story.db.close(LeadId(1), Stage::Converted, start());
    let after = story.send(Delivery::new(3).email("info@romashka.ru"));
    assert_eq!(ids(&after), (Outcome::Created, Some(2), Some(2)));
    assert_eq!(story.db.reviews.len(), 1);
}

#[test]
fn several_matches_take_the_strongest_and_go_to_review() {
    let mut story = Story::new();
    story.send(Delivery::new(1).phone(PHONE));
    story.send(Delivery::new(2).email("anna@mail.ru"));
    let both = story.send(Delivery::new(3).phone(PHONE).email("anna@mail.ru"));
    assert_eq!(both.contact, Some(ContactId(2)), "the more recently active");
    assert_eq!(story.db.reviews.len(), 1);
    assert_eq!(story.db.contacts.len(), 2, "nothing is merged by the machine");
}

#[test]
fn signals_flag_and_make_spam_which_owns_no_key() {
    let mut story = Story::new();
    let honeypot = Signal::Honeypot { field: "_gotcha".into() };
    let one = story.send(Delivery::new(1).phone(PHONE).with(|s| s.signals = vec![Signal::Rate]));
    assert_eq!(one.outcome, Outcome::Created);
    assert!(story.db.leads[&LeadId(1)].suspect);
    let spam = story.send(Delivery::new(2).phone(PHONE).key("k").with(|s| s.signals = vec![Signal::Rate, honeypot]));
    assert_eq!(ids(&spam), (Outcome::Spam, None, None));
    // What could not be checked is no evidence.
    let unverified =
        vec![Signal::Rate, Signal::Unverified { detail: "no answer".into() }, Signal::Unverified { detail: "none".into() }];
    let flagged = story.send(Delivery::new(4).phone("+79169990001").with(|s| s.signals = unverified));
    assert_eq!(flagged.outcome, Outcome::Created);
    assert!(flagged.lead.is_some_and(|lead| story.db.leads[&lead].suspect));
    let good = story.send(Delivery::new(3).phone(PHONE).key("k").with(|s| s.content = Delivery::new(2).submission.content));
    assert_eq!(good.outcome, Outcome::Attached, "spam must not swallow a correct retry");
}

#[test]
fn what_is_held_waits_and_owns_no_key() {
    let mut story = Story::new();
    let hold = Hold { code: "origin".into(), words: "foreign origin".into(), authenticated: true };
    let held = story.send(Delivery::new(1).phone(PHONE).key("k").with(|s| s.hold = Some(hold)));
    assert_eq!(ids(&held), (Outcome::Quarantined, None, None));
    assert!(story.db.leads.is_empty());
    assert_eq!(story.send(Delivery::new(2).phone(PHONE).key("k")).outcome, Outcome::Created);
}

#[test]
fn tests_and_our_own_values_make_test_leads() {
    let mut story = Story::new();
    let ours = Ours { phones: [KEY.to_owned()].into(), domains: ["romashka.ru".to_owned()].into(), ..Default::default() };
    story.rules.ours = Arc::new(ours);
    let staff = story.send(Delivery::new(1).phone(PHONE).email("boss@romashka.ru"));
    assert_eq!(ids(&staff), (Outcome::Test, Some(1), None));
    let mixed = story.send(Delivery::new(2).phone(PHONE).email("anna@mail.ru"));
    assert_eq!(ids(&mixed), (Outcome::Created, Some(2), Some(1)));
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), None, "our phone is nobody's identity");
    let marked = story.send(Delivery::new(3).email("anna@mail.ru").with(|s| s.purpose = Purpose::Test));
    assert_eq!(marked.outcome, Outcome::Test);
    assert!(story.db.leads[&LeadId(3)].test);
}

#[test]
fn a_delivery_without_identity_is_a_lead_without_contact() {
    let mut story = Story::new();
    let receipt = story.send(Delivery::new(1).name("Анна").with(|s| s.draft.message = Some("Перезвоните".into())));
    assert_eq!(ids(&receipt), (Outcome::Created, Some(1), None));
}

#[test]
fn a_reference_comes_before_any_identity() {
    let mut story = Story::new();
    let message = |value: &str| Reference { scope: "message-id".into(), value: value.into() };
    story.send(Delivery::new(1).mail_from("anna@mail.ru").with(|s| s.draft.known_as = vec![message("<1@x>")]));
    let reply = Delivery::new(2).mail_from("colleague@corp.ru").with(|s| s.draft.refers_to = vec![message("<1@x>")]);
    assert_eq!(ids(&story.send(reply)), (Outcome::Attached, Some(1), Some(1)));
    story.db.close(LeadId(1), Stage::Converted, start());
    let late = Delivery::new(3).mail_from("anna@mail.ru").with(|s| s.draft.refers_to = vec![message("<1@x>")]);
    assert_eq!(story.send(late).outcome, Outcome::Returned, "the enquiry it answers is closed");
}

#[test]
fn lead_per_delivery_makes_each_its_own() {
    let mut story = Story::with(SourceRules { lead_per: LeadPer::Delivery, ..Default::default() });
    for n in 1..4 {
        assert_eq!(ids(&story.send(Delivery::new(n).phone(PHONE))), (Outcome::Created, Some(i64::from(n)), Some(1)));
    }
}

// ------------------------------------------------------------------------------------------------------------ properties

const NAMES: [&str; 6] = ["", "Анна Петрова", "Аня", "Борис Сидоров", "Anna", "Виктор"];
const PHONES: [&str; 5] = ["", PHONE, "89161234567", "+7 495 123-45-60", "мой телефон"];
const EMAILS: [&str; 5] = ["", "anna@mail.ru", "info@romashka.ru", "b.sidorov@gmail.com", "not an address"];

#[derive(Clone, Debug)]
struct Shape {
    name: usize,
    phone: usize,
    email: usize,
    key: usize,
    content: u32,
    proven: bool,
    order: usize,
    signals: usize,
    hold: bool,
    gap: i64,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        0..NAMES.len(),
        0..PHONES.len(),
        0..EMAILS.len(),
        0..4_usize,
        0..4_u32,
        any::<bool>(),
        0..3_usize,
        0..6_usize,
        0..12_u8,
        0..200_000_i64,
    )
        .prop_map(|(name, phone, email, key, content, proven, order, signals, hold, gap)| Shape {
            name,
            phone,
            email,
            key,
            content,
            proven,
            order,
            signals: signals.saturating_sub(3),
            hold: hold == 0,
            gap,
        })
}

fn build(shapes: &[Shape], rules: &Rules) -> Vec<Arc<Prepared>> {
    let mut at = start();
    (1..)
        .zip(shapes)
        .map(|(n, shape)| {
            at += SignedDuration::from_secs(shape.gap);
            let mut delivery = Delivery::new(n).at(at).name(NAMES[shape.name]).phone(PHONES[shape.phone]);
            delivery = if shape.proven { delivery.mail_from(EMAILS[shape.email]) } else { delivery.email(EMAILS[shape.email]) };
            if shape.key > 0 {
                delivery = delivery.key(&format!("k{}", shape.key));
            }
            delivery
                .with(|s| {
                    s.content = leadgate_core::submission::ContentHash::of([("c", shape.content.to_string().as_str())]);
                    s.signals = vec![Signal::Rate; shape.signals];
                    s.hold = shape.hold.then(|| Hold { code: "x".into(), words: "x".into(), authenticated: true });
                    if shape.order > 0 {
                        s.draft.own_lead = true;
                        s.draft.external_key = Some(format!("o{}", shape.order));
                    }
                })
                .ready(rules)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// One receipt an item, no two open leads of a contact, no two holders (`Memory::check`), and the rows do not depend on
    /// where a batch was split. Sending everything again changes nothing.
    #[test]
    fn any_history_keeps_the_invariants(shapes in prop::collection::vec(shape(), 1..14), cuts in prop::collection::vec(any::<bool>(), 14)) {
        let rules = rules();
        let items = build(&shapes, &rules);
        let mut whole = Memory::default();
        let receipts = whole.record(&items, &rules);
        prop_assert_eq!(receipts.len(), items.len());
        for (receipt, item) in receipts.iter().zip(&items) {
            prop_assert_eq!(receipt.submission, item.submission.id);
        }
        let mut pieces = Memory::default();
        let mut from = 0;
        for end in 1..=items.len() {
            if end == items.len() || cuts[end - 1] {
                pieces.record(&items[from..end], &rules);
                from = end;
            }
        }
        prop_assert_eq!(&whole, &pieces);
        let before = (whole.leads.clone(), whole.contacts.clone(), whole.activities.clone(), whole.identities.clone());
        for receipt in whole.record(&items, &rules) {
            prop_assert_eq!(receipt.outcome, Outcome::Repeat);
        }
        prop_assert_eq!(before, (whole.leads, whole.contacts, whole.activities, whole.identities));
    }
}
