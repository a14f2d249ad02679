//! Whom an answer may go to.

use leadgate_core::mail::{MailClass, MailFacts, Unreachable};
use leadgate_core::prepare::IdentityKind;
use leadgate_core::receipt::IdentityState;
use leadgate_core::rules::Ours;
use leadgate_core::views::ActivityView;
use leadgate_outbound::mail::{Unanswered, customer_address, may_be_answered};

use crate::people::{activity, came, email, identity, person, summary, time};

/// Addresses as typed, with what is odd about them.
type Addresses<'a> = &'a [(&'a str, &'a [&'static str])];

fn ours() -> Ours {
    Ours { domains: ["zavod.ru".to_owned()].into(), ..Ours::default() }
}

fn with(addresses: Addresses<'_>) -> ActivityView {
    let mut activity = activity(1, "2026-11-21T19:42:45Z", "x");
    activity.content.values = addresses.iter().map(|(typed, flags)| email(typed, flags)).collect();
    activity
}

fn mail(class: MailClass, may_answer: bool) -> MailFacts {
    MailFacts { class, may_answer, ..MailFacts::default() }
}

#[test]
fn an_answer_goes_to_the_address_given_now_else_to_the_newest_of_theirs() {
    let to =
        |person: Option<&_>, activity: &ActivityView| customer_address(person, Some(activity), &ours()).map(|to| to.to_string());
    let mut petr = person();
    assert_eq!(to(Some(&petr), &came()).as_deref(), Some("Пётр Иванов <petr.ivanov@mail.ru>"));
    assert_eq!(to(Some(&petr), &with(&[("new@mail.ru", &[])])).as_deref(), Some("Пётр Иванов <new@mail.ru>"));
    assert_eq!(to(None, &with(&[("new@mail.ru", &[])])).as_deref(), Some("new@mail.ru"));
    let found = with(&[("boss@mail.ru", &["found"]), ("new@mail.ru", &[])]);
    assert_eq!(to(None, &found).as_deref(), Some("new@mail.ru"));
    for unfit in ["info@zavod.ru", "test@test.com", "noreply@shop.ru", "a@b", "mailer-daemon@mail.ru"] {
        assert_eq!(to(None, &with(&[(unfit, &[])])), None, "{unfit}");
        assert!(to(Some(&petr), &with(&[(unfit, &[])])).unwrap().contains("petr.ivanov@mail.ru"), "{unfit}");
    }
    assert_eq!(to(None, &with(&[("petr@mail.ru", &["spoofed"])])), None);
    petr.identities.push(identity(IdentityKind::EMAIL, "other@mail.ru", "other@mail.ru"));
    petr.identities[3].last_seen = time("2026-11-21T00:00:00Z");
    assert!(to(Some(&petr), &with(&[])).unwrap().contains("<other@mail.ru>"));
    petr.identities[3].state = IdentityState::Claimed;
    assert!(to(Some(&petr), &with(&[])).unwrap().contains("<petr.ivanov@mail.ru>"), "a claim is nobody's address");
    petr.identities[1].unreachable =
        Some(Unreachable { since: time("2026-11-20T00:00:00Z"), status: "5.1.1".to_owned(), words: String::new() });
    assert_eq!(to(Some(&petr), &came()), None);
}

#[test]
fn only_a_person_who_gave_one_address_is_answered_automatically() {
    let ask = |activity: &ActivityView| may_be_answered(activity, None, None, &ours());
    assert_eq!(ask(&with(&[("petr@mail.ru", &[])])).unwrap().email(), "petr@mail.ru");
    let cases: &[(Addresses<'_>, Unanswered)] = &[
        (&[], Unanswered::NoAddress),
        (&[("petr@mail.ru", &["found"])], Unanswered::NoAddress),
        (&[("petr@", &["invalid"])], Unanswered::NoAddress),
        (&[("a@mail.ru", &[]), ("b@mail.ru", &[])], Unanswered::SeveralAddresses),
        (&[("info@zavod.ru", &[])], Unanswered::Ours),
        (&[("test@test.com", &[])], Unanswered::Placeholder),
        (&[("noreply@shop.ru", &[])], Unanswered::Deaf),
        (&[("mailer-daemon@mail.ru", &[])], Unanswered::Deaf),
        (&[("postmaster@mail.ru", &[])], Unanswered::Deaf),
        (&[("friends-request@lists.org", &[])], Unanswered::Deaf),
        (&[("owner-friends@lists.org", &[])], Unanswered::Deaf),
        (&[("petr@mail.ru", &["spoofed"])], Unanswered::Suspect),
    ];
    for (addresses, expected) in cases {
        let why = ask(&with(addresses)).unwrap_err();
        assert!(why.contains(expected), "{addresses:?}: {why:?}");
        assert!(why.iter().all(|why| !why.words().is_empty()));
    }
}

#[test]
fn automatic_mail_what_is_suspect_tests_and_our_own_are_not_answered() {
    let petr = || with(&[("petr@mail.ru", &[])]);
    let ask = |activity: &ActivityView| may_be_answered(activity, Some(&summary()), Some(&person()), &ours());
    assert!(ask(&petr()).is_ok());
    let mut human = petr();
    human.content.mail = Some(mail(MailClass::Human, true));
    assert!(ask(&human).is_ok());
    human.content.mail = Some(mail(MailClass::Human, false));
    assert_eq!(ask(&human).unwrap_err(), [Unanswered::Forbidden]);
    for class in [MailClass::AutoReply, MailClass::Bounce, MailClass::List, MailClass::Report, MailClass::Calendar] {
        human.content.mail = Some(mail(class, true));
        assert_eq!(ask(&human).unwrap_err(), [Unanswered::Automatic(class)]);
    }
    let mut suspect = petr();
    suspect.suspect = true;
    assert_eq!(ask(&suspect).unwrap_err(), [Unanswered::Suspect]);
    let mut sent = petr();
    sent.content.outgoing = true;
    assert_eq!(ask(&sent).unwrap_err(), [Unanswered::Outgoing]);
    let test = leadgate_core::views::LeadSummary { test: true, ..summary() };
    assert_eq!(may_be_answered(&petr(), Some(&test), None, &ours()).unwrap_err(), [Unanswered::Test]);
    let mut gone = person();
    gone.identities[1].unreachable =
        Some(Unreachable { since: time("2026-11-20T00:00:00Z"), status: "5.1.1".to_owned(), words: String::new() });
    let back = may_be_answered(&with(&[("petr.ivanov@mail.ru", &[])]), None, Some(&gone), &ours());
    assert_eq!(back.unwrap_err(), [Unanswered::Unreachable]);
}
