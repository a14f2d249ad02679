//! Several gateways on one database: who lives, and who may do what only one may do.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::ids::{NodeId, SourceId};
use leadgate_core::ports::{Beat, StoreError, source_lease};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::{Batch, Cursor, CursorMove};
use uuid::Uuid;

use crate::support::{Backend, Db, minutes, post};

const LONG: Duration = Duration::from_mins(1);
/// Over as soon as it is taken: time passes without waiting for it.
const OVER: Duration = Duration::ZERO;

fn node(n: u128) -> NodeId {
    NodeId(Uuid::from_u128(n))
}

pub(crate) fn beat(n: u128) -> Beat {
    Beat {
        node: node(n),
        name: format!("machine-{n}"),
        version: "0.2.0".to_owned(),
        address: format!("http://10.0.0.{n}:8080"),
        started_at: Timestamp::from_second(1_700_000_000 + i64::try_from(n).unwrap()).unwrap(),
    }
}

pub(crate) async fn a_lease_is_held_by_one(db: Db) {
    let (one, two) = (node(1), node(2));
    assert_eq!(db.store.lease("housekeeping", one, LONG).await.unwrap(), Some(1));
    assert_eq!(db.store.lease("housekeeping", two, LONG).await.unwrap(), None, "it is held");
    assert_eq!(db.store.lease("other", two, LONG).await.unwrap(), Some(1), "another lease is another matter");
    assert_eq!(db.store.lease("housekeeping", one, OVER).await.unwrap(), Some(1), "renewing keeps the token");
    assert_eq!(db.store.lease("housekeeping", one, OVER).await.unwrap(), Some(1), "so does taking it back before anybody else");
    assert_eq!(db.store.lease("housekeeping", two, LONG).await.unwrap(), Some(2), "it ran out: another holder, another token");
    assert_eq!(db.store.lease("housekeeping", one, LONG).await.unwrap(), None);
    // Only its holder gives it back, and whoever comes next has a token of its own.
    db.store.release("housekeeping", one).await.unwrap();
    assert_eq!(db.store.lease("housekeeping", one, LONG).await.unwrap(), None);
    db.store.release("housekeeping", two).await.unwrap();
    assert_eq!(db.store.lease("housekeeping", two, LONG).await.unwrap(), Some(3));
    db.store.leave(two).await.unwrap();
    assert_eq!(db.store.lease("housekeeping", one, LONG).await.unwrap(), Some(4), "who leaves gives everything back");
    assert_eq!(db.store.lease("other", one, LONG).await.unwrap(), Some(2));
}

pub(crate) async fn many_want_a_lease_and_one_gets_it(db: Db) {
    let db = Arc::new(db);
    let mut asking = tokio::task::JoinSet::new();
    for n in 1..=16 {
        let db = Arc::clone(&db);
        asking.spawn(async move { db.store.lease("source:mail", node(n), LONG).await.unwrap() });
    }
    let got: Vec<i64> = asking.join_all().await.into_iter().flatten().collect();
    assert_eq!(got, [1]);
}

pub(crate) async fn who_lost_the_lease_writes_nothing(db: Db) {
    let mail = SourceId::parse("mail").unwrap();
    let name = source_lease(&mail);
    let to = |uid: i64, fence| CursorMove { source: mail.clone(), to: Cursor(serde_json::json!({ "uid": uid })), fence };
    let record = |items: Vec<Arc<Prepared>>, cursors| db.store.record(Batch { items, cursors }, Arc::clone(&db.rules));
    let first = db.store.lease(&name, node(1), OVER).await.unwrap();
    // Run out, but nobody else took it: what was read is still read once.
    record(vec![db.prepare(post(minutes(0)).source("mail"))], vec![to(1, first)]).await.unwrap();
    let second = db.store.lease(&name, node(2), LONG).await.unwrap();
    assert!(second > first);
    let stale = record(vec![db.prepare(post(minutes(1)).source("mail"))], vec![to(2, first)]).await;
    assert!(
        matches!(stale, Err(StoreError::LeaseLost(sources)) if sources == [mail.clone()]),
        "neither the cursor nor the items"
    );
    assert_eq!(db.store.cursor(&mail).await.unwrap(), Some(to(1, first).to));
    assert_eq!(db.rows("submission").await.len(), 1);
    record(vec![db.prepare(post(minutes(1)).source("mail"))], vec![to(3, second)]).await.unwrap();
    assert_eq!(db.store.cursor(&mail).await.unwrap(), Some(to(3, second).to));
    assert_eq!(db.rows("submission").await.len(), 2);
}

pub(crate) async fn gateways_are_known_while_they_live(db: Db) {
    assert!(db.store.nodes().await.unwrap().is_empty());
    db.store.beat(beat(2), LONG).await.unwrap();
    db.store.beat(beat(1), LONG).await.unwrap();
    db.store.beat(beat(1), LONG).await.unwrap();
    db.store.lease("housekeeping", node(2), LONG).await.unwrap();
    db.store.lease("source:mail", node(2), OVER).await.unwrap();
    let nodes = db.store.nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["machine-1", "machine-2"], "the oldest first");
    assert!(nodes.iter().all(|node| node.quiet_s < 30 && node.version == "0.2.0"));
    assert_eq!(nodes[0].leases, []);
    let held: Vec<_> = nodes[1].leases.iter().map(|lease| (lease.name.as_str(), lease.expired, lease.fence)).collect();
    assert_eq!(held, [("housekeeping", false, 1), ("source:mail", true, 1)]);
    db.store.leave(node(2)).await.unwrap();
    assert_eq!(db.store.nodes().await.unwrap().len(), 1);
    // Whoever was silent for longer than that is forgotten.
    db.store.beat(beat(3), OVER).await.unwrap();
    let names: Vec<_> = db.store.nodes().await.unwrap().into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["machine-3"]);
}

/// What a newer program's expanding migration could do, under a number this one does not know.
const EXPAND: &str = "CREATE TABLE task (id bigint PRIMARY KEY, lead bigint NOT NULL);
    ALTER TABLE lead ADD COLUMN score bigint NOT NULL DEFAULT 0;
    ALTER TABLE submission ADD COLUMN channel text;
    CREATE INDEX lead_score ON lead (score);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9001, 'tasks', true, 'x', 0)";

/// As above, for SQLite's strict tables.
const EXPAND_SQLITE: &str = "CREATE TABLE task (id INTEGER PRIMARY KEY, lead INTEGER NOT NULL) STRICT;
    ALTER TABLE lead ADD COLUMN score INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE submission ADD COLUMN channel TEXT;
    CREATE INDEX lead_score ON lead (score);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9001, 'tasks', true, 'x', 0)";

pub(crate) async fn two_versions_work_on_one_schema(db: Db) {
    let phone = "+7 916 123-45-67";
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(phone)).await;
    // A newer gateway was started beside this one: it expanded the schema while this one goes on.
    db.execute(if db.backend == Backend::Sqlite { EXPAND_SQLITE } else { EXPAND }).await;
    let second = db.expect(Outcome::Attached, post(minutes(1)).phone(phone)).await;
    assert_eq!(first.lead, second.lead);
    db.store.lease("housekeeping", node(1), LONG).await.unwrap();
    assert_eq!(db.lead_of(&second).await.timeline.len(), 2);
    // Started again it still serves it, and what it lists is what it knows.
    db.store.close().await;
    let db = db.again().await;
    db.expect(Outcome::Attached, post(minutes(2)).phone(phone)).await;
    assert_eq!(db.store.totals().await.unwrap().submissions, 3);
}
