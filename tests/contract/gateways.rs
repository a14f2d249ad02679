//! Several gateways on one database at once, and opening it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use leadgate_core::ports::{Store, StoreError};
use leadgate_core::receipt::{Outcome, Receipt};
use leadgate_core::rules::Rules;
use leadgate_core::submission::Batch;
use leadgate_core::views::{ContactFilter, LeadFilter};
use leadgate_store_postgres::{OpenError, Options, PostgresStore};
use leadgate_tests::postgres::{Database, admin, execute};

use crate::support::{Backend, Db, Post, act, days, minutes, page, post, start};

const PEOPLE: usize = 100;
const TASKS: usize = 16;
const ROUNDS: usize = 12;
const BATCH: usize = 8;

/// Submits as an intake does: a lost race is run again.
async fn submit(store: &dyn Store, posts: Vec<Post>, conflicts: &AtomicU64) -> Vec<Receipt> {
    let rules = Arc::new(Rules::default());
    let items: Vec<_> = posts.into_iter().map(|post| Arc::new(leadgate_core::prepare::Prepared::new(post.0, &rules))).collect();
    loop {
        match store.record(Batch { items: items.clone(), cursors: Vec::new() }, Arc::clone(&rules)).await {
            Ok(receipts) => return receipts,
            Err(StoreError::Conflict) => {
                conflicts.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// One of the people, by phone, by mail or by both.
fn somebody(n: usize, way: usize) -> Post {
    let (phone, mail) = (format!("+7 916 700-{:02}-{:02}", n / 50, n % 50 + 10), format!("p{n}@firma-mail.ru"));
    let at = post(minutes(0)).name("Анна");
    match way % 3 {
        0 => at.phone(&phone).email(&mail),
        1 => at.email(&mail).phone(&phone),
        _ => at.phone(&phone),
    }
}

/// Sixteen tasks on two gateways, everybody writing of everybody.
#[expect(clippy::print_stdout, reason = "how much they were in each other's way")]
async fn a_crowd(backend: Backend) {
    let db = Db::fresh(backend).await;
    let crate::support::Place::Postgres(database) = &db.place else { panic!("a server") };
    let second: Arc<dyn Store> = Arc::new(database.open().await.unwrap());
    let conflicts = Arc::new(AtomicU64::new(0));
    let from = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let store = if task % 2 == 0 { Arc::clone(&db.store) } else { Arc::clone(&second) };
        let conflicts = Arc::clone(&conflicts);
        tasks.spawn(async move {
            let mut created = 0;
            for round in 0..ROUNDS {
                // In another order each time.
                let who = |k: usize| (task * 37 + round * 61 + k * (task + 1)) % PEOPLE;
                let posts = (0..BATCH).map(|k| somebody(who(k), task + round + k)).collect();
                let receipts = submit(&*store, posts, &conflicts).await;
                created += receipts.iter().filter(|receipt| receipt.outcome == Outcome::Created).count();
            }
            created
        });
    }
    let created: usize = tasks.join_all().await.into_iter().sum();
    let (took, all) = (from.elapsed(), TASKS * ROUNDS * BATCH);
    println!(
        "{backend:?}: {all} deliveries of {PEOPLE} people from {TASKS} tasks on two gateways: {} conflicts, {:.0} a second",
        conflicts.load(Ordering::Relaxed),
        f64::from(u32::try_from(all).unwrap()) / took.as_secs_f64()
    );
    assert_eq!(created, PEOPLE, "one lead a person");
    for (table, rows) in [("contact", PEOPLE), ("lead", PEOPLE), ("activity", all), ("submission", all), ("receipt", all)] {
        assert_eq!(db.rows(table).await.len(), rows, "{table}");
    }
    let open = db.rows("lead").await.iter().filter(|row| row.contains(" takes=1 ")).count();
    assert_eq!(open, PEOPLE);
    let active = db.rows("identity").await.iter().filter(|row| row.contains(" state='active' ")).count();
    assert!(active >= PEOPLE, "{active}");
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_two_gateways() {
    a_crowd(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_two_gateways_behind_a_pooler() {
    a_crowd(Backend::PgBouncer).await;
}

/// What a person does and what arrives meanwhile do not undo each other: whoever is second sees what the first one did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_work_while_deliveries_come() {
    use leadgate_core::change::{Close, LeadChange};
    let db = Arc::new(Db::fresh(Backend::Postgres).await);
    let conflicts = Arc::new(AtomicU64::new(0));
    let first = db.expect(Outcome::Created, somebody(1, 0)).await.lead.unwrap();
    let (store, counted) = (Arc::clone(&db.store), Arc::clone(&conflicts));
    let coming = tokio::spawn(async move {
        for n in 0..40 {
            submit(&*store, vec![somebody(1, n), somebody(2, n)], &counted).await;
        }
    });
    let mut refused = 0;
    for n in 0..20 {
        for change in [LeadChange::Close(Close::Junk), LeadChange::Reopen] {
            // After junk comes a new lead, and then the first one cannot be opened again: a person is told so.
            let changed = db.store.change_lead(first, vec![change], None, act(start() + minutes(n))).await.unwrap();
            refused += u32::from(changed.is_err());
        }
    }
    coming.await.unwrap();
    let takers = db.rows("lead").await.iter().filter(|row| row.contains(" takes=1 ")).count();
    assert!(takers == 1 || takers == 2, "at most one of a contact: {takers} ({refused} changes were refused)");
    assert_eq!(db.rows("contact").await.len(), 2);
    assert_eq!(db.rows("activity").await.len(), 81);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_may_start_at_once() {
    let database = Database::empty().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = database.url.clone();
        tasks.spawn(async move {
            let store = PostgresStore::open(&url, Options::default()).await.unwrap();
            store.installation().await.unwrap()
        });
    }
    let mut installations = tasks.join_all().await;
    installations.dedup();
    assert_eq!(installations.len(), 1, "one installation");
}

/// Connections that the server ended are passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_after_the_server_dropped_every_connection() {
    let db = Db::fresh(Backend::Postgres).await;
    let crate::support::Place::Postgres(database) = &db.place else { panic!("a server") };
    for n in 0..3 {
        db.expect(Outcome::Created, somebody(usize::try_from(n).unwrap(), 0)).await;
        futures(&db).await;
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", database.name);
        execute(&mut admin().await.unwrap(), sql).await.unwrap();
        assert_eq!(db.store.totals().await.unwrap().leads, n + 1);
    }
}

/// Several connections of the pool in use.
async fn futures(db: &Db) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&db.store);
        tasks.spawn(async move { store.totals().await.unwrap() });
    }
    tasks.join_all().await;
}

// -------------------------------------------------------------------------------------------------------------- opening

async fn refused(url: &str) -> String {
    let error = PostgresStore::open(url, Options::default()).await.unwrap_err();
    let words = format!("{error} {error:?}");
    assert!(!words.contains("geheim"), "{words}");
    error.to_string()
}

fn replaced(url: &str, what: &str, with: &str) -> String {
    assert!(url.contains(what), "{url} has no {what}");
    url.replace(what, with)
}

#[tokio::test]
async fn says_why_a_database_cannot_be_opened() {
    let database = Database::empty().await.unwrap();
    let nowhere = "postgres://u:geheim@127.0.0.1:1,localhost:1/x?connect_timeout=2";
    assert!(refused(nowhere).await.contains("no PostgreSQL answers at"), "{}", refused(nowhere).await);
    let missing = replaced(&database.url, &database.name, "leadgate_none");
    assert!(refused(&missing).await.contains("no database leadgate_none: make it with `createdb"));
    let scheme = refused("mysql://u:geheim@h/x").await;
    assert!(scheme.contains("cannot be used"), "{scheme}");
    // TLS was asked for by name, and this server has none or another name.
    let sep = if database.url.contains('?') { '&' } else { '?' };
    let tls = refused(&format!("{}{sep}sslmode=verify-full", database.url)).await;
    assert!(tls.contains("no safe connection"), "{tls}");
    let empty = PostgresStore::open_read_only(&database.url).await.unwrap_err();
    assert!(matches!(empty, OpenError::Empty(_)), "{empty:?}");
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    let database = Database::fresh(false).await.unwrap();
    let mut conn = database.connect().await.unwrap();
    execute(&mut conn, "UPDATE compatibility SET min_binary = '99.0.0'").await.unwrap();
    assert!(refused(&database.url).await.contains("needs leadgate 99.0.0 or newer"));
    assert!(matches!(PostgresStore::open_read_only(&database.url).await, Err(OpenError::TooNew { .. })));
    execute(&mut conn, "UPDATE compatibility SET min_binary = '0.1.0'").await.unwrap();
    execute(&mut conn, "DELETE FROM _sqlx_migrations WHERE version = 4").await.unwrap();
    let behind = PostgresStore::open_read_only(&database.url).await.unwrap_err();
    assert!(behind.to_string().contains("older than this program"), "{behind}");
    execute(&mut conn, "UPDATE _sqlx_migrations SET checksum = '\\x00'").await.unwrap();
    assert!(refused(&database.url).await.contains("another migration 1"));
}

#[tokio::test]
async fn a_user_without_rights_is_told_which() {
    let database = Database::empty().await.unwrap();
    let user = format!("{}_user", database.name);
    let mut conn = database.connect().await.unwrap();
    execute(&mut conn, format!("CREATE ROLE {user} LOGIN PASSWORD 'geheim'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        .await
        .unwrap();
    let at = database.url.find("://").unwrap() + 3;
    let host = database.url[at..].rsplit_once('@').map_or(&database.url[at..], |(_, host)| host);
    let words = refused(&format!("postgres://{user}:geheim@{host}")).await;
    assert!(words.contains("GRANT CREATE, USAGE ON SCHEMA public"), "{words}");
    execute(&mut conn, format!("DROP ROLE {user}")).await.unwrap();
}

// ---------------------------------------------------------------------------------------------------------------- texts

/// PostgreSQL holds no NUL in a text. What a connector let through is stored without it, and can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nul_is_left_out_everywhere() {
    let db = Db::fresh(Backend::Postgres).await;
    let odd = || {
        post(minutes(0))
            .name("An\0na")
            .message("a\0b")
            .field("f\0", "v\0")
            .known_as("message-id", "m\u{0}1")
            .refers("message-id", "m\u{0}0")
            .external("e\u{0}1")
            .utm("y\0a")
            .edit(|s| {
                s.raw.query = "q=\0".to_owned();
                s.raw.content_type = "text/\0".to_owned();
                s.raw.body = "\0".into();
                s.draft.user_agent = Some("u\0".to_owned());
                s.draft.title = Some("t\0".to_owned());
            })
    };
    let first = db.expect(Outcome::Created, odd()).await;
    let lead = db.lead_of(&first).await;
    assert_eq!((lead.lead.name.as_str(), lead.timeline[0].content.fields[0].value.as_str()), ("Anna", "v"));
    assert_eq!(db.store.submission(first.submission).await.unwrap().unwrap().raw, b"\0");
    // The same again is found by what was stored.
    let second = db.expect(Outcome::Amended, odd()).await;
    assert_eq!(second.activity, first.activity);
    let third = db.one(post(minutes(1)).refers("message-id", "m1").message("c")).await;
    assert_eq!(third.lead, first.lead);
    let odd = |text: &str| Some(format!("{text}\0"));
    let by_contact = ContactFilter { identity: odd("+7916"), name: odd("x"), ..ContactFilter::default() };
    assert!(db.store.contacts(by_contact, page(9)).await.unwrap().items.is_empty());
    let by_lead = LeadFilter { identity: odd("+7916"), responsible: odd("x"), ..LeadFilter::default() };
    assert!(db.store.leads(by_lead, page(9)).await.unwrap().items.is_empty());
    let manager = leadgate_core::ids::ManagerId("an\0na".to_owned());
    let take = leadgate_core::change::LeadChange::Take(manager);
    let taken = db.store.change_lead(first.lead.unwrap(), vec![take], None, act(start())).await.unwrap().unwrap();
    assert_eq!(taken.lead.responsible.as_deref(), Some("anna"));
    let note = leadgate_core::change::LeadChange::Note("n\0".to_owned());
    db.store.change_lead(first.lead.unwrap(), vec![note], None, act(start() + days(1))).await.unwrap().unwrap();
}
