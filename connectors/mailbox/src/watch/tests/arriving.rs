//! What comes, and how soon.

use std::time::Duration;

use leadgate_core::ports::PullState;
use leadgate_core::receipt::Outcome;

use super::*;
use crate::settings::After;

#[tokio::test(start_paused = true)]
async fn the_first_reading_begins_with_what_comes_from_now_on() {
    let stage = Stage::inbox();
    stage.mailbox.deliver("INBOX", &mail("before", Some("0@x")));
    stage
        .while_reading(async {
            stage.quiet().await;
            assert_eq!(stage.database.titles(), Vec::<String>::new());
            stage.mailbox.deliver("INBOX", &mail("after", Some("1@x")));
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["after"]);
    // What came while nobody read is read afterwards, and nothing twice.
    stage.mailbox.deliver("INBOX", &mail("meanwhile", None));
    stage.while_reading(stage.quiet()).await;
    assert_eq!(stage.database.titles(), ["after", "meanwhile"]);
    let ledger = stage.database.ledger();
    let (item, _) = &ledger.taken[0];
    let keys: Vec<String> = item.keys.iter().map(|key| format!("{} {}", key.scope, key.value)).collect();
    assert_eq!(keys[0], "uid INBOX/7/2");
    assert!(keys[1].starts_with("message-id 1@x/"), "{keys:?}");
    assert_eq!((item.raw.content_type.as_str(), item.historic), ("message/rfc822", false));
    assert_eq!(item.draft.known_as[0].value, "1@x");
    assert!(item.occurred_at.is_some());
    let (item, _) = &ledger.taken[1];
    assert_eq!((item.keys[0].scope, item.keys[1].scope), ("uid", "mail"));
}

#[tokio::test(start_paused = true)]
async fn a_new_mail_is_a_lead_at_once_where_the_server_tells() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            assert_eq!(stage.database.last_report().state, PullState::Watching);
            tokio::time::sleep(Duration::from_mins(4)).await;
            for number in 0..3 {
                stage.mailbox.deliver("INBOX", &mail("new", Some(&format!("{number}@x"))));
                assert!(stage.quiet().await < Duration::from_millis(100));
            }
        })
        .await;
    assert_eq!(stage.database.titles().len(), 3);
    assert_eq!(stage.mailbox.world().opened, 1, "one connection does");
}

#[tokio::test(start_paused = true)]
async fn idle_is_asked_for_again_and_everything_is_looked_at_then() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            let looks = stage.mailbox.count("SEARCH");
            tokio::time::sleep(Duration::from_mins(46)).await;
            assert_eq!(stage.mailbox.count("SEARCH") - looks, 5, "every 9 minutes, whatever was told");
        })
        .await;
    assert!(stage.mailbox.world().log.iter().filter(|line| line.starts_with("IDLE")).all(|line| line == "IDLE 540"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_tell_is_asked() {
    let stage = Stage::inbox();
    stage.mailbox.world().idle = false;
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.mailbox.deliver("INBOX", &mail("new", None));
            assert!(stage.quiet().await <= Duration::from_secs(61));
            assert_eq!(stage.mailbox.count("IDLE"), 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_idle_and_fails_at_it_is_asked_instead() {
    // At once, or by saying nothing until its time is over.
    for after in [Duration::ZERO, Duration::from_mins(1)] {
        let stage = Stage::inbox();
        stage.mailbox.world().idle_breaks = Some(after);
        stage
            .while_reading(async {
                tokio::time::sleep(Duration::from_mins(10)).await;
                stage.mailbox.deliver("INBOX", &mail("new", None));
                assert!(stage.quiet().await <= Duration::from_secs(61));
                assert_eq!(stage.mailbox.count("IDLE"), 3);
                let words = stage.database.last_report().words;
                assert!(words.contains("every 60 s"), "{words}");
                // It is tried again after an hour, and what works then is believed.
                stage.mailbox.world().idle_breaks = None;
                tokio::time::sleep(Duration::from_mins(70)).await;
                assert!(stage.mailbox.count("IDLE") > 3);
                assert_eq!(stage.database.last_report().words, "");
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_breaks_while_it_waits_is_no_failure_of_idle() {
    let stage = Stage::inbox();
    stage.mailbox.world().idle_breaks = Some(Duration::from_mins(3));
    stage
        .while_reading(async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            assert!(stage.mailbox.count("IDLE") > 10);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn other_folders_are_looked_at_by_status_and_sent_mail_is_marked_so() {
    let watching =
        Watching { folders: vec!["INBOX".into(), "Заявки".into()], sent: vec!["Sent".into()], ..Watching::default() };
    let stage = Stage::new(&["INBOX", "Заявки", "Sent"], watching);
    stage
        .while_reading(async {
            stage.quiet().await;
            let selects = stage.mailbox.count("EXAMINE");
            tokio::time::sleep(Duration::from_mins(5)).await;
            assert_eq!(stage.mailbox.count("EXAMINE"), selects, "nothing new: STATUS does");
            stage.mailbox.deliver("Sent", &mail("by a manager", Some("s@x")));
            stage.mailbox.deliver("Заявки", &mail("from a form", Some("f@x")));
            assert!(stage.quiet().await <= Duration::from_secs(61));
            stage.mailbox.deliver("INBOX", &mail("new", Some("n@x")));
            assert!(stage.quiet().await < Duration::from_millis(100), "the first folder is still waited at");
        })
        .await;
    let ledger = stage.database.ledger();
    let outgoing: Vec<_> = ledger.taken.iter().map(|(item, _)| (item.draft.title.as_deref(), item.draft.outgoing)).collect();
    assert_eq!(outgoing, [(Some("from a form"), false), (Some("by a manager"), true), (Some("new"), false)]);
}

#[tokio::test(start_paused = true)]
async fn the_same_mail_in_two_folders_is_one() {
    let watching = Watching { folders: vec!["INBOX".into(), "B".into()], ..Watching::default() };
    let stage = Stage::new(&["INBOX", "B"], watching);
    stage
        .while_reading(async {
            stage.quiet().await;
            for id in [Some("1@x"), None] {
                stage.mailbox.deliver("INBOX", &mail("one", id));
                stage.mailbox.deliver("B", &mail("one", id));
                stage.quiet().await;
            }
            // Moved, with a copy that a program made.
            let moved = stage.mailbox.take("INBOX", 0).unwrap();
            stage.mailbox.put("B", moved.clone());
            stage.mailbox.put("B", moved);
            // The same id with another text is another mail.
            stage.mailbox.deliver("B", &mail("another", Some("1@x")));
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["one", "one", "another"]);
    assert_eq!(stage.database.count(Outcome::Repeat), 4);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_unless_asked_for() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.mailbox.deliver("INBOX", &mail("new", None));
            stage.quiet().await;
        })
        .await;
    assert_eq!(stage.mailbox.count("SELECT") + stage.mailbox.count("STORE") + stage.mailbox.count("MOVE"), 0);
}

#[tokio::test(start_paused = true)]
async fn mails_are_marked_after_they_are_committed() {
    for (after, flag) in [(After::Seen, "\\Seen"), (After::Keyword("$Lead".into()), "$Lead")] {
        let watching = Watching { after, sent: vec!["Sent".into()], ..Watching::default() };
        let stage = Stage::new(&["INBOX", "Sent"], watching);
        stage.mailbox.deliver("INBOX", &mail("before", None));
        stage
            .while_reading(async {
                stage.quiet().await;
                stage.mailbox.deliver("INBOX", &mail("new", None));
                stage.mailbox.deliver("Sent", &mail("sent", None));
                stage.quiet().await;
            })
            .await;
        assert_eq!(stage.mailbox.flags("INBOX"), [(1, vec![]), (2, vec![flag.to_owned()])]);
        assert_eq!(stage.mailbox.flags("Sent"), [(1, vec![])], "what managers sent is left alone");
        assert_eq!(stage.mailbox.count("EXAMINE INBOX"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn mails_are_moved_after_they_are_committed() {
    let stage = Stage::new(&["INBOX"], Watching { after: After::Move("Read".into()), ..Watching::default() });
    stage
        .while_reading(async {
            stage.quiet().await;
            for number in 0..5 {
                stage.mailbox.deliver("INBOX", &mail(&format!("new {number}"), None));
            }
            stage.quiet().await;
        })
        .await;
    assert_eq!((stage.mailbox.flags("INBOX").len(), stage.mailbox.flags("Read").len()), (0, 5));
    assert_eq!(stage.database.titles().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_mark_is_told_of_and_not_asked_for_ever() {
    let stage = Stage::new(&["INBOX"], Watching { after: After::Seen, ..Watching::default() });
    stage.mailbox.world().refuses_marks = true;
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.mailbox.deliver("INBOX", &mail("new", None));
            stage.quiet().await;
            tokio::time::sleep(Duration::from_hours(1)).await;
        })
        .await;
    assert_eq!(stage.database.titles(), ["new"]);
    assert_eq!(stage.mailbox.count("STORE"), 3);
    let words = stage.database.last_report().words;
    assert!(words.contains("not marked or moved") && words.contains("read-only mailbox"), "{words}");
    // A keyword it does not keep is not even tried.
    let stage = Stage::new(&["INBOX"], Watching { after: After::Keyword("A".into()), ..Watching::default() });
    stage.mailbox.world().keywords = false;
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.mailbox.deliver("INBOX", &mail("new", None));
            stage.quiet().await;
        })
        .await;
    assert_eq!((stage.database.titles().len(), stage.mailbox.count("STORE")), (1, 0));
    assert!(stage.database.last_report().words.contains("keeps no new keywords"));
}

#[tokio::test(start_paused = true)]
async fn files_are_kept_apart_and_large_ones_cut_out() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.mailbox.deliver("INBOX", &mail("one", Some("1@x")).replace("Subject", "File: offer.pdf\nSubject"));
            stage.quiet().await;
            stage.database.ledger().no_files = true;
            stage.mailbox.deliver("INBOX", &mail("two", Some("2@x")).replace("Subject", "File: offer.pdf\nSubject"));
            stage.quiet().await;
        })
        .await;
    let ledger = stage.database.ledger();
    let draft = &ledger.taken[0].0.draft;
    assert_eq!((draft.files.len(), draft.files[0].name.as_str(), draft.files[0].field.as_str()), (1, "offer.pdf", "attachment"));
    let draft = &ledger.taken[1].0.draft;
    assert_eq!((draft.files.len(), draft.fields[0].value.as_str()), (0, "offer.pdf: the disk is nearly full"));
}
