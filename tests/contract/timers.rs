//! What is due at a time, what is wrong until it is not any more, and who is answered.

use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::change::{Close, LeadChange, Stage};
use leadgate_core::ids::{LeadId, ManagerId, SourceId};
use leadgate_core::onward::{
    Alarm, CONTACT_WAITING, Detail, EventData, JobId, LEAD_WAITING, NewTimer, Timer, TimerEnd, event, of_address,
};
use leadgate_core::ports::{Store, Sweep};
use leadgate_core::receipt::Outcome;
use uuid::Uuid;

use crate::outbox::all;
use crate::support::{Backend, Db, Place, days, minutes, post, start};

const PHONE: &str = "+7 916 123-45-67";

/// A source whose leads are to be taken within ten minutes.
fn watched(db: Db) -> Db {
    db.with_routes(all("webhook:a")).with_source("site", |rules| rules.take_within = Some(minutes(10)))
}

impl Db {
    async fn due(&self, now: Timestamp) -> Vec<Timer> {
        self.store.due_timers(now, 100).await.unwrap()
    }

    fn end(&self, timer: &Timer, again: Option<Timestamp>) -> TimerEnd {
        let data = EventData { lead: timer.key.parse().ok().map(LeadId), ..EventData::default() };
        TimerEnd { timer: timer.clone(), again, news: Some(self.news(event::LEAD_WAITING, data)) }
    }

    async fn waiting_told(&self) -> usize {
        self.told().await.iter().filter(|(_, name)| name == event::LEAD_WAITING).count()
    }

    /// When the next is due.
    async fn next(&self) -> Option<Timestamp> {
        self.due(Timestamp::MAX).await.first().map(|timer| timer.due_at)
    }

    /// What timers there are: `kind key`.
    async fn timers(&self) -> Vec<String> {
        self.due(Timestamp::MAX).await.into_iter().map(|timer| format!("{} {}", timer.kind, timer.key)).collect()
    }
}

fn anna() -> ManagerId {
    ManagerId("anna".to_owned())
}

fn nothing() -> Vec<String> {
    Vec::new()
}

pub(crate) async fn timers_fire_once(db: Db) {
    let db = watched(db);
    let lead = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await.lead.unwrap();
    db.expect(Outcome::Attached, post(minutes(5)).phone(PHONE)).await;
    let due_at = start() + minutes(10);
    assert_eq!(db.next().await, Some(due_at));
    assert_eq!(db.due(due_at - minutes(1)).await, []);
    let site = SourceId::parse("site").unwrap();
    let timer = Timer { kind: LEAD_WAITING.to_owned(), key: lead.to_string(), due_at, source: Some(site) };
    let due = db.due(due_at).await;
    assert_eq!(due, std::slice::from_ref(&timer));
    // Two see it, one tells it.
    let end = || vec![db.end(&timer, None)];
    let (one, two) = tokio::join!(db.store.settle_timers(end()), db.store.settle_timers(end()));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(db.waiting_told().await, 1);
    assert_eq!(db.store.settle_timers(end()).await.unwrap(), 0);
    assert_eq!(db.next().await, None);
    // One that comes again is moved: as it was seen it does not stand any more.
    let digest = NewTimer { kind: "digest", key: "anna".to_owned(), due_at: start(), source: None };
    db.store.set_timers(vec![digest.clone(), NewTimer { key: "oleg".to_owned(), ..digest.clone() }]).await.unwrap();
    db.store.set_timers(vec![NewTimer { due_at: start() + days(9), ..digest }]).await.unwrap();
    let seen = db.due(start()).await;
    assert_eq!(seen.iter().map(|timer| timer.key.as_str()).collect::<Vec<_>>(), ["anna", "oleg"], "what is there stays");
    let moved = vec![db.end(&seen[0], Some(start() + days(1)))];
    assert_eq!(db.store.settle_timers(moved.clone()).await.unwrap(), 1);
    assert_eq!(db.store.settle_timers(moved).await.unwrap(), 0);
    assert_eq!(db.waiting_told().await, 2);
    assert_eq!(db.next().await, Some(start()));
    db.store.stop_timers(vec![("digest".to_owned(), "oleg".to_owned())]).await.unwrap();
    assert_eq!(db.next().await, Some(start() + days(1)));
    assert_eq!(db.store.due_timers(start() + days(2), 0).await.unwrap(), []);
}

pub(crate) async fn timers_are_void_when_somebody_acts(db: Db) {
    let db = watched(db);
    let ways = [
        LeadChange::Take(anna()),
        LeadChange::Stage(Stage::InProcess),
        LeadChange::Close(Close::Junk),
        LeadChange::Responsible(Some(anna())),
    ];
    for (n, way) in (10..).zip(ways) {
        let lead = db.expect(Outcome::Created, post(minutes(n)).phone(&format!("+7 916 123-45-{n}"))).await.lead.unwrap();
        let change = |change| db.store.change_lead(lead, vec![change], None, db.act(start() + minutes(n)));
        change(LeadChange::Note("not now".to_owned())).await.unwrap().unwrap();
        assert_eq!(db.timers().await, [format!("lead.waiting {lead}")], "a note is no taking");
        change(way).await.unwrap().unwrap();
        assert_eq!(db.timers().await, nothing());
    }
    // Somebody who came back waits, until a manager takes them.
    let first = db.expect(Outcome::Created, post(minutes(20)).phone(PHONE)).await;
    let (lead, contact) = (first.lead.unwrap(), first.contact.unwrap());
    let change = |changes| db.store.change_lead(lead, changes, None, db.act(start() + days(1)));
    change(vec![LeadChange::Close(Close::Converted)]).await.unwrap().unwrap();
    db.expect(Outcome::Returned, post(days(2)).phone(PHONE)).await;
    db.expect(Outcome::Returned, post(days(3)).phone(PHONE)).await;
    let due = db.due(Timestamp::MAX).await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].kind.as_str(), due[0].due_at), (CONTACT_WAITING, start() + days(2) + minutes(10)), "since the first");
    db.store.take_contact(contact, "anna".to_owned(), db.act(start() + days(4))).await.unwrap().unwrap();
    assert_eq!(db.timers().await, nothing());
    // Or until a lead of theirs is open again, by a person or by what they do.
    db.expect(Outcome::Returned, post(days(5)).phone(PHONE)).await;
    assert_eq!(db.timers().await, [format!("contact.waiting {contact}")]);
    change(vec![LeadChange::Reopen]).await.unwrap().unwrap();
    assert_eq!(db.timers().await, nothing());
    change(vec![LeadChange::Close(Close::Junk)]).await.unwrap().unwrap();
    db.execute("INSERT INTO timer (kind, key, due_at) SELECT 'contact.waiting', CAST(id AS text), 0 FROM contact").await;
    let again = db.expect(Outcome::Created, post(days(6)).phone(PHONE)).await;
    let timers = db.timers().await;
    assert!(!timers.contains(&format!("contact.waiting {contact}")), "{timers:?}");
    assert!(timers.contains(&format!("lead.waiting {}", again.lead.unwrap())), "{timers:?}");
    // A gateway that knows of no timers took the lead: nothing is told, although the timer stands.
    db.execute("UPDATE lead SET stage = 'PROCESSED' WHERE closed_at IS NULL").await;
    let told = db.told().await.len();
    let ends: Vec<_> = db.due(Timestamp::MAX).await.iter().map(|timer| db.end(timer, None)).collect();
    assert_eq!(db.store.settle_timers(ends.clone()).await.unwrap(), ends.len() as u64);
    assert_eq!(db.told().await.len(), told);
    assert_eq!(db.timers().await, nothing());
}

pub(crate) async fn alarms_are_raised_once(db: Db) {
    let db = db.with_routes(all("webhook:a"));
    let detail = |words: &str| Detail { words: words.to_owned(), ..Detail::default() };
    let alarm = |key: &str, n, words: &str| Alarm {
        name: event::SOURCE_SILENT,
        key: key.to_owned(),
        since: start() + minutes(n),
        detail: detail(words),
    };
    let news = |name| db.news(name, EventData { detail: Some(detail("told")), ..EventData::default() });
    let raise = async |alarm| db.store.raise(alarm, news(event::SOURCE_SILENT)).await.unwrap();
    let clear = async |key| db.store.clear(event::SOURCE_SILENT, key, Some(news(event::SOURCE_HEARD))).await.unwrap();
    assert!(raise(alarm("site", 5, "an hour")).await);
    assert!(!raise(alarm("site", 9, "two hours")).await, "it stands");
    assert!(raise(alarm("mail", 1, "a day")).await);
    let alarms = db.store.alarms().await.unwrap();
    let short: Vec<_> = alarms.iter().map(|one| (one.key.as_str(), one.since, one.detail.words.as_str())).collect();
    assert_eq!(
        short,
        [("mail", start() + minutes(1), "a day"), ("site", start() + minutes(5), "two hours")],
        "the oldest first, with what is said last"
    );
    assert!(clear("site").await);
    assert!(!clear("site").await, "it does not stand any more");
    assert!(db.store.clear(event::SOURCE_SILENT, "mail", None).await.unwrap());
    assert_eq!(db.store.alarms().await.unwrap(), []);
    assert!(raise(alarm("site", 9, "")).await, "once more");
    let told: Vec<String> = db.told().await.into_iter().map(|(_, name)| name).collect();
    assert_eq!(told, ["source.silent", "source.silent", "source.heard", "source.silent"]);
    let job = db.owed().await.remove(0);
    let job = db.store.job(job.id).await.unwrap().unwrap();
    assert_eq!(job.detail, Some(detail("told")));
}

pub(crate) async fn an_address_is_answered_once_a_day(db: Db) {
    let job = |n| JobId(Uuid::from_u128(n));
    let ask = async |n, address: &str, source: &str, most, minute| {
        let source = SourceId::parse(source).unwrap();
        db.store.may_answer(job(n), of_address(address), source, most, start() + minutes(minute)).await.unwrap()
    };
    assert!(ask(1, "anna@firma-mail.ru", "site", 2, 0).await);
    assert!(ask(1, "anna@firma-mail.ru", "site", 2, 1).await, "the same job once more: it was not delivered");
    assert!(!ask(2, "anna@firma-mail.ru", "shop", 2, 2).await, "today they were answered");
    assert!(ask(3, "boris@firma-mail.ru", "site", 2, 3).await);
    assert!(!ask(4, "vera@firma-mail.ru", "site", 2, 4).await, "two an hour");
    assert!(ask(3, "boris@firma-mail.ru", "site", 2, 5).await, "who is counted already");
    assert!(ask(5, "vera@firma-mail.ru", "shop", 2, 5).await, "another source has its own hour");
    assert!(ask(6, "galina@firma-mail.ru", "site", 2, 66).await, "the hour is over");
    assert!(!ask(7, "anna@firma-mail.ru", "site", 9, 23 * 60).await);
    assert!(ask(7, "anna@firma-mail.ru", "site", 9, 24 * 60 + 1).await);
    assert!(!ask(8, "denis@firma-mail.ru", "site", 0, 99 * 60).await);
    let sweep = Sweep { now: start() + days(1) + minutes(6), content_keys_before: start(), ..Sweep::default() };
    assert_eq!(db.store.sweep(sweep).await.unwrap(), 2, "boris and vera");
    assert_eq!(db.rows("answered").await.len(), 2);
}

/// Two gateways look for what is due, again and again: each timer is told of once, and one that comes again once each time.
async fn a_crowd(backend: Backend) {
    const TIMERS: usize = 200;
    const TIMES: i64 = 3;
    let db = Db::fresh(backend).await.with_routes(all("webhook:a"));
    let Place::Postgres(database) = &db.place else { panic!("a server") };
    let second: Arc<dyn Store> = Arc::new(database.open().await.unwrap());
    let timer = |n: usize| NewTimer { kind: "digest", key: n.to_string(), due_at: start(), source: None };
    db.store.set_timers((0..TIMERS).map(timer).collect()).await.unwrap();
    let db = Arc::new(db);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let (db, store) = (Arc::clone(&db), if task % 2 == 0 { Arc::clone(&db.store) } else { Arc::clone(&second) });
        tasks.spawn(async move {
            let mut told = 0;
            loop {
                let due = store.due_timers(start() + days(TIMES), 16).await.unwrap();
                if due.is_empty() {
                    return told;
                }
                let again = |timer: &Timer| Some(timer.due_at + days(1)).filter(|again| *again < start() + days(TIMES));
                told += store.settle_timers(due.iter().map(|timer| db.end(timer, again(timer))).collect()).await.unwrap();
            }
        });
    }
    let told: u64 = tasks.join_all().await.into_iter().sum();
    let expected = TIMERS * usize::try_from(TIMES).unwrap();
    assert_eq!(usize::try_from(told).unwrap(), expected);
    assert_eq!(db.rows("job").await.len(), expected);
    assert_eq!(db.next().await, None);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_fires() {
    a_crowd(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_fires_behind_a_pooler() {
    a_crowd(Backend::PgBouncer).await;
}
