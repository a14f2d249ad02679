//! What a trial finds, and says.

use std::sync::Mutex;

use leadgate_core::ports::Finding;

use super::*;
use crate::settings::{After, Start};
use crate::watch::trial;

async fn findings(stage: &Stage) -> Vec<(bool, String)> {
    let found: Mutex<Vec<Finding>> = Mutex::default();
    trial::try_out(&stage.mailbox, &stage.settings, &|finding| found.lock().unwrap().push(finding)).await;
    found.into_inner().unwrap().into_iter().map(|finding| (finding.ok, finding.words)).collect()
}

fn has(found: &[(bool, String)], ok: bool, words: &str) -> bool {
    found.iter().any(|(well, said)| *well == ok && said.contains(words))
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_works_is_told_with_what_would_be_read_and_done() {
    let start = Start::Since("2026-11-20".parse().unwrap());
    let watching = Watching { sent: vec!["Sent".into()], start, after: After::Seen, ..Watching::default() };
    let stage = Stage::new(&["INBOX", "Sent"], watching);
    for day in 0..3 {
        let uid = stage.mailbox.deliver("INBOX", &mail("a mail", None));
        stage.mailbox.edit("INBOX", uid, |mail| mail.at -= jiff::SignedDuration::from_hours(24 * day));
    }
    let found = findings(&stage).await;
    assert!(found.iter().all(|(ok, _)| *ok), "{found:?}");
    for words in [
        "connected to imap.example.com:993 by TLS",
        "logged in as info@example.com",
        "at once (IDLE)",
        "2 folders: \"INBOX\", \"Sent\"",
        "the folder \"INBOX\": 3 mails are there, of which the 1 since 2026-11-20 are read",
        "what was read is marked as seen",
        "the folder of sent mail \"Sent\": 0 mails are there",
        "nothing is changed in it",
    ] {
        assert!(has(&found, true, words), "{words}: {found:?}");
    }
    // Nothing was read, and nothing was changed.
    assert_eq!((stage.database.ledger().commits, stage.mailbox.count("FETCH"), stage.mailbox.count("STORE")), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_failure_says_what_to_do() {
    let watching = Watching { folders: vec!["Nowhere".into(), "INBOX".into()], ..Watching::default() };
    let stage = Stage::new(&["INBOX"], watching);
    let found = findings(&stage).await;
    assert!(has(&found, false, "there is no folder \"Nowhere\": write the folder's name as it is listed above"), "{found:?}");
    assert!(
        has(&found, true, "the folder \"INBOX\": 0 mails are there, of which none is read"),
        "its neighbours are tried: {found:?}"
    );
    stage.mailbox.world().refuses = true;
    let found = findings(&stage).await;
    assert_eq!(found.len(), 1);
    assert!(has(&found, false, "wrong password"), "{found:?}");
    assert!(!found[0].1.contains("secret"));
}
