//! Older mails: backfills, and mailboxes whose numbering changed.

use jiff::ToSpan as _;
use leadgate_core::ports::Ask;
use leadgate_core::receipt::Outcome;

use super::*;
use crate::settings::Start;

/// So many mails, one a day, the newest today.
fn fill(stage: &Stage, count: u32) {
    for number in 1..=count {
        let uid = stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
        let days = i64::from(count - number);
        stage.mailbox.edit("INBOX", uid, |mail| mail.at -= (24 * days).hours());
    }
}

fn since(text: &str) -> Ask {
    Ask::Backfill { since: text.parse().unwrap() }
}

#[tokio::test(start_paused = true)]
async fn a_backfill_of_the_configuration_reads_from_that_day_as_history() {
    let start = Start::Since("2026-11-11".parse().unwrap());
    let stage = Stage::new(&["INBOX"], Watching { start, ..Watching::default() });
    fill(&stage, 30);
    stage.while_reading(stage.quiet()).await;
    assert_eq!(stage.database.titles().len(), 10);
    assert!(stage.database.ledger().taken.iter().all(|(item, _)| item.historic));
    // Once is enough, whatever is restarted.
    stage.mailbox.deliver("INBOX", &mail("new", None));
    stage.while_reading(stage.quiet()).await;
    let ledger = stage.database.ledger();
    assert_eq!((ledger.taken.len(), ledger.taken[10].0.historic), (11, false));
}

#[tokio::test(start_paused = true)]
async fn a_backfill_that_is_asked_for_tells_how_far_it_is_and_holds_up_nothing() {
    let stage = Stage::inbox();
    for number in 1..=3_000 {
        stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
    }
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.database.ask(since("2026-01-01"));
            while stage.database.titles().is_empty() {
                tokio::task::yield_now().await;
            }
            stage.mailbox.deliver("INBOX", &mail("new", None));
            stage.quiet().await;
        })
        .await;
    let titles = stage.database.titles();
    assert_eq!(titles.len(), 3_001);
    let new = titles.iter().position(|title| title == "new").unwrap();
    assert!(new < 2_000, "it waited for {new} older ones");
    let ledger = stage.database.ledger();
    assert_eq!(ledger.ask, None);
    let told: Vec<(u64, u64)> = ledger.reports.iter().filter_map(|report| report.folders.first()?.backfill).collect();
    assert!(told.iter().any(|(read, of)| (1..3_000).contains(read) && *of == 3_000), "{:?}", &told[..5]);
    assert!(told.is_sorted_by_key(|(read, _)| *read));
    assert_eq!(ledger.reports.last().unwrap().folders[0].backfill, None);
}

#[tokio::test(start_paused = true)]
async fn a_backfill_goes_on_where_it_was() {
    let stage = Stage::inbox();
    for number in 1..=2_000 {
        stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
    }
    stage.while_reading(stage.quiet()).await;
    stage.database.ask(since("2026-01-01"));
    for _ in 0..30 {
        let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&stage.settings));
        stage.mailbox.world().fuse = Some(35);
        let feed = stage.feed();
        tokio::select! {
            error = stage.once(&watcher, &feed) => panic!("{error}"),
            () = stage.mailbox.blown.notified() => {}
            _ = stage.quiet() => break,
        }
    }
    stage.mailbox.world().fuse = None;
    assert!(stage.is_quiet());
    assert_eq!(stage.database.titles().len(), 2_000);
    assert!(stage.database.count(Outcome::Repeat) < 400, "{}", stage.database.count(Outcome::Repeat));
}

#[tokio::test(start_paused = true)]
async fn a_second_backfill_of_the_same_mails_makes_nothing_twice() {
    let stage = Stage::inbox();
    fill(&stage, 20);
    stage
        .while_reading(async {
            stage.quiet().await;
            for day in ["2026-11-15", "2026-11-15", "2026-11-10"] {
                stage.database.ask(since(day));
                stage.quiet().await;
            }
        })
        .await;
    assert_eq!((stage.database.titles().len(), stage.database.count(Outcome::Repeat)), (11, 12));
}

#[tokio::test(start_paused = true)]
async fn a_new_uidvalidity_loses_nothing_and_doubles_nothing() {
    let stage = Stage::inbox();
    fill(&stage, 30);
    stage.mailbox.take("INBOX", 29);
    stage
        .while_reading(async {
            stage.quiet().await;
            for number in 100..110 {
                stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), (number % 2 == 0).then_some(&*format!("{number}@x"))));
            }
            stage.quiet().await;
            // Two come while the numbering changes.
            stage.mailbox.deliver("INBOX", &mail("meanwhile", None));
            stage.mailbox.deal_anew("INBOX", Some(8));
            stage.mailbox.deliver("INBOX", &mail("afterwards", None));
            stage.quiet().await;
            let words = stage.database.last_report().words;
            assert!(words.contains("new numbers"), "{words}");
        })
        .await;
    let titles = stage.database.titles();
    assert_eq!(titles.len(), 12, "{titles:?}");
    assert!(titles.contains(&"meanwhile".to_owned()) && titles.contains(&"afterwards".to_owned()));
    let ledger = stage.database.ledger();
    assert!(ledger.taken.iter().all(|(item, _)| !item.historic), "what came meanwhile is new");
    assert_eq!(ledger.taken.iter().filter(|(_, outcome)| *outcome == Outcome::Repeat).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_was_emptied_and_filled_again_is_read_on() {
    for pause in [0, 60] {
        let stage = Stage::inbox();
        stage
            .while_reading(async {
                stage.quiet().await;
                for number in 0..10 {
                    stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
                }
                stage.quiet().await;
                // Emptied by a server that begins to count again; it is noticed before something comes, or afterwards.
                while stage.mailbox.take("INBOX", 0).is_some() {}
                stage.mailbox.deal_anew("INBOX", None);
                tokio::time::sleep(Duration::from_secs(pause)).await;
                for number in 10..13 {
                    stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), None));
                }
                tokio::time::sleep(Duration::from_mins(1)).await;
            })
            .await;
        assert_eq!(stage.database.titles().len(), 13, "{pause}");
        assert_eq!(stage.database.count(Outcome::Attached), 0, "a UID that is dealt again is another mail's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_put_back_from_a_copy_is_noticed_even_when_it_has_grown_since() {
    let stage = Stage::inbox();
    stage.while_reading(stage.quiet()).await;
    let deliver = |number: u32| stage.mailbox.deliver("INBOX", &mail(&format!("{number}"), Some(&format!("{number}@x"))));
    stage
        .while_reading(async {
            for number in 0..10 {
                deliver(number);
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            stage.quiet().await;
        })
        .await;
    // The copy is five mails old; eight come before anybody looks.
    for _ in 0..5 {
        stage.mailbox.take("INBOX", 5);
    }
    stage.mailbox.deal_anew("INBOX", None);
    for number in 20..28 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        deliver(number);
    }
    stage.while_reading(stage.quiet()).await;
    assert_eq!(stage.database.titles().len(), 18);
    assert_eq!(stage.database.count(Outcome::Attached), 0);
}
