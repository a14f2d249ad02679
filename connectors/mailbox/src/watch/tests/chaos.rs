//! Anything at any moment: every mail ends as exactly one submission that is no repeat.

use std::collections::{BTreeMap, BTreeSet};

use leadgate_core::receipt::Outcome;
use proptest::prelude::*;

use super::fake::{FakeMail, Poison};
use super::*;
use crate::settings::{After, Start};

/// What happens.
#[derive(Clone, Debug)]
enum Deed {
    Deliver {
        folder: usize,
        named: bool,
        poison: bool,
    },
    Copy {
        from: usize,
        index: usize,
    },
    Move {
        from: usize,
        index: usize,
    },
    Expunge {
        folder: usize,
        index: usize,
    },
    DealAnew {
        folder: usize,
    },
    Cut,
    /// The machine is switched off after so many steps.
    Die(u32),
    /// Another gateway takes the mailbox over.
    TakeOver,
    Backfill,
    Wait(u64),
}

const FOLDERS: [&str; 3] = ["INBOX", "B", "Sent"];

fn deed() -> impl Strategy<Value = Deed> {
    let folder = 0..FOLDERS.len();
    prop_oneof![
        8 => (folder.clone(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(folder, named, poison)| Deed::Deliver { folder, named, poison }),
        2 => (folder.clone(), 0..8_usize).prop_map(|(from, index)| Deed::Copy { from, index }),
        2 => (folder.clone(), 0..8_usize).prop_map(|(from, index)| Deed::Move { from, index }),
        1 => (folder.clone(), 0..8_usize).prop_map(|(folder, index)| Deed::Expunge { folder, index }),
        1 => folder.prop_map(|folder| Deed::DealAnew { folder }),
        2 => Just(Deed::Cut),
        4 => (0..40_u32).prop_map(Deed::Die),
        1 => Just(Deed::TakeOver),
        1 => Just(Deed::Backfill),
        3 => (0..200_u64).prop_map(Deed::Wait),
    ]
}

fn watching(after: After) -> Watching {
    let start = Start::Since("2026-11-19".parse().unwrap());
    Watching { folders: vec!["INBOX".into(), "B".into()], sent: vec!["Sent".into()], start, after, ..Watching::default() }
}

/// Lives through it; every mail that was not deleted, with how often it was taken.
async fn live(deeds: Vec<Deed>, after: After) -> Result<(), TestCaseError> {
    let stage = Stage::new(&FOLDERS, watching(after));
    let mut expected: BTreeMap<String, bool> = BTreeMap::new();
    let mut poisoned: BTreeSet<String> = BTreeSet::new();
    let disturbed = deeds.iter().any(|deed| matches!(deed, Deed::Cut | Deed::Die(_) | Deed::TakeOver));
    for number in 0..3 {
        let title = format!("before {number}");
        stage.mailbox.deliver("INBOX", &mail(&title, Some(&title)));
        expected.insert(title, true);
    }
    let (died, validity) = (tokio::sync::Notify::new(), std::cell::Cell::new(100));
    let doing = async {
        for (number, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Deliver { folder, named, poison } => {
                    let title = format!("mail {number}");
                    let uid = stage.mailbox.deliver(FOLDERS[folder], &mail(&title, named.then_some(&title)));
                    if poison {
                        poisoned.insert(title.clone());
                        stage.mailbox.edit(FOLDERS[folder], uid, |mail| mail.poison = Poison::Times(2));
                    }
                    expected.insert(title, true);
                }
                Deed::Copy { from, index } => {
                    let mail: Option<FakeMail> = stage.mailbox.world().folders[FOLDERS[from]].mails.get(index).cloned();
                    if let Some(mail) = mail {
                        stage.mailbox.put(FOLDERS[(from + 1) % 3], mail);
                    }
                }
                Deed::Move { from, index } => {
                    if let Some(mail) = stage.mailbox.take(FOLDERS[from], index) {
                        stage.mailbox.put(FOLDERS[(from + 1) % 3], mail);
                    }
                }
                Deed::Expunge { folder, index } => {
                    if let Some(mail) = stage.mailbox.take(FOLDERS[folder], index) {
                        let text = String::from_utf8(mail.raw.to_vec()).unwrap();
                        let title = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned();
                        expected.insert(title, false);
                    }
                }
                Deed::DealAnew { folder } => {
                    validity.set(validity.get() + 1);
                    stage.mailbox.deal_anew(FOLDERS[folder], Some(validity.get()));
                }
                Deed::Cut => stage.mailbox.cut(),
                Deed::Die(steps) => stage.mailbox.world().fuse = Some(steps),
                Deed::TakeOver => stage.database.ledger().fence += 1,
                Deed::Backfill => {
                    let since = "2026-11-01".parse().unwrap();
                    stage.database.ask(leadgate_core::ports::Ask::Backfill { since });
                }
                Deed::Wait(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            }
            // Others have their turn in between, more or less of it.
            for _ in 0..(number % 7) {
                tokio::task::yield_now().await;
            }
        }
        // Whatever was to die has died by now.
        tokio::time::sleep(Duration::from_mins(11)).await;
        stage.mailbox.world().fuse = None;
        died.notify_one();
        stage.quiet().await;
    };
    stage.while_reading(doing).await;
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for title in stage.database.titles() {
        *taken.entry(title).or_default() += 1;
    }
    // A mail that broke its fetch, and while it was read by itself the line broke, too, is taken for one that cannot be read: it is
    // told of in quarantine, and stays where it lies.
    let mut told = 0;
    for (title, stays) in expected {
        let times = taken.get(&title).copied().unwrap_or(0);
        let blamed = times == 0 && stays && disturbed && poisoned.contains(&title);
        told += usize::from(blamed);
        prop_assert!(times == 1 || (times == 0 && !stays) || blamed, "{title} was taken {times} times");
    }
    let quarantined = stage.database.count(Outcome::Quarantined);
    let most = if disturbed { poisoned.len() } else { 0 };
    prop_assert!(told <= quarantined && quarantined <= most, "{quarantined} in quarantine, {told} of which are nowhere else");
    prop_assert_eq!(stage.database.count(Outcome::Attached), 0);
    Ok(())
}

fn run(work: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_mail_is_taken_once_whatever_happens(deeds in prop::collection::vec(deed(), 0..40)) {
        run(live(deeds, After::Nothing))?;
    }

    #[test]
    fn and_so_where_mails_are_moved_away(deeds in prop::collection::vec(deed(), 0..30)) {
        run(live(deeds, After::Move("Read".to_owned())))?;
    }
}

/// The machine is switched off at each single step of a short life.
#[test]
fn a_death_at_any_step_loses_nothing_and_doubles_nothing() {
    for step in 0..140 {
        let deliver = |folder, named| Deed::Deliver { folder, named, poison: false };
        let deeds = vec![
            Deed::Die(step),
            Deed::Wait(1),
            deliver(0, true),
            deliver(1, false),
            Deed::Wait(90),
            deliver(2, true),
            deliver(0, false),
            Deed::DealAnew { folder: 0 },
            Deed::Wait(90),
            deliver(0, true),
        ];
        run(live(deeds, After::Seen)).unwrap_or_else(|error| panic!("step {step}: {error}"));
    }
}
