//! Numbers of rows that people see: counted by the writer, kept in the transaction that uses them, never used twice.

use leadgate_core::plan::Ids;
use leadgate_core::ports::StoreError;
use sqlx::{Row as _, SqliteConnection};

use crate::bulk::Script;
use crate::error::{corrupt, store};

/// The next number of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) contact: i64,
    pub(crate) lead: i64,
    pub(crate) activity: i64,
    pub(crate) submission: i64,
    pub(crate) review: i64,
    pub(crate) moved: i64,
}

/// Draws the next number of a kind.
pub(crate) fn draw(next: &mut i64) -> i64 {
    *next += 1;
    *next - 1
}

impl Sequence {
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self, StoreError> {
        let rows = sqlx::query("SELECT name, next FROM sequence").fetch_all(conn).await.map_err(store)?;
        let mut sequence = Self::default();
        for row in &rows {
            let name: &str = row.try_get("name").map_err(store)?;
            let slot = sequence.slot(name).ok_or_else(|| corrupt("sequence", format!("name is {name:?}")))?;
            *slot = row.try_get("next").map_err(store)?;
        }
        Ok(sequence)
    }

    /// Keeps the numbers that the transaction used.
    pub(crate) fn keep(self, script: &mut Script) {
        let Self { contact, lead, activity, submission, review, moved } = self;
        let sql = "UPDATE sequence SET next = CASE name WHEN 'contact' THEN ? WHEN 'lead' THEN ? WHEN 'activity' THEN ?
                       WHEN 'submission' THEN ? WHEN 'review' THEN ? WHEN 'move' THEN ? ELSE next END";
        script.say(sql, |values| {
            values.add(contact).add(lead).add(activity).add(submission).add(review).add(moved);
        });
    }

    /// The numbers a plan draws.
    pub(crate) fn ids(&self) -> Ids {
        Ids { contact: self.contact, lead: self.lead, activity: self.activity }
    }

    /// What a plan left over.
    pub(crate) fn drawn(&mut self, ids: Ids) {
        self.contact = ids.contact;
        self.lead = ids.lead;
        self.activity = ids.activity;
    }

    fn slot(&mut self, name: &str) -> Option<&mut i64> {
        Some(match name {
            "contact" => &mut self.contact,
            "lead" => &mut self.lead,
            "activity" => &mut self.activity,
            "submission" => &mut self.submission,
            "review" => &mut self.review,
            "move" => &mut self.moved,
            _ => return None,
        })
    }
}
