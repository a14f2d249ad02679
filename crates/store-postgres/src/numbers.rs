//! Numbers of rows that people see, drawn from sequences, so that no gateway waits for another's commit.
//!
//! A plan names its new rows, but how many there are is only known after planning. So a batch is planned with the numbers
//! that should come next, then exactly as many are drawn; if another gateway drew meanwhile, the batch is planned once
//! more with the numbers there are. Nothing is drawn in vain: while all goes well, numbers have no gaps.
//! (A batch that fails leaves one, and so does a crash of the server, which skips some thirty.)

use std::sync::{Mutex, PoisonError};

use leadgate_core::plan::Ids;
use leadgate_core::ports::StoreError;

use crate::conn::Conn;
use crate::error::corrupt;
use crate::rows::Columns;

/// How often a draw that another one cut in two is made again.
const MOST_DRAWS: usize = 20;

/// The first number of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) ids: Ids,
    pub(crate) submission: i64,
}

/// What comes next, as far as this gateway knows.
#[derive(Debug)]
pub(crate) struct Next(Mutex<Numbers>);

impl Default for Next {
    fn default() -> Self {
        Self(Mutex::new(Numbers { ids: Ids { contact: 1, lead: 1, activity: 1 }, submission: 1 }))
    }
}

impl Next {
    /// A guess.
    pub(crate) fn guess(&self) -> Numbers {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These were drawn up to here.
    pub(crate) fn drawn(&self, up_to: Numbers) {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        next.ids.contact = next.ids.contact.max(up_to.ids.contact);
        next.ids.lead = next.ids.lead.max(up_to.ids.lead);
        next.ids.activity = next.ids.activity.max(up_to.ids.activity);
        next.submission = next.submission.max(up_to.submission);
    }
}

/// How many of each kind: contacts, leads, activities, submissions.
pub(crate) type Counts = [i64; 4];

/// Draws a run of numbers of each kind. Where none is wanted, `guess` stands.
pub(crate) async fn draw(conn: &mut Conn, counts: Counts, guess: Numbers) -> Result<Numbers, StoreError> {
    let Numbers { ids, submission } = guess;
    let mut first = [ids.contact, ids.lead, ids.activity, submission];
    let mut wanted = counts;
    let sql = "SELECT 0::bigint AS kind, min(n) AS low, max(n) AS high
                   FROM (SELECT nextval('number_contact') AS n FROM generate_series(1, $1)) x
               UNION ALL SELECT 1, min(n), max(n) FROM (SELECT nextval('number_lead') AS n FROM generate_series(1, $2)) x
               UNION ALL SELECT 2, min(n), max(n) FROM (SELECT nextval('number_activity') AS n FROM generate_series(1, $3)) x
               UNION ALL SELECT 3, min(n), max(n) FROM (SELECT nextval('number_submission') AS n FROM generate_series(1, $4)) x";
    for _ in 0..MOST_DRAWS {
        if wanted == [0; 4] {
            let [contact, lead, activity, submission] = first;
            return Ok(Numbers { ids: Ids { contact, lead, activity }, submission });
        }
        let statement = sqlx::query(sql).bind(wanted[0]).bind(wanted[1]).bind(wanted[2]).bind(wanted[3]);
        for row in &conn.all(statement).await? {
            let row = Columns::of(row, "a sequence");
            let kind: usize = row.count("kind")?;
            let (Some(low), Some(high)) = (row.get::<Option<i64>>("low")?, row.get::<Option<i64>>("high")?) else { continue };
            // Another gateway drew in the middle: a plan counts on, so its numbers must be a run.
            if high - low + 1 == wanted[kind] {
                (first[kind], wanted[kind]) = (low, 0);
            }
        }
    }
    Err(corrupt("a sequence", "no run of numbers could be drawn"))
}

/// Draws one number. `sequence` is a name of this crate.
pub(crate) async fn one(conn: &mut Conn, sequence: &'static str) -> Result<i64, StoreError> {
    let row = conn.one(sqlx::query("SELECT nextval($1::text::regclass) AS n").bind(sequence)).await?;
    Columns::of(&row, "a sequence").int("n")
}
