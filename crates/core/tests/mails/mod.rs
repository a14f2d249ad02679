//! What becomes of mails: one test a rule.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::change::Stage;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId};
use leadgate_core::plan::About;
use leadgate_core::prepare::IdentityKind;
use leadgate_core::receipt::{IdentityState, Outcome, Reason, Receipt};
use leadgate_core::rules::{KnownContact, Ours, SourceRules, Strength};
use leadgate_core::submission::{Failure, MailClass, MailFacts, Purpose, Reference, Signal, Typed};

use crate::memory::{Delivery, Memory, rules, start};
use crate::{PHONE, Story, ids};

const ANNA: &str = "anna@firma-mail.ru";
const BORIS: &str = "boris@drugaya-firma.ru";

fn source(id: &str) -> SourceId {
    SourceId::parse(id).unwrap()
}

/// A mailbox that gets the notifications of one form.
fn story() -> Story {
    let mut rules = rules();
    let country = leadgate_core::phone::Country::parse("RU");
    let of = |rules: SourceRules| Arc::new(SourceRules { country, ..rules });
    rules.sources.insert(source("mail"), of(SourceRules { forms: vec![source("site")], ..SourceRules::default() }));
    rules.sources.insert(source("site"), of(SourceRules { notified: true, ..SourceRules::default() }));
    rules.ours = Arc::new(Ours { domains: [String::from("my-company.ru")].into(), ..Ours::default() });
    Story { db: Memory::default(), rules }
}

fn mail(n: u32) -> Delivery {
    Delivery::new(n).with(|s| {
        s.source = source("mail");
        s.draft.activity = leadgate_core::submission::ActivityKind::Email;
        s.draft.mail = Some(Box::new(MailFacts { subject: "Hello".to_owned(), ..MailFacts::default() }));
    })
}

fn id(n: &str) -> Reference {
    Reference::new(Reference::MESSAGE_ID, n).unwrap()
}

fn sent(n: u32, to: &[&str]) -> Delivery {
    mail(n).with(|s| {
        s.draft.outgoing = true;
        s.draft.emails = to.iter().map(|to| Typed::new("to", *to)).collect();
        s.draft.known_as.push(id(&format!("out{n}")));
    })
}

fn bounce(n: u32, of: &[(&str, bool)]) -> Delivery {
    mail(n).with(|s| {
        s.purpose = Purpose::Note;
        let failure = |(address, permanent): &(&str, bool)| Failure {
            address: (*address).to_owned(),
            permanent: *permanent,
            status: if *permanent { "5.1.1" } else { "4.2.2" }.to_owned(),
            words: "no such\0 user".to_owned(),
        };
        s.draft.failures = of.iter().map(failure).collect();
    })
}

fn notification(n: u32) -> Delivery {
    mail(n).with(|s| {
        s.draft.notification = true;
        s.draft.emails.push(Typed::new("from", "wordpress@my-company.ru"));
        s.draft.mail.as_mut().unwrap().class = MailClass::FormNotification;
    })
}

fn later(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

fn said(receipt: &Receipt, wanted: &Reason) -> bool {
    receipt.reasons.contains(wanted)
}

// ------------------------------------------------------------------------------------------------------ what we wrote

#[test]
fn what_we_send_goes_to_the_thread_and_the_answer_follows_it() {
    let mut story = story();
    story.send(mail(1).mail_from(ANNA).with(|s| s.draft.known_as.push(id("in1"))));
    let touched = story.db.leads[&LeadId(1)].touched_at;
    let events = story.db.events.len();
    let out = story.send(sent(2, &[BORIS]).with(|s| s.draft.refers_to.push(id("in1"))));
    assert_eq!(ids(&out), (Outcome::Attached, Some(1), Some(1)), "the thread counts, not whom it was sent to");
    assert!(said(&out, &Reason::Sent), "{:?}", out.reasons);
    assert_eq!(story.db.leads[&LeadId(1)].touched_at, touched, "the customer did nothing");
    assert_eq!(story.db.contacts[&ContactId(1)].last_active, touched);
    assert_eq!(story.db.events[events..].iter().map(|event| event.1).collect::<Vec<_>>(), ["mail.sent"]);
    assert_eq!(story.db.contacts.len(), 1, "Boris is nobody");
    assert!(!story.db.identities.keys().any(|(_, value, _)| value == BORIS));
    let answer = story.send(mail(3).mail_from(BORIS).with(|s| s.draft.refers_to.push(id("out2"))));
    assert_eq!(ids(&answer), (Outcome::Attached, Some(1), Some(1)), "from another address, in the same thread");
}

#[test]
fn what_one_of_us_answers_to_our_mailbox_belongs_to_the_thread() {
    let mut story = story();
    story.send(mail(1).mail_from(ANNA).with(|s| s.draft.known_as.push(id("in1"))));
    let touched = story.db.leads[&LeadId(1)].touched_at;
    let events = story.db.events.len();
    let of_ours = |n| mail(n).mail_from("manager@my-company.ru");
    let answer = story.send(of_ours(2).with(|s| s.draft.refers_to.push(id("in1"))));
    assert_eq!(ids(&answer), (Outcome::Attached, Some(1), Some(1)));
    assert!(said(&answer, &Reason::Sent), "{:?}", answer.reasons);
    assert_eq!(story.db.leads[&LeadId(1)].touched_at, touched, "the customer did nothing");
    assert_eq!(story.db.events[events..].iter().map(|event| event.1).collect::<Vec<_>>(), ["mail.sent"]);
    let alone = story.send(of_ours(3).with(|s| s.draft.refers_to.push(id("nothing we know"))));
    assert_eq!(alone.outcome, Outcome::Test, "of one of us, and of no thread");
    let forged = story.send(of_ours(4).with(|s| {
        s.draft.refers_to.push(id("in1"));
        s.signals.push(Signal::Spoof { detail: "dmarc=fail".to_owned() });
    }));
    assert_ne!(forged.lead, Some(LeadId(1)), "whoever only says to be one of us");
}

#[test]
fn what_we_send_goes_to_the_addressee() {
    let mut story = story();
    story.send(Delivery::new(1).email(ANNA).phone(PHONE));
    let on_lead = story.send(sent(2, &["colleague@my-company.ru", "nobody@firma-mail.ru", ANNA]));
    assert_eq!(ids(&on_lead), (Outcome::Attached, Some(1), Some(1)));
    assert!(said(&on_lead, &Reason::SentTo { contact: ContactId(1) }));
    story.db.close(LeadId(1), Stage::Converted, start());
    let on_contact = story.send(sent(3, &[ANNA]));
    assert_eq!(ids(&on_contact), (Outcome::Returned, None, Some(1)));
    assert!(!story.db.contacts[&ContactId(1)].waits, "nobody came back");
    assert!(!story.db.events.iter().any(|event| event.1 == "contact.returned"));
    let unknown = story.send(sent(4, &["nobody@firma-mail.ru"]));
    assert_eq!(ids(&unknown), (Outcome::Noted, None, None));
    assert!(said(&unknown, &Reason::SentToNobody));
    assert!(!story.db.references.contains_key(&("message-id".to_owned(), "out4".to_owned())), "it is no activity");
    let inside = story.send(sent(5, &["colleague@my-company.ru"]));
    assert_eq!(inside.outcome, Outcome::Noted, "no test lead either");
    assert_eq!((story.db.leads.len(), story.db.contacts.len()), (1, 1));
}

#[test]
fn of_several_addressees_the_one_with_an_open_lead_is_meant() {
    let mut story = story();
    story.send(Delivery::new(1).email(ANNA));
    story.db.close(LeadId(1), Stage::Converted, start());
    story.send(Delivery::new(2).email(BORIS));
    let out = story.send(sent(3, &[ANNA, BORIS]));
    assert_eq!(ids(&out), (Outcome::Attached, Some(2), Some(2)));
    assert!(said(&out, &Reason::PassedOver { contact: ContactId(1) }));
}

#[test]
fn what_we_send_does_not_keep_a_stale_lead_fresh() {
    let mut story = story();
    let policy = SourceRules { known_contact: KnownContact::RepeatLead, ..SourceRules::default() };
    story.rules.sources.insert(source("site"), Arc::new(policy));
    story.send(Delivery::new(1).email(ANNA));
    story.send(sent(2, &[ANNA]).at(later(60 * 24 * 89)));
    let again = story.send(Delivery::new(3).email(ANNA).at(later(60 * 24 * 91)));
    assert_eq!(ids(&again), (Outcome::Created, Some(2), Some(1)), "{:?}", again.reasons);
}

#[test]
fn a_mail_to_five_hundred_people_is_one_activity() {
    let mut story = story();
    story.send(Delivery::new(1).email("customer7@firma-mail.ru"));
    let to: Vec<String> = (0..500).map(|n| format!("customer{n}@firma-mail.ru")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let out = story.send(sent(2, &to).with(|s| {
        let facts = s.draft.mail.as_mut().unwrap();
        facts.to = to.iter().map(|to| (*to).to_owned()).collect();
        facts.subject = "\0x".repeat(5000);
    }));
    assert_eq!(ids(&out), (Outcome::Attached, Some(1), Some(1)));
    let content = &story.db.told[&out.activity.unwrap()].content;
    let facts = content.mail.as_ref().unwrap();
    assert_eq!((facts.to.len(), facts.to.last().unwrap().as_str()), (101, "and 400 more"));
    assert!(facts.subject.len() == 998 && !facts.subject.contains('\0'));
    assert_eq!((story.db.contacts.len(), story.db.identities.len()), (1, 1));
}

#[test]
fn a_message_id_stays_with_whom_had_it_first() {
    let mut story = story();
    story.send(mail(1).mail_from(ANNA).with(|s| s.draft.known_as.push(id("m1"))));
    let thief = story.send(mail(2).mail_from("thief@zlodey.ru").with(|s| s.draft.known_as.push(id("m1"))));
    assert_eq!(ids(&thief), (Outcome::Created, Some(2), Some(2)));
    let answer = story.send(sent(3, &[]).with(|s| s.draft.refers_to.push(id("m1"))));
    assert_eq!(ids(&answer), (Outcome::Attached, Some(1), Some(1)));
}

// -------------------------------------------------------------------------------------------------- forged and found

#[test]
fn a_forged_mail_is_a_suspect_lead_of_nobody() {
    let mut story = story();
    story.send(mail(1).mail_from(ANNA).with(|s| s.draft.known_as.push(id("in1"))));
    let forged = |n: u32| {
        mail(n).mail_from(ANNA).phone(PHONE).with(|s| {
            s.draft.refers_to.push(id("in1"));
            s.draft.known_as.push(id("in1"));
            s.signals.push(Signal::Spoof { detail: "dmarc=fail".to_owned() });
        })
    };
    let receipt = story.send(forged(2));
    assert_eq!(ids(&receipt), (Outcome::Created, Some(2), None));
    assert!(story.db.leads[&LeadId(2)].suspect);
    assert_eq!(story.db.identities.len(), 1, "nothing it says is anybody's");
    let values = &story.db.told[&receipt.activity.unwrap()].content.values;
    assert!(values.len() == 2 && values.iter().all(|v| v.strength == Strength::None && v.flags.contains(&"spoofed".into())));
    let answer = story.send(mail(3).mail_from(BORIS).with(|s| s.draft.refers_to.push(id("in1"))));
    assert_eq!(ids(&answer), (Outcome::Attached, Some(1), Some(1)), "its Message-ID leads nobody astray");
    let spam = story.send(forged(4).with(|s| s.signals.push(Signal::Filter { detail: "X-Spam-Flag: YES".to_owned() })));
    assert_eq!(spam.outcome, Outcome::Spam);
}

#[test]
fn a_forged_mail_is_neither_ours_nor_a_bounce_nor_a_notification() {
    let mut story = story();
    story.send(Delivery::new(1).email(ANNA).phone(PHONE));
    let forged = |delivery: Delivery| delivery.with(|s| s.signals.push(Signal::Spoof { detail: "dmarc=fail".to_owned() }));
    assert_eq!(ids(&story.send(forged(sent(2, &[ANNA])))), (Outcome::Created, Some(2), None));
    assert_eq!(ids(&story.send(forged(bounce(3, &[(ANNA, true)])))), (Outcome::Noted, None, None));
    assert_eq!(ids(&story.send(forged(notification(4).email(BORIS)))), (Outcome::Created, Some(3), None));
    assert!(story.db.failed.is_empty() && story.db.awaited.is_empty());
}

#[test]
fn what_was_found_in_a_text_is_worth_a_step_less() {
    let mut story = story();
    let found = |delivery: Delivery, phone: &str| {
        delivery.with(|s| s.draft.phones.push(Typed { found: true, ..Typed::new("signature", phone) }))
    };
    let first = story.send(found(mail(1).mail_from(ANNA), PHONE));
    assert_eq!(ids(&first), (Outcome::Created, Some(1), Some(1)));
    let values = &story.db.told[&first.activity.unwrap()].content.values;
    assert_eq!(values[0].strength, Strength::Weak);
    assert!(values[0].flags.contains(&"found".into()), "{:?}", values[0].flags);
    // A mobile in a signature recognises only beside an open lead.
    assert_eq!(ids(&story.send(found(mail(2), PHONE))), (Outcome::Attached, Some(1), Some(1)));
    story.db.close(LeadId(1), Stage::Converted, start());
    assert_eq!(ids(&story.send(found(mail(3), PHONE))), (Outcome::Created, Some(2), Some(2)));
    // A landline there recognises nobody; typed as well, it counts as typed.
    let landline = "+7 495 123-45-67";
    story.send(Delivery::new(4).phone(landline));
    assert_eq!(ids(&story.send(found(mail(5), landline))).2, Some(4));
    let twice = story.send(found(mail(6), landline).phone(landline));
    assert_eq!(ids(&twice).2, Some(3), "{:?}", twice.reasons);
}

// -------------------------------------------------------------------------------------------- what cannot be reached

#[test]
fn a_bounce_marks_the_address_until_a_mail_comes_from_it() {
    let mut story = story();
    story.send(Delivery::new(1).email(ANNA));
    story.send(sent(2, &[ANNA]));
    let key = (ANNA.to_owned(), ContactId(1));
    let receipt = story.send(bounce(3, &[(ANNA, true)]).with(|s| s.draft.refers_to.push(id("out2"))));
    assert_eq!(ids(&receipt), (Outcome::Noted, Some(1), Some(1)));
    assert_eq!(receipt.activity, None);
    let mark = &story.db.failed[&key];
    assert_eq!(
        (mark.status.as_str(), mark.words.as_str(), mark.since),
        ("5.1.1", "no such user", later(0) + SignedDuration::from_secs(3))
    );
    let about = &story.db.about[&receipt.submission];
    assert_eq!(about, &[About::Activity(ActivityId(2)), About::Contact(ContactId(1))]);
    story.send(bounce(4, &[(ANNA, true)]));
    assert_eq!(story.db.failed[&key].since, later(0) + SignedDuration::from_secs(3), "since the first");
    story.send(Delivery::new(5).email(ANNA));
    assert!(story.db.failed.contains_key(&key), "anybody can type an address into a form");
    let earlier = story.send(mail(6).mail_from(ANNA).with(|s| s.occurred_at = Some(start())));
    assert!(
        story.db.failed.contains_key(&key) && earlier.outcome == Outcome::Attached,
        "written before the bounce, read after it"
    );
    let alive = story.send(mail(7).mail_from(ANNA));
    assert!(said(&alive, &Reason::Reachable { email: ANNA.to_owned() }), "{:?}", alive.reasons);
    assert!(story.db.failed.is_empty());
}

#[test]
fn a_delay_marks_nothing_and_an_unknown_address_is_noted() {
    let mut story = story();
    story.send(Delivery::new(1).email(ANNA));
    let delay = story.send(bounce(2, &[(ANNA, false)]));
    assert_eq!(ids(&delay), (Outcome::Noted, Some(1), Some(1)));
    assert!(matches!(&delay.reasons[..], [Reason::Bounce { permanent: false, contact: Some(ContactId(1)), .. }]));
    let unknown = story.send(bounce(3, &[("x@nowhere-at-all.ru", true), ("", true), ("\0", true)]));
    assert_eq!(ids(&unknown), (Outcome::Noted, None, None));
    assert!(story.db.failed.is_empty() && story.db.leads.len() == 1);
}

#[test]
fn a_bounce_of_a_thousand_addresses_marks_some_and_stops() {
    let mut story = story();
    story.send(Delivery::new(1).email("customer7@firma-mail.ru"));
    let addresses: Vec<String> = (0..1000).map(|n| format!("customer{n}@firma-mail.ru")).collect();
    let of: Vec<(&str, bool)> = addresses.iter().map(|address| (address.as_str(), true)).collect();
    let receipt = story.send(bounce(2, &of));
    assert_eq!((receipt.outcome, receipt.reasons.len()), (Outcome::Noted, 100));
    assert_eq!(story.db.failed.len(), 1);
}

#[test]
fn everybody_who_holds_an_address_is_marked() {
    let mut story = story();
    story.send(Delivery::new(1).name("Анна Петрова").email(ANNA));
    story.send(Delivery::new(2).name("Борис Сидоров").email(ANNA));
    assert_eq!(story.db.state(&IdentityKind::EMAIL, ANNA, 2), Some(IdentityState::Shared));
    story.send(bounce(3, &[(ANNA, true)]));
    assert_eq!(story.db.failed.len(), 2);
}

// -------------------------------------------------------------------------------------------------------------- twins

#[test]
fn a_notification_of_what_the_form_brought_is_noted() {
    let mut story = story();
    let form =
        story.send(Delivery::new(1).name("Анна").phone(PHONE).email(ANNA).with(|s| s.draft.message = Some("Hello\n you".into())));
    let events = story.db.events.len();
    let twin = story.send(notification(2).phone("8 916 1234567").at(later(29)).with(|s| {
        s.draft.message = Some("Hello you".to_owned());
        s.draft.known_as.push(id("n1"));
        s.keys.extend(leadgate_core::submission::Key::new("uid", "7-1"));
    }));
    assert_eq!(ids(&twin), (Outcome::Noted, Some(1), Some(1)), "{:?}", twin.reasons);
    assert_eq!(twin.activity, form.activity);
    assert!(said(&twin, &Reason::Twin { first: form.submission }));
    assert_eq!((story.db.activities.len(), story.db.events.len()), (1, events));
    assert_eq!(story.db.about[&twin.submission], [About::Activity(form.activity.unwrap())]);
    assert_eq!(story.db.keys.len(), 2, "it owns its key");
    // A manager answers the notification: that is the thread.
    let answer = story.send(sent(3, &[]).with(|s| s.draft.refers_to.push(id("n1"))));
    assert_eq!(ids(&answer), (Outcome::Attached, Some(1), Some(1)));
}

#[test]
fn what_differs_is_no_twin() {
    let attached = |change: fn(Delivery) -> Delivery| {
        let mut story = story();
        story.send(Delivery::new(1).phone(PHONE).email(ANNA).with(|s| s.draft.message = Some("Hello".into())));
        story.send(change(notification(2).phone(PHONE))).outcome
    };
    assert_eq!(attached(|d| d), Outcome::Noted);
    assert_eq!(attached(|d| d.at(later(31))), Outcome::Attached, "too late");
    assert_eq!(
        attached(|d| d.at(later(300)).with(|s| s.occurred_at = Some(later(1)))),
        Outcome::Noted,
        "sent in time, read late"
    );
    assert_eq!(attached(|d| d.email(BORIS)), Outcome::Attached, "another value");
    assert_eq!(attached(|d| d.with(|s| s.draft.message = Some("Something else".into()))), Outcome::Attached);
    assert_eq!(attached(|d| d.with(|s| s.draft.message = Some("Hello and more".into()))), Outcome::Noted, "contained");
    assert_eq!(attached(|d| d.with(|s| s.draft.notification = false)), Outcome::Attached, "a mail of a person");
    assert_eq!(attached(|d| d.with(|s| s.source = source("other"))), Outcome::Noted, "a mailbox of no certain form");
}

#[test]
fn only_the_forms_of_a_mailbox_have_twins_there() {
    let mut story = story();
    story.send(Delivery::new(1).phone(PHONE).with(|s| s.source = source("landing")));
    assert_eq!(story.send(notification(2).phone(PHONE)).outcome, Outcome::Attached);
    let mut rules = SourceRules { forms: vec![source("landing"), source("site")], ..SourceRules::default() };
    rules.country = leadgate_core::phone::Country::parse("RU");
    story.rules.sources.insert(source("mail"), Arc::new(rules));
    assert_eq!(story.send(notification(3).phone(PHONE)).outcome, Outcome::Noted);
}

#[test]
fn a_form_that_comes_second_takes_the_activity_over() {
    let mut story = story();
    let first = story.send(notification(1).phone(PHONE).with(|s| s.draft.known_as.push(id("n1"))));
    assert_eq!(ids(&first), (Outcome::Created, Some(1), Some(1)));
    assert!(said(&first, &Reason::Awaits { form: source("site") }));
    assert_eq!(story.db.awaited["site"].len(), 1);
    let events = story.db.events.len();
    let form = story.send(Delivery::new(2).name("Анна").phone(PHONE).email(ANNA).at(later(20)));
    assert_eq!(ids(&form), (Outcome::Amended, Some(1), Some(1)), "{:?}", form.reasons);
    assert_eq!((form.activity, story.db.activities.len(), story.db.events.len()), (first.activity, 1, events));
    assert_eq!(story.db.told[&first.activity.unwrap()].content.name.as_deref(), Some("Анна"));
    assert!(story.db.awaited.is_empty(), "nothing is missed");
    // The same notification in another mailbox belongs to the form now; a second posting of the form is one of its own.
    assert_eq!(story.send(notification(3).phone(PHONE).at(later(21))).outcome, Outcome::Noted);
    assert_eq!(story.send(Delivery::new(4).phone(PHONE).at(later(22))).outcome, Outcome::Attached);
}

#[test]
fn orders_stay_apart_from_their_notification() {
    let mut story = story();
    story.send(notification(1).phone(PHONE));
    let order = story.send(Delivery::new(2).phone(PHONE).with(|s| s.draft.external_key = Some("o1".into())));
    assert_eq!(ids(&order), (Outcome::Attached, Some(1), Some(1)));
    assert!(story.db.awaited.is_empty(), "it came all the same");
}

#[test]
fn a_form_that_brings_nothing_is_missed_until_it_does() {
    let mut story = story();
    for n in 1..=3_u32 {
        story.send(notification(n).phone(&format!("+7 916 123-45-0{n}")).at(later(i64::from(n))));
    }
    assert_eq!(story.db.awaited["site"].len(), 3);
    story.send(Delivery::new(10).phone(PHONE).at(later(50)));
    assert_eq!(story.db.awaited["site"].len(), 3, "that the form is alive does not tell that those came");
    story.send(notification(11).phone(PHONE).at(later(51)));
    assert!(story.db.awaited.is_empty(), "a pair was seen");
    // What is old, spam, a test or of nobody is not awaited.
    story.send(notification(12).phone("+7 916 123-45-09").at(later(60)).with(|s| s.historic = true));
    story.send(notification(13).at(later(61)));
    story.send(notification(14).phone("+7 916 123-45-08").at(later(62)).with(|s| s.purpose = Purpose::Test));
    assert!(story.db.awaited.is_empty(), "{:?}", story.db.awaited);
}

#[test]
fn a_storm_of_twins_is_as_many_forms_and_no_more() {
    let mut story = story();
    let mut items = Vec::new();
    for n in 0..60 {
        let text = format!("message {n}");
        let form = Delivery::new(2 * n).phone(PHONE).with(|s| s.draft.message = Some(text.clone()));
        let note = notification(2 * n + 1).phone(PHONE).with(|s| s.draft.message = Some(text));
        items.extend([form.ready(&story.rules), note.ready(&story.rules)]);
    }
    let whole = story.db.record(&items, &story.rules);
    assert_eq!(whole.iter().filter(|receipt| receipt.outcome == Outcome::Noted).count(), 60);
    assert_eq!(story.db.activities.len(), 60);
    let mut split = self::story();
    let pieces: Vec<Receipt> = items.chunks(7).flat_map(|piece| split.db.record(piece, &split.rules)).collect();
    assert_eq!(pieces, whole);
    assert_eq!(split.db, story.db);
}

#[test]
fn mails_in_one_batch_or_several_are_the_same() {
    let rules = story().rules;
    let items: Vec<_> = [
        notification(1).phone(PHONE),
        Delivery::new(2).phone(PHONE).email(ANNA),
        notification(3).email(ANNA),
        mail(4).mail_from(ANNA).with(|s| s.draft.known_as.push(id("in1"))),
        sent(5, &[ANNA]).with(|s| s.draft.refers_to.push(id("in1"))),
        bounce(6, &[(ANNA, true)]).with(|s| s.draft.refers_to.push(id("out5"))),
        mail(7).mail_from(ANNA).with(|s| s.draft.known_as.push(id("in1"))),
        notification(8).phone("+7 916 123-45-01"),
        mail(9).with(|s| s.draft.known_as.push(id("nameless"))),
        mail(10).mail_from(BORIS).with(|s| s.draft.refers_to.push(id("nameless"))),
        notification(11).email(BORIS),
    ]
    .into_iter()
    .map(|delivery| delivery.ready(&rules))
    .collect();
    let mut whole = Memory::default();
    let receipts = whole.record(&items, &rules);
    for size in 1..items.len() {
        let mut split = Memory::default();
        let pieces: Vec<Receipt> = items.chunks(size).flat_map(|piece| split.record(piece, &rules)).collect();
        assert_eq!(pieces, receipts, "in pieces of {size}");
        assert_eq!(split, whole, "in pieces of {size}");
    }
    let outcomes: Vec<_> = receipts.iter().map(|receipt| receipt.outcome.as_str()).collect();
    assert_eq!(
        outcomes,
        [
            "created", "amended", "noted", "attached", "attached", "noted", "attached", "created", "created", "attached",
            "attached"
        ]
    );
}
