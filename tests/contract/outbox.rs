//! Deliveries that are owed: who makes them, who claims them, and what becomes of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::change::{ChangeError, Close, LeadChange};
use leadgate_core::ids::{ContactId, EventId, LeadId, NodeId, SourceId};
use leadgate_core::keeping::{Erasure, ErasureKey};
use leadgate_core::onward::{
    Brief, BriefOf, Claim, EventData, Job, JobDetail, JobEnd, JobFilter, JobId, JobState, JobView, Late, News, Pattern,
    Recipient, Route, Routes, Settled, Target, Want, event,
};
use leadgate_core::ports::{Act, Store, Sweep};
use leadgate_core::receipt::{IdentityState, Outcome};
use leadgate_core::replay::{Again, Decision, How, KeptFilter};
use leadgate_core::submission::Purpose;
use leadgate_core::views::PageAt;
use uuid::Uuid;

use crate::nodes::beat;
use crate::support::{Backend, Db, Place, Post, act, days, id_at, minutes, page, post, start};

const PHONE: &str = "+7 916 123-45-67";
const LONG: Duration = Duration::from_mins(1);
/// Over as soon as it is taken.
const OVER: Duration = Duration::ZERO;

pub(crate) fn node(n: u128) -> NodeId {
    NodeId(Uuid::from_u128(n))
}

pub(crate) fn route(target: &str, recipient: Recipient, events: &str, sources: Option<&str>) -> Route {
    Route {
        target: target.into(),
        recipient,
        // What is private can only be named, and by nobody's configuration.
        events: events.split(' ').map(|text| Pattern::parse(text).unwrap_or_else(|| Pattern::One(text.to_owned()))).collect(),
        sources: sources.map(|ids| ids.split(' ').map(|id| SourceId::parse(id).unwrap()).collect()),
        ordered: target.ends_with("ordered"),
    }
}

/// A webhook that hears of everything.
pub(crate) fn all(target: &str) -> Routes {
    Routes::new(vec![route(target, Recipient::Target, "*", None)])
}

impl Db {
    pub(crate) fn with_routes(mut self, routes: Routes) -> Self {
        Arc::make_mut(&mut self.rules).routes = Arc::new(routes);
        self
    }

    pub(crate) async fn bury(&self, targets: Vec<Target>, orphans_before: Timestamp, at: Timestamp) -> Vec<Late> {
        self.store.bury_jobs(targets, orphans_before, at, Arc::clone(&self.rules.routes)).await.unwrap()
    }

    /// A person's act of which the same hear as of what is delivered.
    pub(crate) fn act(&self, at: Timestamp) -> Act {
        Act { routes: Arc::clone(&self.rules.routes), ..act(at) }
    }

    /// All jobs, the oldest first.
    pub(crate) async fn owed(&self) -> Vec<JobView> {
        let mut jobs = self.store.jobs(JobFilter::default(), page(500)).await.unwrap().items;
        jobs.reverse();
        jobs
    }

    /// Targets and events of what is owed.
    pub(crate) async fn told(&self) -> Vec<(String, String)> {
        self.owed().await.into_iter().map(|job| (job.target, job.event)).collect()
    }

    async fn claimed(&self, who: NodeId, target: &str, most: u32, now: Timestamp, lasts: Duration) -> Vec<Job> {
        let want = vec![Want { target: target.to_owned(), most }];
        self.store.claim_jobs(want, Claim { node: who, now, lasts, silence: LONG, frees: true }).await.unwrap()
    }

    async fn settle(&self, job: &Job, end: JobEnd, words: &str) {
        let at = start() + days(1);
        let settled = Settled { seq: job.seq, attempt: job.attempt, at, end, words: words.to_owned() };
        self.store.settle_jobs(vec![settled], Vec::new()).await.unwrap();
    }

    /// Something about a lead that nobody made.
    async fn about(&self, lead: i64) {
        let data = EventData { lead: Some(LeadId(lead)), ..EventData::default() };
        self.store.tell(self.news(event::LEAD_UPDATED, data)).await.unwrap();
    }

    pub(crate) fn news(&self, name: &'static str, data: EventData) -> News {
        let routes = Arc::clone(&self.rules.routes);
        News { id: EventId(id_at(start())), name, at: start(), source: None, data, routes }
    }

    async fn detail(&self, job: &Job) -> JobDetail {
        self.store.job(job.id).await.unwrap().unwrap()
    }
}

fn pair(target: &str, event: &str) -> (String, String) {
    (target.to_owned(), event.to_owned())
}

// --------------------------------------------------------------------------------------------------------------- owing

pub(crate) async fn routes_make_jobs_with_their_events(db: Db) {
    let db = db.with_routes(Routes::new(vec![
        route("webhook:crm-ordered", Recipient::Target, "lead.*", Some("site")),
        route("mail", Recipient::Manager("anna".to_owned()), "lead.created", None),
        route("mail", Recipient::Address("boss@firma.ru".to_owned()), "submission.*", None),
    ]));
    let lead = db.expect(Outcome::Created, post(minutes(0)).name("Marker").phone(PHONE)).await;
    db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE)).await;
    db.expect(Outcome::Created, post(minutes(2)).source("other").phone("+7 916 123-45-68")).await;
    db.expect(Outcome::Spam, post(minutes(3)).spam()).await;
    db.expect(Outcome::Repeat, post(minutes(4)).phone(PHONE).edit(|s| s.id = lead.submission)).await;
    let told = db.told().await;
    assert_eq!(
        told,
        [
            pair("webhook:crm-ordered", "lead.created"),
            pair("mail", "lead.created"),
            pair("webhook:crm-ordered", "lead.attached"),
            pair("mail", "lead.created"),
            pair("mail", "submission.spam"),
        ]
    );
    let first = &db.owed().await[0];
    assert_eq!(
        (first.lead, first.contact, first.state, first.at, first.due_at),
        (lead.lead, lead.contact, JobState::Waiting, start(), start())
    );
    assert_eq!((first.to.as_str(), first.attempts, first.ended_at, first.words.as_str()), ("", 0, None, ""));
    assert_eq!(db.owed().await[1].to, "manager:anna");
    let rows = db.rows("job").await;
    assert!(rows.iter().all(|row| !row.contains("Marker") && !row.contains("1234567")), "nothing of a customer: {rows:?}");
    let events = db.rows("event").await;
    assert!(events.iter().any(|row| row.to_lowercase().contains(&first.event_id.simple().to_string())));
}

pub(crate) async fn what_is_not_fresh_owes_nothing(db: Db) {
    let db = db.with_routes(all("webhook:a")).with_source("site", |rules| rules.take_within = Some(minutes(10)));
    db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).edit(|s| s.historic = true)).await;
    db.expect(Outcome::Test, post(minutes(1)).phone(PHONE).edit(|s| s.purpose = Purpose::Test)).await;
    assert_eq!(db.owed().await, []);
    assert_eq!(db.store.due_timers(Timestamp::MAX, 1).await.unwrap(), []);
    // Nor does what is done to a test.
    let test = db.rows("lead").await.into_iter().find(|row| row.contains(" test=1")).unwrap();
    let test = LeadId(crate::support::column(&test, "id").parse().unwrap());
    db.store.change_lead(test, vec![LeadChange::Close(Close::Junk)], None, db.act(start())).await.unwrap().unwrap();
    assert_eq!(db.owed().await, []);
    // Read again it tells nobody; let in by a person it is as good as fresh.
    let again = async |post: &Post, how: How| {
        let filter = KeptFilter { ids: vec![post.0.id], dropped: true, ..KeptFilter::default() };
        let seen = db.store.kept(filter, None, 1).await.unwrap().remove(0).receipt;
        let item = db.prepare(post.clone().edit(|s| s.hold = None));
        db.store.record_again(vec![Arc::new(Again { item, seen, how })], Arc::clone(&db.rules), false).await.unwrap();
    };
    let quiet = post(minutes(2)).phone("+7 916 123-45-60").edit(|s| s.purpose = Purpose::Note);
    db.expect(Outcome::Noted, quiet.clone()).await;
    let before = db.owed().await.len();
    again(&quiet.edit(|s| s.purpose = Purpose::Lead), How::Replay).await;
    assert_eq!((db.owed().await.len(), db.rows("lead").await.len()), (before, 3), "a lead, and nobody hears of it");
    let held = post(minutes(3)).phone("+7 916 123-45-61").held(true);
    db.expect(Outcome::Quarantined, held.clone()).await;
    again(&held, How::Release(Decision { actor: "api:anna".to_owned(), at: start() + days(1) })).await;
    let told: Vec<String> = db.told().await.into_iter().map(|(_, event)| event).collect();
    assert_eq!(told[before..], ["submission.quarantined", "contact.created", "lead.created"]);
}

pub(crate) async fn acts_owe_what_they_tell(db: Db) {
    let db = db.with_routes(Routes::new(vec![route(
        "webhook:a",
        Recipient::Target,
        "lead.updated lead.closed activity.* contact.*",
        Some("site"),
    )]));
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let other = db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE).email("b@firma-mail.ru")).await;
    let (lead, contact) = (first.lead.unwrap(), first.contact.unwrap());
    let at = |n| db.act(start() + days(n));
    let changes = |change| db.store.change_lead(lead, vec![change], None, at(1));
    changes(LeadChange::Note("called".to_owned())).await.unwrap().unwrap();
    let moved = db.store.detach(other.activity.unwrap(), at(2)).await.unwrap().unwrap();
    db.store.undo_move(moved.id, at(3)).await.unwrap().unwrap();
    changes(LeadChange::Close(Close::Converted)).await.unwrap().unwrap();
    db.expect(Outcome::Returned, post(days(4)).phone(PHONE)).await;
    db.store.take_contact(contact, "anna".to_owned(), at(5)).await.unwrap().unwrap();
    let names: Vec<String> = db.told().await.into_iter().map(|(_, event)| event).collect();
    let expected = [
        "contact.created",
        "lead.updated",
        "activity.detached",
        "activity.restored",
        "lead.closed",
        "contact.returned",
        "contact.taken",
    ];
    assert_eq!(names, expected);
    let jobs = db.owed().await;
    assert_eq!((jobs[1].lead, jobs[1].contact), (Some(lead), Some(contact)));
    assert_eq!((jobs[6].lead, jobs[6].contact), (None, Some(contact)));
    let claimed = db.claimed(node(1), "webhook:a", 10, start() + days(9), LONG).await;
    assert_eq!((claimed[0].data.by.as_deref(), claimed[1].data.by.as_deref()), (None, Some("api:test")));
    assert!(claimed[1].data.activity.is_some(), "the note");
    // A refused act owes nothing, and one that nobody hears of neither.
    let refused = db.store.take_contact(contact, "anna".to_owned(), at(6)).await.unwrap();
    assert!(matches!(refused, Err(ChangeError::NotPossible(_))));
    db.store.change_lead(lead, vec![LeadChange::Reopen], None, act(start() + days(7))).await.unwrap().unwrap();
    assert_eq!(db.owed().await.len(), 7);
}

// ------------------------------------------------------------------------------------------------------------- claiming

pub(crate) async fn a_claim_is_one_gateways(db: Db) {
    let db = db.with_routes(all("webhook:a"));
    for _ in 0..3 {
        db.about(7).await;
    }
    let (one, two) = (node(1), node(2));
    assert_eq!(db.claimed(one, "webhook:b", 9, start(), LONG).await, [], "nobody owes it anything");
    assert_eq!(db.claimed(one, "webhook:a", 9, start() - minutes(1), LONG).await, [], "not yet due");
    assert_eq!(db.claimed(one, "webhook:a", 0, start(), LONG).await, []);
    let mine = db.claimed(one, "webhook:a", 2, start(), LONG).await;
    let theirs = db.claimed(two, "webhook:a", 9, start(), OVER).await;
    assert_eq!((mine.len(), theirs.len()), (2, 1));
    assert!(mine[0].seq < mine[1].seq && mine[1].seq < theirs[0].seq);
    assert_eq!((mine[0].attempt, mine[0].at, mine[0].since, &mine[0].recipient), (1, start(), start(), &Recipient::Target));
    assert_eq!((mine[0].name.as_str(), mine[0].data.lead), ("lead.updated", Some(LeadId(7))));
    // It ran out by the database's clock: another may have it, and whoever was slow writes nothing.
    let again = db.claimed(one, "webhook:a", 9, start(), LONG).await;
    assert_eq!((again.len(), again[0].seq, again[0].attempt), (1, theirs[0].seq, 2));
    db.settle(&theirs[0], JobEnd::Done(vec![("message-id".to_owned(), "stale".to_owned())]), "200").await;
    let detail = db.detail(&again[0]).await;
    assert_eq!((detail.job.state, detail.job.words.as_str(), detail.refs.len()), (JobState::Sending, "", 0));
    db.settle(&again[0], JobEnd::Retry(start() + minutes(5)), "503").await;
    let detail = db.detail(&again[0]).await.job;
    assert_eq!((detail.state, detail.attempts, detail.due_at), (JobState::Waiting, 2, start() + minutes(5)));
    assert_eq!((detail.words.as_str(), detail.ended_at), ("503", None));
    // Who leaves gives everything back.
    db.store.leave(one).await.unwrap();
    let back = db.claimed(two, "webhook:a", 9, start(), LONG).await;
    assert_eq!(back.iter().map(|job| (job.seq, job.attempt)).collect::<Vec<_>>(), [(mine[0].seq, 2), (mine[1].seq, 2)]);
    db.settle(&mine[0], JobEnd::Dead, "too late").await;
    db.settle(&back[0], JobEnd::Done(Vec::new()), "200 OK").await;
    db.settle(&back[0], JobEnd::Dead, "twice").await;
    let detail = db.detail(&back[0]).await.job;
    assert_eq!((detail.state, detail.words.as_str(), detail.ended_at), (JobState::Done, "200 OK", Some(start() + days(1))));
    // What follows is told in the same transaction.
    let end = |job: &Job| Settled { seq: job.seq, attempt: job.attempt, at: start(), end: JobEnd::Dead, words: "410".to_owned() };
    let news = db.news(event::DELIVERY_DEAD, EventData::default());
    db.store.settle_jobs(vec![end(&back[1])], vec![news]).await.unwrap();
    assert_eq!(db.told().await.last(), Some(&pair("webhook:a", "delivery.dead")));
    assert_eq!(db.detail(&back[1]).await.job.state, JobState::Dead);
}

pub(crate) async fn a_silent_gateway_holds_nothing(db: Db) {
    let db = db.with_routes(all("webhook:a"));
    for _ in 0..3 {
        db.about(7).await;
    }
    let (silent, awake, unknown) = (node(1), node(2), node(3));
    db.store.beat(beat(1), LONG * 60).await.unwrap();
    db.store.beat(beat(2), LONG * 60).await.unwrap();
    let lost = db.claimed(silent, "webhook:a", 1, start(), LONG * 60).await.remove(0);
    assert_eq!(db.claimed(unknown, "webhook:a", 1, start(), LONG * 60).await.len(), 1, "it has not had the time to tell");
    assert_eq!(db.claimed(awake, "webhook:a", 1, start(), LONG * 60).await.len(), 1);
    let age = "UPDATE node SET seen_at = seen_at - 50000000 WHERE name = 'machine-1'";
    db.execute(age).await;
    assert_eq!(db.claimed(awake, "webhook:a", 9, start(), LONG).await, [], "nobody was silent for long");
    db.execute(age).await;
    assert_eq!(db.claimed(silent, "webhook:a", 9, start(), LONG).await, [], "nobody takes their own for lost");
    let taken = db.claimed(awake, "webhook:a", 9, start(), LONG).await;
    assert_eq!(taken.iter().map(|job| (job.seq, job.attempt)).collect::<Vec<_>>(), [(lost.seq, 2)]);
    // Whoever wakes up writes nothing of what is another's.
    db.settle(&lost, JobEnd::Dead, "too late").await;
    assert_eq!(db.detail(&taken[0]).await.job.state, JobState::Sending);
}

pub(crate) async fn a_lane_keeps_its_order(db: Db) {
    let db = db.with_routes(Routes::new(vec![
        route("webhook:ordered", Recipient::Target, "*", None),
        route("webhook:loose", Recipient::Target, "*", None),
    ]));
    for lead in [1, 1, 2, 1] {
        db.about(lead).await;
    }
    let claim = async |now| db.claimed(node(1), "webhook:ordered", 9, now, LONG).await;
    let leads = |jobs: &[Job]| jobs.iter().map(|job| job.data.lead.unwrap().0).collect::<Vec<_>>();
    let first = claim(start()).await;
    assert_eq!(leads(&first), [1, 2], "one of each lead");
    assert_eq!(claim(start()).await, [], "while it is being delivered, nothing follows it");
    assert_eq!(db.claimed(node(1), "webhook:loose", 9, start(), LONG).await.len(), 4, "another target is another matter");
    // While it waits to be tried again, too, and nobody is told to come before.
    db.settle(&first[0], JobEnd::Retry(start() + minutes(9)), "").await;
    assert_eq!(claim(start()).await, []);
    let ordered = || vec!["webhook:ordered".to_owned()];
    assert_eq!(db.store.next_job(ordered()).await.unwrap(), Some(start() + minutes(9)));
    let again = claim(start() + minutes(9)).await;
    assert_eq!(again.iter().map(|job| job.seq).collect::<Vec<_>>(), [first[0].seq]);
    // Given up, it frees its successors.
    db.settle(&again[0], JobEnd::Dead, "").await;
    let second = claim(start()).await;
    assert_eq!(leads(&second), [1]);
    assert_eq!(db.store.next_job(ordered()).await.unwrap(), None, "the last waits for it");
    // One that is held does not.
    db.execute("UPDATE job SET state = 'held', node = NULL, claimed_until = NULL WHERE state = 'sending' AND lane = 1").await;
    assert_eq!(claim(start()).await, []);
    let filter = JobFilter { id: Some(second[0].id), ..JobFilter::default() };
    assert_eq!(db.store.drop_jobs(filter, start()).await.unwrap(), 1);
    assert_eq!(leads(&claim(start()).await), [1]);
}

pub(crate) async fn nobody_delays_another(db: Db) {
    let db = db.with_routes(all("webhook:dead"));
    let data = EventData::default();
    for _ in 0..10 {
        let posts = (0..100).map(|n| post(minutes(n))).collect();
        db.try_record(posts).await.unwrap();
    }
    let db = db.with_routes(all("webhook:live"));
    db.store.tell(db.news(event::DISK_LOW, data)).await.unwrap();
    let wants = ["webhook:dead", "webhook:live"].map(|target| Want { target: target.to_owned(), most: 4 }).to_vec();
    let now = start() + days(1);
    let claimed =
        db.store.claim_jobs(wants, Claim { node: node(1), now, lasts: LONG, silence: LONG, frees: true }).await.unwrap();
    let live = claimed.iter().filter(|job| job.target == "webhook:live").count();
    assert_eq!((claimed.len(), live), (5, 1));
    assert!(claimed.is_sorted_by_key(|job| (job.at, job.seq)), "the longest due first");
    assert!(claimed.iter().all(|job| job.at <= start()), "of each target the longest due");
    // What was not tried counts for nothing.
    db.settle(&claimed[0], JobEnd::Postponed(now), "the breaker is open").await;
    let postponed = db.detail(&claimed[0]).await.job;
    assert_eq!((postponed.state, postponed.attempts, postponed.due_at), (JobState::Waiting, 0, now));
    let targets = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(db.store.next_job(targets(&["webhook:live"])).await.unwrap(), None);
    assert!(db.store.next_job(targets(&["webhook:live", "webhook:dead"])).await.unwrap() <= Some(start()));
    let counts = db.store.job_counts().await.unwrap();
    let count =
        |target: &str, state| counts.iter().find(|(t, s, _)| t == target && *s == state).map_or(0, |(_, _, count)| *count);
    let dead = count("webhook:dead", JobState::Waiting);
    assert_eq!(dead + count("webhook:dead", JobState::Sending), 1000);
    assert_eq!(count("webhook:live", JobState::Sending), 1);
}

// -------------------------------------------------------------------------------------------------------------- looking

pub(crate) async fn people_look_retry_and_drop(db: Db) {
    let db = db.with_routes(Routes::new(vec![
        route("webhook:a", Recipient::Target, "*", None),
        route("mail", Recipient::Address("boss@firma.ru".to_owned()), "*", None),
    ]));
    for lead in 1..=4 {
        db.about(lead).await;
    }
    let all = db.owed().await;
    assert_eq!(all.len(), 8);
    let first = db.store.jobs(JobFilter::default(), page(5)).await.unwrap();
    let rest = PageAt { after: first.next.clone(), limit: 5 };
    let rest = db.store.jobs(JobFilter::default(), rest).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (5, 3, None));
    assert_eq!(first.items[0], all[7], "newest first");
    let of_target = |target: &str| JobFilter { target: Some(target.to_owned()), ..JobFilter::default() };
    let in_state = |state| JobFilter { states: vec![state], ..JobFilter::default() };
    let ids = async |filter| -> Vec<i64> {
        let found = db.store.jobs(filter, page(9)).await.unwrap().items;
        found.into_iter().map(|job| job.lead.unwrap().0).collect()
    };
    assert_eq!(ids(of_target("mail")).await, [4, 3, 2, 1]);
    assert_eq!(ids(JobFilter { lead: Some(LeadId(3)), ..of_target("mail") }).await, [3]);
    assert_eq!(ids(in_state(JobState::Dead)).await, [0_i64; 0]);
    assert_eq!(db.store.job(JobId(Uuid::from_u128(1))).await.unwrap(), None);

    let jobs = db.claimed(node(1), "webhook:a", 9, start(), LONG).await;
    let known = vec![("message-id".to_owned(), "<a@x>".to_owned()), ("crm".to_owned(), "17".to_owned())];
    db.settle(&jobs[0], JobEnd::Done(known), "200").await;
    db.settle(&jobs[1], JobEnd::Dead, "404").await;
    let detail = db.detail(&jobs[0]).await;
    assert_eq!(detail.refs, [("crm".to_owned(), "17".to_owned()), ("message-id".to_owned(), "<a@x>".to_owned())]);
    assert_eq!(db.store.job_by_ref("message-id", "<a@x>").await.unwrap(), Some(detail));
    assert_eq!(db.store.job_by_ref("crm", "<a@x>").await.unwrap(), None);
    // What is being delivered or was is left alone.
    let later = start() + days(2);
    assert_eq!(db.store.drop_jobs(of_target("webhook:a"), later).await.unwrap(), 1, "the dead one");
    assert_eq!(ids(in_state(JobState::Dropped)).await, [2]);
    assert_eq!(db.detail(&jobs[1]).await.job.ended_at, Some(later));
    assert_eq!(db.store.retry_jobs(of_target("webhook:a"), later).await.unwrap(), 1);
    let retried = db.detail(&jobs[1]).await.job;
    assert_eq!((retried.state, retried.attempts, retried.due_at, retried.ended_at), (JobState::Waiting, 1, later, None));
    let again = db.claimed(node(1), "webhook:a", 9, later, LONG).await;
    assert_eq!((again.len(), again[0].attempt, again[0].at, again[0].since), (1, 2, start(), later));
    assert_eq!(db.store.retry_jobs(JobFilter { lead: Some(LeadId(9)), ..JobFilter::default() }, later).await.unwrap(), 0);
}

pub(crate) async fn what_waits_too_long_is_given_up(db: Db) {
    let db = db.with_routes(Routes::new(vec![
        route("webhook:a", Recipient::Target, "*", None),
        route("webhook:gone", Recipient::Target, "*", None),
    ]));
    for lead in 0..300 {
        db.about(lead % 3).await;
    }
    let claimed = db.claimed(node(1), "webhook:a", 1, start(), LONG).await;
    let target = |dead_before| vec![Target { name: "webhook:a".to_owned(), dead_before }];
    let at = start() + days(3);
    let bury = async |before, orphans| db.bury(target(before), orphans, at).await;
    assert_eq!(bury(start(), start()).await, [], "as old as that is not older");
    let after = start() + SignedDuration::from_micros(1);
    let late = |target: &str, count| Late { target: target.to_owned(), count };
    assert_eq!(bury(after, start()).await, [late("webhook:a", 256)]);
    assert_eq!(bury(after, start()).await, [late("webhook:a", 43)], "not the one that is being delivered");
    assert_eq!(bury(start(), after).await, [late("webhook:gone", 256)]);
    let buried = db.owed().await.into_iter().find(|job| job.state == JobState::Dead).unwrap();
    assert_eq!((buried.ended_at, buried.words.is_empty()), (Some(at), false));
    // A person's word begins the time anew.
    let dead = JobFilter { states: vec![JobState::Dead], target: Some("webhook:a".to_owned()), ..JobFilter::default() };
    assert_eq!(db.store.retry_jobs(dead, at).await.unwrap(), 299);
    assert_eq!(bury(after, start()).await, []);
    db.settle(&claimed[0], JobEnd::Done(Vec::new()), "").await;
    // What ended goes in its time.
    let sweep = Sweep { now: at, content_keys_before: start(), ..Sweep::default() };
    assert_eq!(db.store.sweep(sweep).await.unwrap(), 0);
    let sweep = Sweep { jobs_before: Some(at), ..sweep };
    assert_eq!(db.store.sweep(sweep).await.unwrap(), 1, "the delivered one");
    assert_eq!(db.store.job(claimed[0].id).await.unwrap(), None);
}

pub(crate) async fn an_answer_to_a_customer_is_given_up_by_an_attempt_alone(db: Db) {
    let db = db.with_routes(Routes::new(vec![
        route("mail", Recipient::Relay, "*", None),
        route("mail", Recipient::Responsible, "*", None),
        route("gone", Recipient::Relay, "*", None),
    ]));
    db.about(1).await;
    let at = start() + days(3);
    let target = Target { name: "mail".to_owned(), dead_before: at };
    let late = |target: &str| Late { target: target.to_owned(), count: 1 };
    assert_eq!(db.bury(vec![target.clone()], start(), at).await, [late("mail")]);
    let waiting =
        async || db.owed().await.into_iter().filter(|job| job.state == JobState::Waiting).map(|job| (job.target, job.to));
    let relay = |target: &str| (target.to_owned(), "relay".to_owned());
    assert_eq!(waiting().await.collect::<BTreeSet<_>>(), BTreeSet::from([relay("mail"), relay("gone")]));
    // Nobody attempts what goes to a target that is gone.
    assert_eq!(db.bury(vec![target], at, at).await, [late("gone")]);
    assert_eq!(waiting().await.collect::<Vec<_>>(), [relay("mail")]);
}

pub(crate) async fn briefs_tell_what_stands(db: Db) {
    let first = post(minutes(0)).name("Анна").phone(PHONE).utm("ya").message("hello");
    let receipt = db.expect(Outcome::Created, first).await;
    let second = db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE).email("anna@firma-mail.ru").proven().utm("go")).await;
    let held = db.expect(Outcome::Quarantined, post(minutes(2)).held(true)).await;
    let (lead, contact) = (receipt.lead, receipt.contact);
    let of = BriefOf { lead, contact, activity: receipt.activity, submission: None };
    let unknown = BriefOf { lead: Some(LeadId(99)), contact: Some(ContactId(99)), ..BriefOf::default() };
    let waits = BriefOf { submission: Some(held.submission), ..BriefOf::default() };
    let only = BriefOf { lead, ..BriefOf::default() };
    let briefs = db.store.briefs(vec![of, unknown, waits, only, of, BriefOf::default()]).await.unwrap();
    assert_eq!((briefs.len(), &briefs[0]), (6, &briefs[4]));
    assert_eq!((&briefs[1], &briefs[5]), (&Brief::default(), &Brief::default()));
    let told = briefs[0].lead.as_ref().unwrap();
    let detail = db.lead_of(&receipt).await;
    assert_eq!(
        (told.id, told.number, told.name.as_str(), told.title.as_str()),
        (detail.uuid, lead.unwrap(), "Анна", detail.lead.title.as_str())
    );
    assert_eq!((told.first_touch.get("utm_source"), told.last_touch.get("utm_source")), (Some("ya"), Some("go")));
    let person = briefs[0].contact.as_ref().unwrap();
    let values: Vec<_> = person.identities.iter().map(|one| (one.kind.as_str(), one.value.as_str())).collect();
    assert_eq!(values, [("phone", "+79161234567"), ("email", "anna@firma-mail.ru")], "the oldest first");
    assert_eq!((person.name.as_str(), person.identities[0].state), ("Анна", IdentityState::Active));
    assert_eq!(briefs[3].contact, briefs[0].contact, "the lead's, if none is named");
    let activity = briefs[0].activity.as_ref().unwrap();
    assert_eq!((activity.content.message.as_deref(), activity.occurred_at), (Some("hello"), start()));
    let waits = briefs[2].submission.as_ref().unwrap();
    assert_eq!((waits.id, waits.received_at), (held.submission, start() + minutes(2)));
    assert!(!waits.reasons.is_empty());
    // One that was merged is the other.
    let other = db.expect(Outcome::Created, post(minutes(3)).name("Вера").phone("+7 916 123-45-68")).await;
    db.execute("UPDATE contact SET merged_into = (SELECT min(id) FROM contact) WHERE name = 'Вера'").await;
    let merged = BriefOf { contact: other.contact, ..BriefOf::default() };
    assert_eq!(db.store.briefs(vec![merged]).await.unwrap()[0].contact, briefs[0].contact);
    assert_eq!(second.contact, contact);
}

pub(crate) async fn nothing_is_owed_of_who_was_erased(db: Db) {
    let db = db.with_routes(all("webhook:a")).with_source("site", |rules| rules.take_within = Some(minutes(10)));
    let receipt = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    db.expect(Outcome::Attached, post(minutes(1)).phone(PHONE)).await;
    let other = db.expect(Outcome::Created, post(minutes(2)).phone("+7 916 123-45-68")).await;
    let jobs = db.claimed(node(1), "webhook:a", 2, start() + minutes(1), LONG).await;
    db.settle(&jobs[0], JobEnd::Done(vec![("message-id".to_owned(), "m1".to_owned())]), "200").await;
    let erasure = || Erasure {
        contact: receipt.contact.unwrap(),
        reason: "asked for it".to_owned(),
        key: ErasureKey::new([7; 32]),
        also: Vec::new(),
    };
    db.store.erase(erasure(), db.act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!(db.store.job_by_ref("message-id", "m1").await.unwrap(), None);
    assert_eq!(db.rows("job_ref").await, Vec::<String>::new());
    let left = async || -> Vec<(String, JobState)> {
        db.owed().await.into_iter().filter(|job| job.contact != other.contact).map(|job| (job.event, job.state)).collect()
    };
    let states = left().await;
    let done = states.iter().filter(|(_, state)| *state == JobState::Done).count();
    let dropped = states.iter().filter(|(_, state)| *state == JobState::Dropped).count();
    assert_eq!((done, dropped), (1, states.len() - 2), "{states:?}");
    assert_eq!(states.last(), Some(&("contact.erased".to_owned(), JobState::Waiting)), "that it was done is told");
    db.settle(&jobs[1], JobEnd::Done(Vec::new()), "200").await;
    assert_eq!(left().await, states, "whoever was delivering it is too late");
    assert_eq!(db.rows("timer").await.len(), 1, "the other's");
    // Once more it takes nothing away from what is told of the first time.
    db.store.erase(erasure(), db.act(start() + days(2))).await.unwrap().unwrap();
    assert_eq!(left().await, states);
    // It is told of where the person came from, if only that is listened to.
    let db = db.with_routes(Routes::new(vec![route("webhook:site", Recipient::Target, "contact.erased", Some("site"))]));
    let erasure = Erasure { contact: other.contact.unwrap(), ..erasure() };
    db.store.erase(erasure, db.act(start() + days(3))).await.unwrap().unwrap();
    assert_eq!(db.told().await.last(), Some(&pair("webhook:site", "contact.erased")));
    assert_eq!(db.rows("timer").await, Vec::<String>::new());
}

// ------------------------------------------------------------------------------------------------------ several gateways

/// Eight workers of two gateways claim what is owed: each job is had by one.
async fn a_crowd(backend: Backend) {
    let db = Db::fresh(backend).await.with_routes(Routes::new(vec![
        route("webhook:ordered", Recipient::Target, "*", None),
        route("webhook:loose", Recipient::Target, "*", None),
    ]));
    let Place::Postgres(database) = &db.place else { panic!("a server") };
    let second: Arc<dyn Store> = Arc::new(database.open().await.unwrap());
    for lead in 0..250 {
        db.about(lead % 25).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_u128 {
        let store = if task % 2 == 0 { Arc::clone(&db.store) } else { Arc::clone(&second) };
        tasks.spawn(async move {
            let mut had = Vec::new();
            loop {
                let wants = ["webhook:ordered", "webhook:loose"].map(|target| Want { target: target.to_owned(), most: 7 });
                let claim = Claim { node: node(task), now: start(), lasts: Duration::from_mins(10), silence: LONG, frees: true };
                let jobs = store.claim_jobs(wants.to_vec(), claim).await.unwrap();
                let end = |job: &Job| Settled {
                    seq: job.seq,
                    attempt: job.attempt,
                    at: start(),
                    end: JobEnd::Done(Vec::new()),
                    words: String::new(),
                };
                store.settle_jobs(jobs.iter().map(end).collect(), Vec::new()).await.unwrap();
                had.extend(jobs.iter().map(|job| (job.seq, job.attempt)));
                let targets = vec!["webhook:ordered".to_owned(), "webhook:loose".to_owned()];
                if jobs.is_empty() && store.next_job(targets).await.unwrap().is_none() {
                    let waiting = JobFilter { states: vec![JobState::Waiting, JobState::Sending], ..JobFilter::default() };
                    if store.jobs(waiting, page(1)).await.unwrap().items.is_empty() {
                        break had;
                    }
                }
            }
        });
    }
    let mut had: Vec<(i64, i64)> = tasks.join_all().await.into_iter().flatten().collect();
    had.sort_unstable();
    assert!(had.iter().all(|(_, attempt)| *attempt == 1), "nobody had one that another had");
    had.dedup();
    assert_eq!(had.len(), 500);
    assert!(db.rows("job").await.iter().all(|row| row.contains(" state='done' ")));
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_claims() {
    a_crowd(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_claims_behind_a_pooler() {
    a_crowd(Backend::PgBouncer).await;
}
