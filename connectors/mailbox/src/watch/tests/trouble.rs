//! What goes wrong: lines, servers, single mails, the machine, other gateways.

use std::time::Duration;

use leadgate_core::ports::{PullError, PullState};
use leadgate_core::receipt::Outcome;

use super::fake::Poison;
use super::*;

/// Titles that were taken as new, in any order.
fn sorted(stage: &Stage) -> Vec<String> {
    let mut titles = stage.database.titles();
    titles.sort();
    titles
}

async fn poisoned(poison: Poison) -> Stage {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            for number in 1..=9 {
                stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
            }
            stage.mailbox.edit("INBOX", 5, |mail| mail.poison = poison);
            let took = stage.quiet().await;
            assert!(took < Duration::from_secs(30), "its neighbours waited {took:?}");
        })
        .await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_breaks_the_connection_costs_itself_alone() {
    for (poison, kept, attempts) in [
        (Poison::Whole, "its beginning is kept", 3),
        (Poison::Body, "its header is kept", 3),
        (Poison::All, "nothing of it could be had", 0),
        (Poison::Empty, "nothing of it could be had", 3),
    ] {
        let stage = poisoned(poison).await;
        assert_eq!(sorted(&stage), ["1", "2", "3", "4", "6", "7", "8", "9"], "{poison:?}");
        let ledger = stage.database.ledger();
        let held: Vec<_> = ledger.taken.iter().filter(|(_, outcome)| *outcome == Outcome::Quarantined).collect();
        assert_eq!(held.len(), 1, "{poison:?}");
        let hold = held[0].0.hold.as_ref().unwrap();
        assert_eq!((hold.code.as_str(), hold.authenticated), ("unreadable", true));
        assert!(hold.words.contains("UID 5 of the folder \"INBOX\"") && hold.words.contains(kept), "{}", hold.words);
        let why = if poison == Poison::Empty { "gives nothing of it" } else { "odd" };
        assert!(hold.words.contains(why), "{}", hold.words);
        assert_eq!(stage.mailbox.count("FETCH [5]"), attempts, "{poison:?}");
        let report = ledger.reports.last().unwrap();
        assert_eq!((report.folders[0].quarantined, report.words.as_str()), (1, ""));
        let repeats = ledger.taken.iter().filter(|(_, outcome)| *outcome == Outcome::Repeat).count();
        assert_eq!(repeats, 0, "what was read before it is not read again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_comes_in_the_end_is_a_lead() {
    for times in 1..=3 {
        let stage = poisoned(Poison::Times(times)).await;
        assert_eq!(sorted(&stage).len(), 9, "{times}");
        assert_eq!(stage.database.count(Outcome::Quarantined), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_count_over_restarts() {
    let stage = Stage::inbox();
    stage.while_reading(stage.quiet()).await;
    let uid = stage.mailbox.deliver("INBOX", &mail("bad", Some("bad@x")));
    stage.mailbox.deliver("INBOX", &mail("good", Some("good@x")));
    stage.mailbox.edit("INBOX", uid, |mail| mail.poison = Poison::Whole);
    // The machine dies soon after each start.
    for _ in 0..40 {
        let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&stage.settings));
        stage.mailbox.world().fuse = Some(12);
        let feed = stage.feed();
        tokio::select! {
            error = stage.once(&watcher, &feed) => panic!("{error}"),
            () = stage.mailbox.blown.notified() => {}
        }
    }
    stage.mailbox.world().fuse = None;
    assert_eq!(stage.database.titles(), ["good"]);
    assert_eq!(stage.database.count(Outcome::Quarantined), 1);
    assert!(stage.mailbox.count(&format!("FETCH [{uid}]")) <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_panics_puts_the_mail_into_quarantine_with_its_bytes() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            for title in ["one", "PANIC", "two"] {
                stage.mailbox.deliver("INBOX", &mail(title, Some(title)));
            }
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["one", "two"]);
    let ledger = stage.database.ledger();
    let (item, outcome) = &ledger.taken[1];
    assert_eq!((*outcome, item.hold.as_ref().unwrap().code.as_str()), (Outcome::Quarantined, "poisoned"));
    assert_eq!(item.raw.body, mail("PANIC", Some("PANIC")).as_bytes());
}

#[tokio::test(start_paused = true)]
async fn of_a_mail_over_the_limit_the_beginning_is_read() {
    let stage = Stage::new(&["INBOX"], Watching { largest: 1 << 20, ..Watching::default() });
    stage
        .while_reading(async {
            stage.quiet().await;
            for title in ["one", "huge", "two"] {
                let text = mail(title, Some(title)) + &"x".repeat(if title == "huge" { 300 << 10 } else { 0 });
                let uid = stage.mailbox.deliver("INBOX", &text.replace("Subject", "File: a.pdf\nSubject"));
                stage.mailbox.edit("INBOX", uid, |mail| mail.size = (title == "huge").then_some(40 << 20));
            }
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["one", "huge", "two"]);
    let ledger = stage.database.ledger();
    let (item, _) = &ledger.taken[1];
    assert_eq!(item.draft.message.as_deref(), Some("INBOX Some(41943040)"));
    assert_eq!((item.raw.body.len(), item.draft.files.len()), (256 << 10, 0));
    assert!(item.draft.fields[0].value.contains("stays in the mailbox"), "{:?}", item.draft.fields);
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_gone_when_it_is_asked_for_is_passed() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            for number in 1..=4 {
                stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), None));
            }
            // Between the look and the fetch.
            while stage.mailbox.count("HEADS") == 0 {
                tokio::task::yield_now().await;
            }
            stage.mailbox.take("INBOX", 1);
            stage.quiet().await;
        })
        .await;
    assert!(sorted(&stage).len() >= 3);
    assert_eq!(stage.database.count(Outcome::Quarantined), 0);
}

#[tokio::test(start_paused = true)]
async fn a_broken_line_is_opened_anew_and_told_until_it_works() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            for number in 0..20 {
                stage.mailbox.cut();
                stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), None));
                stage.quiet().await;
            }
        })
        .await;
    assert_eq!(stage.database.titles().len(), 20);
    let states: Vec<PullState> = stage.database.ledger().reports.iter().map(|report| report.state).collect();
    assert!(states.contains(&PullState::Down));
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_its_own_trouble() {
    let stage = Stage::inbox();
    stage.mailbox.world().refuses = true;
    let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&stage.settings));
    let feed = stage.feed();
    let error = stage.once(&watcher, &feed).await;
    assert!(matches!(error, PullError::Auth(_)), "{error}");
    let report = stage.database.last_report();
    assert_eq!((report.state, report.words.as_str()), (PullState::Refused, "wrong password"));
    // The next attempt does not make it look as if all were well.
    assert!(matches!(stage.once(&watcher, &feed).await, PullError::Auth(_)));
    assert!(stage.database.ledger().reports.iter().skip(1).all(|report| report.state == PullState::Refused));
    stage.mailbox.world().refuses = false;
    stage.while_reading(stage.quiet()).await;
    assert_eq!(stage.database.last_report().words, "");
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_there_is_told_with_those_that_are() {
    let watching = Watching { folders: vec!["INBOX".into(), "Nowhere".into()], ..Watching::default() };
    let stage = Stage::new(&["INBOX", "Elsewhere"], watching);
    stage
        .while_reading(async {
            stage.quiet().await;
            let report = stage.database.last_report();
            assert!(report.words.contains("\"Nowhere\"") && report.words.contains("\"Elsewhere\""), "{}", report.words);
            assert_eq!(report.folders.len(), 1);
            stage.mailbox.deliver("INBOX", &mail("one", None));
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["one"]);
    // None at all: it cannot work.
    let stage = Stage::new(&["A"], Watching { folders: vec!["B".into()], ..Watching::default() });
    let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&stage.settings));
    let error = stage.once(&watcher, &stage.feed()).await;
    assert!(matches!(&error, PullError::Fatal(_)) && error.to_string().contains("there is no folder \"B\""), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_cannot_store_moves_nothing() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.database.ledger().busy = true;
            stage.mailbox.deliver("INBOX", &mail("one", None));
            tokio::time::sleep(Duration::from_mins(2)).await;
            assert_eq!(stage.database.titles(), Vec::<String>::new());
            assert!(stage.database.last_report().words.contains("the disk is full"));
            stage.database.ledger().busy = false;
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_lost_its_lease_changes_nothing() {
    let stage = Stage::inbox();
    stage.while_reading(stage.quiet()).await;
    let first = stage.feed();
    let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&stage.settings));
    // Another gateway holds the lease from now on; this one does not know it yet.
    stage.database.ledger().fence += 1;
    for number in 0..10 {
        stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
    }
    let stale = stage.once(&watcher, &first).await;
    assert!(stale.to_string().contains("for the moment"), "{stale}");
    assert_eq!(stage.database.titles(), Vec::<String>::new());
    let stale = async {
        loop {
            stage.once(&watcher, &first).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = stale => {}
        _ = stage.while_reading(stage.quiet()) => {}
    }
    assert_eq!(stage.database.titles().len(), 10);
    assert_eq!(stage.database.count(Outcome::Repeat), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_of_another_version_is_not_read_on_from() {
    let stage = Stage::inbox();
    let cursor = leadgate_core::submission::Cursor(serde_json::json!({"version": 99}));
    stage.database.ledger().cursor = Some(cursor.clone());
    let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&stage.settings));
    let error = stage.once(&watcher, &stage.feed()).await;
    assert!(matches!(error, PullError::Fatal(_)), "{error}");
    assert_eq!(stage.database.ledger().cursor, Some(cursor));
}
