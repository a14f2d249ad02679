//! A fresh database per case, and short ways to say what is delivered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::{EventId, SourceId, SubmissionId};
use leadgate_core::ports::{Act, Store, StoreError};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::{Outcome, Receipt};
use leadgate_core::rules::{Rules, SourceRules};
use leadgate_core::submission::{
    Batch, Codec, ContentHash, Draft, Field, Hold, Key, Purpose, Raw, Reference, Signal, Submission, Typed,
};
use leadgate_core::views::{ContactDetail, LeadDetail, PageAt};
use leadgate_store_postgres::PostgresStore;
use leadgate_store_sqlite::{Options, SqliteStore};
use leadgate_tests::postgres::Database;
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
    /// PostgreSQL behind a pooler that deals out its connections by transaction.
    PgBouncer,
}

/// Where the rows are.
#[derive(Clone)]
pub(crate) enum Place {
    /// In a file.
    Sqlite(PathBuf, #[expect(dead_code, reason = "it lives as long as the file")] Arc<tempfile::TempDir>),
    /// In a database of a server.
    Postgres(Arc<Database>),
}

/// A store of either kind.
#[derive(Clone)]
enum Dumping {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

/// A store with a database of its own.
pub(crate) struct Db {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) backend: Backend,
    pub(crate) place: Place,
    dumping: Dumping,
}

pub(crate) type Dump = BTreeMap<String, Vec<String>>;

impl Db {
    pub(crate) async fn fresh(backend: Backend) -> Self {
        let place = match backend {
            Backend::Sqlite => {
                let folder = Arc::new(tempfile::tempdir().unwrap());
                Place::Sqlite(folder.path().join("data/leads.db"), folder)
            }
            Backend::Postgres | Backend::PgBouncer => {
                Place::Postgres(Database::fresh(backend == Backend::PgBouncer).await.unwrap())
            }
        };
        Self::open(backend, place, Arc::new(Rules::default())).await
    }

    async fn open(backend: Backend, place: Place, rules: Arc<Rules>) -> Self {
        let dumping = match &place {
            Place::Sqlite(path, _) => loop {
                match SqliteStore::open(path, Options::default()).await {
                    Ok(store) => break Dumping::Sqlite(Arc::new(store)),
                    // The old writer's task is on its last rows.
                    Err(leadgate_store_sqlite::OpenError::Locked(_)) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error:?}"),
                }
            },
            Place::Postgres(database) => Dumping::Postgres(Arc::new(database.open().await.unwrap())),
        };
        let store: Arc<dyn Store> = match &dumping {
            Dumping::Sqlite(store) => Arc::clone(store) as _,
            Dumping::Postgres(store) => Arc::clone(store) as _,
        };
        Self { store, rules, backend, place, dumping }
    }

    /// Another database of the same kind, with the same rules.
    pub(crate) async fn another(&self) -> Self {
        Self { rules: Arc::clone(&self.rules), ..Self::fresh(self.backend).await }
    }

    /// The same database, after whatever happened to the gateway that served it.
    pub(crate) async fn again(self) -> Self {
        let Self { store, rules, backend, place, dumping } = self;
        drop((store, dumping));
        Self::open(backend, place, rules).await
    }

    /// The same database, opened for reading only.
    pub(crate) async fn reader(&self) -> Arc<dyn Store> {
        match &self.place {
            Place::Sqlite(path, _) => Arc::new(SqliteStore::open_read_only(path).await.unwrap()),
            Place::Postgres(database) => Arc::new(PostgresStore::open_read_only(&database.url).await.unwrap()),
        }
    }

    pub(crate) fn with_source(mut self, source: &str, change: impl FnOnce(&mut SourceRules)) -> Self {
        let rules = Arc::make_mut(&mut self.rules);
        let mut of_source = SourceRules::default();
        change(&mut of_source);
        rules.sources.insert(SourceId::parse(source).unwrap(), Arc::new(of_source));
        self
    }

    pub(crate) fn prepare(&self, post: Post) -> Arc<Prepared> {
        Arc::new(Prepared::new(post.0, &self.rules))
    }

    pub(crate) async fn try_record(&self, posts: Vec<Post>) -> Result<Vec<Receipt>, StoreError> {
        let items = posts.into_iter().map(|post| self.prepare(post)).collect();
        self.store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&self.rules)).await
    }

    pub(crate) async fn record(&self, posts: Vec<Post>) -> Vec<Receipt> {
        let receipts = self.try_record(posts).await.unwrap();
        self.never_two_takers().await;
        receipts
    }

    pub(crate) async fn one(&self, post: Post) -> Receipt {
        self.record(vec![post]).await.remove(0)
    }

    /// Records and checks the outcome.
    pub(crate) async fn expect(&self, outcome: Outcome, post: Post) -> Receipt {
        let receipt = self.one(post).await;
        assert_eq!(receipt.outcome, outcome, "{:?}", receipt.reasons);
        receipt
    }

    pub(crate) async fn lead_of(&self, receipt: &Receipt) -> LeadDetail {
        self.store.lead(receipt.lead.unwrap()).await.unwrap().unwrap()
    }

    pub(crate) async fn contact_of(&self, receipt: &Receipt) -> ContactDetail {
        self.store.contact(receipt.contact.unwrap()).await.unwrap().unwrap()
    }

    pub(crate) async fn dump(&self) -> Dump {
        let mut dump = match &self.dumping {
            Dumping::Sqlite(store) => store.dump().await.unwrap(),
            Dumping::Postgres(store) => store.dump().await.unwrap(),
        };
        dump.remove("installation");
        dump
    }

    /// Runs SQL on the database, past the store.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match &self.place {
            Place::Sqlite(path, _) => {
                let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
                sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
                conn.close().await.unwrap();
            }
            Place::Postgres(database) => {
                leadgate_tests::postgres::execute(&mut database.connect().await.unwrap(), sql).await.unwrap();
            }
        }
    }

    pub(crate) async fn rows(&self, table: &str) -> Vec<String> {
        self.dump().await.remove(table).unwrap()
    }

    async fn never_two_takers(&self) {
        let mut holders: Vec<String> =
            self.rows("lead").await.iter().filter(|row| row.contains(" takes=1 ")).map(|row| column(row, "contact")).collect();
        let all = holders.len();
        holders.sort();
        holders.dedup();
        assert_eq!(holders.len(), all, "a contact has two leads that take");
    }
}

/// A column of a dumped row, up to the next blank.
pub(crate) fn column(row: &str, name: &str) -> String {
    let row = format!(" {row}");
    let (_, rest) = row.split_once(&format!(" {name}=")).unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

pub(crate) fn start() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

pub(crate) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub(crate) fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// A UUIDv7 of a time, different each call.
pub(crate) fn id_at(at: Timestamp) -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let millis = u128::try_from(at.as_millisecond()).unwrap();
    Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | u128::from(n))
}

pub(crate) fn act(at: Timestamp) -> Act {
    Act { actor: "api:test".to_owned(), at, event: EventId(id_at(at)), routes: Arc::default() }
}

pub(crate) fn page(limit: u32) -> PageAt {
    PageAt { after: None, limit }
}

/// A delivery being put together.
#[derive(Clone)]
pub(crate) struct Post(pub(crate) Submission);

/// A form on the site, so long after the start.
pub(crate) fn post(after: SignedDuration) -> Post {
    let at = start() + after;
    let raw = Raw {
        content_type: "application/x-www-form-urlencoded".to_owned(),
        codec: Codec::Plain,
        body: "a=b".into(),
        sha256: [1; 32],
        query: String::new(),
        peer: None,
        head: String::new(),
    };
    let submission = Submission {
        id: SubmissionId(id_at(at)),
        source: SourceId::parse("site").unwrap(),
        keys: Vec::new(),
        content: ContentHash::of([("id", id_at(at).to_string().as_str())]),
        received_at: at,
        occurred_at: None,
        historic: false,
        raw,
        draft: Draft::default(),
        signals: Vec::new(),
        hold: None,
        purpose: Purpose::Lead,
    };
    Post(submission)
}

impl Post {
    pub(crate) fn source(mut self, source: &str) -> Self {
        self.0.source = SourceId::parse(source).unwrap();
        self
    }

    pub(crate) fn name(mut self, name: &str) -> Self {
        self.0.draft.name = Some(name.to_owned());
        self
    }

    pub(crate) fn phone(mut self, phone: &str) -> Self {
        self.0.draft.phones.push(Typed::new("phone", phone));
        self
    }

    pub(crate) fn email(mut self, email: &str) -> Self {
        self.0.draft.emails.push(Typed::new("email", email));
        self
    }

    /// The channel itself proves phones and e-mails: a call, a mail.
    pub(crate) fn proven(mut self) -> Self {
        let draft = &mut self.0.draft;
        draft.phones.iter_mut().chain(&mut draft.emails).for_each(|typed| typed.proven = true);
        self
    }

    pub(crate) fn message(mut self, text: &str) -> Self {
        self.0.draft.message = Some(text.to_owned());
        self
    }

    pub(crate) fn key(mut self, scope: &'static str, value: &str) -> Self {
        self.0.keys.extend(Key::new(scope, value));
        self
    }

    /// What the sender meant, for repeats.
    pub(crate) fn content(mut self, content: &str) -> Self {
        self.0.content = ContentHash::of([("content", content)]);
        self
    }

    pub(crate) fn external(mut self, key: &str) -> Self {
        self.0.draft.external_key = Some(key.to_owned());
        self
    }

    pub(crate) fn refers(mut self, scope: &str, value: &str) -> Self {
        self.0.draft.refers_to.push(Reference { scope: scope.to_owned(), value: value.to_owned() });
        self
    }

    pub(crate) fn known_as(mut self, scope: &str, value: &str) -> Self {
        self.0.draft.known_as.push(Reference { scope: scope.to_owned(), value: value.to_owned() });
        self
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.0.draft.fields.push(Field { name: name.to_owned(), value: value.to_owned() });
        self
    }

    pub(crate) fn utm(mut self, source: &str) -> Self {
        self.0.draft.touch.offer("utm_source", source, leadgate_core::attribution::Origin::Field);
        self
    }

    pub(crate) fn spam(mut self) -> Self {
        self.0.signals = vec![Signal::Rate, Signal::Honeypot { field: "url".to_owned() }];
        self
    }

    pub(crate) fn held(mut self, authenticated: bool) -> Self {
        self.0.hold = Some(Hold { code: "unreadable".to_owned(), words: "no one can read it".to_owned(), authenticated });
        self
    }

    pub(crate) fn edit(mut self, edit: impl FnOnce(&mut Submission)) -> Self {
        edit(&mut self.0);
        self
    }
}
