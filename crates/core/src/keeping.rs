//! Keeping and forgetting: what is kept for how long, what is known of a person, and how it goes.

use std::fmt;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::attribution::Touch;
use crate::change::ChangeError;
use crate::ids::{ActivityId, ContactId, LeadId, SourceId, SubmissionId};
use crate::ports::{Act, StoreError};
use crate::prepare::Content;
use crate::receipt::{Outcome, Receipt};
use crate::submission::Codec;
use crate::views::{ContactDetail, HistoryEntry};

/// Deliveries that one call of [`Keeping::thin`] looks at.
pub const THINNED: u32 = 256;
/// Deliveries that one call of [`Keeping::bodies`] reads.
pub const BODIES: u32 = 64;

// ------------------------------------------------------------------------------------------------------------- thinning

/// How much one source may keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Bytes of kept deliveries; `None`: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Kept deliveries; `None`: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Quota {
    /// Whether there is any limit.
    pub fn is_limited(&self) -> bool {
        self.bytes.is_some() || self.count.is_some()
    }

    /// The first of these deliveries, newest first with their sizes, that is beyond the quota. `so_far`: how many came before
    /// them, and their bytes.
    pub fn beyond(self, so_far: &mut (u64, u64), rows: &[(i64, i64)]) -> Option<i64> {
        rows.iter().find_map(|(seq, size)| {
            so_far.0 += 1;
            so_far.1 = so_far.1.saturating_add(size.unsigned_abs());
            let exceeds = self.count.is_some_and(|most| so_far.0 > most) || self.bytes.is_some_and(|most| so_far.1 > most);
            exceeds.then_some(*seq)
        })
    }
}

/// A stretch of deliveries whose bytes go. They are looked at in the order they came, [`THINNED`] at once.
#[derive(Clone, Debug)]
pub struct Thinning {
    /// Now: what is emptied says when.
    pub now: Timestamp,
    /// Only of this source; `None`: of every source.
    pub source: Option<SourceId>,
    /// Only after this one, by its number; 0 begins at the first.
    pub after: i64,
    /// Up to this one.
    pub through: i64,
    /// Only what was received before.
    pub before: Timestamp,
    /// Spam, and what nobody vouches for, goes with its row, too; otherwise it is left alone.
    pub deletes: bool,
    /// What waits for a person goes with its row, too.
    pub quarantine: bool,
}

/// A delivery as [`Thinning::sort`] looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Thinnable {
    /// Its number.
    pub seq: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether somebody vouches for it.
    pub authenticated: bool,
    /// Its bytes are there.
    pub full: bool,
}

/// What becomes of the deliveries of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// These lose their bytes.
    pub empty: Vec<i64>,
    /// These go with their rows.
    pub delete: Vec<i64>,
    /// Go on after this one.
    pub next: Option<i64>,
}

impl Thinning {
    /// What becomes of deliveries, [`THINNED`] of them or the last there are, in order.
    pub fn sort(&self, rows: &[Thinnable]) -> Sorted {
        let mut sorted = Sorted::default();
        let old: Vec<&Thinnable> = rows.iter().filter(|row| row.received_at < self.before).collect();
        for row in &old {
            let goes = match (row.outcome, row.authenticated) {
                (Outcome::Quarantined, true) => self.quarantine,
                (Outcome::Quarantined, false) | (Outcome::Spam, _) => self.deletes,
                _ => {
                    sorted.empty.extend(row.full.then_some(row.seq));
                    continue;
                }
            };
            sorted.delete.extend(goes.then_some(row.seq));
        }
        if rows.len() >= THINNED as usize && !old.is_empty() {
            sorted.next = rows.last().map(|row| row.seq);
        }
        sorted
    }
}

/// What a call of [`Keeping::thin`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thinned {
    /// Deliveries that lost their bytes or their row.
    pub rows: u64,
    /// Go on after this one; `None`: there is nothing more that is old enough.
    pub next: Option<i64>,
}

// -------------------------------------------------------------------------------------------------------------- erasing

/// The secret under which the identities of erased people are hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct ErasureKey([u8; 32]);

impl fmt::Debug for ErasureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasureKey")
    }
}

impl ErasureKey {
    /// Wraps a secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Which secret it is, without telling it: eight hex digits.
    pub fn name(&self) -> String {
        let digest = Sha256::new().chain_update(b"leadgate erasure key").chain_update(self.0).finalize();
        crate::submission::hex(&digest[..4])
    }

    /// HMAC-SHA256 over the kind and the canonical value of an identity.
    pub fn hash(&self, kind: &str, value: &str) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            // A key of any length will do.
            return [0; 32];
        };
        for part in [kind, value] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// An erasure to do.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Whom.
    pub contact: ContactId,
    /// Why, in the words of whoever does it.
    pub reason: String,
    /// Hashes what they were known by.
    pub key: ErasureKey,
    /// Deliveries beside theirs that go with their rows, found by looking through what waits or was kept without a lead.
    pub also: Vec<SubmissionId>,
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Whom.
    pub contact: ContactId,
    /// When they were erased: if that was before, then.
    pub at: Timestamp,
    /// What went this time.
    #[serde(flatten)]
    pub gone: Footprint,
    /// Files that nothing names any more, by their hashes.
    pub files: Vec<String>,
}

/// How much is known of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Phones, e-mails and other ids.
    pub identities: u64,
    /// Their leads.
    pub leads: u64,
    /// What happened.
    pub activities: u64,
    /// Deliveries with their bytes.
    pub submissions: u64,
    /// Deliveries found beside them.
    pub found: u64,
}

/// That a person was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedView {
    /// The contact's UUID: by it the erasure is done once more after a restore.
    pub uuid: Uuid,
    /// Its number at that time.
    pub contact: ContactId,
    /// When.
    pub at: Timestamp,
    /// Who did it: `cli`, `api:<token name>`.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Which secret the hashes were made with.
    pub key: String,
    /// What they were known by, hashed; hex.
    pub identities: Vec<String>,
}

/// The bytes of a delivery that no lead was made of.
#[derive(Clone, Debug)]
pub struct Body {
    /// Its number, to go on after it.
    pub seq: i64,
    /// Its id.
    pub id: SubmissionId,
    /// The query of the URL.
    pub query: String,
    /// How `raw` is packed.
    pub codec: Codec,
    /// The kept bytes.
    pub raw: Vec<u8>,
}

// ------------------------------------------------------------------------------------------------------------ exporting

/// Everything that is kept of a person.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// Who, and what they are known by. The timelines stand below, in full.
    pub contact: ContactDetail,
    /// Their leads, oldest first.
    pub leads: Vec<PersonLead>,
    /// What happened, oldest first.
    pub activities: Vec<PersonActivity>,
    /// What they sent, oldest first.
    pub submissions: Vec<PersonSubmission>,
}

/// A lead of a person.
#[derive(Clone, Debug, Serialize)]
pub struct PersonLead {
    /// Its number.
    pub id: LeadId,
    /// The line that names it.
    pub title: String,
    /// The name as typed in the first delivery.
    pub name: String,
    /// Where it stands: `NEW`, `IN_PROCESS`, `PROCESSED`, `CONVERTED` or `JUNK`.
    pub stage: String,
    /// Where it came from.
    pub source: String,
    /// Who works on it.
    pub responsible: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something last came.
    pub touched_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// The first touch.
    pub first_touch: Touch,
    /// The newest, if it is another.
    pub last_touch: Touch,
    /// What people changed, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct PersonActivity {
    /// Its number.
    pub id: ActivityId,
    /// `form`, `email`, `message`, `call`, `note`.
    pub kind: String,
    /// On which lead.
    pub lead: Option<LeadId>,
    /// Where from; absent for notes.
    pub source: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The source's own id of it.
    pub external_key: Option<String>,
    /// Who wrote it, for notes.
    pub author: Option<String>,
    /// What it tells.
    pub content: Content,
    /// Where the enquiry came from.
    pub touch: Touch,
    /// What it told before it was amended, oldest first.
    pub earlier: Vec<EarlierContent>,
}

/// What an activity told before a later delivery amended it.
#[derive(Clone, Debug, Serialize)]
pub struct EarlierContent {
    /// When it was amended.
    pub until: Timestamp,
    /// What it told.
    pub content: Content,
    /// Where the enquiry came from.
    pub touch: Touch,
}

/// A delivery of a person.
#[derive(Clone, Debug, Serialize)]
pub struct PersonSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// From which source.
    pub source: SourceId,
    /// When.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The content type as sent.
    pub content_type: String,
    /// The query of the URL.
    pub query: String,
    /// The other end's address, where it was kept.
    pub peer: Option<String>,
    /// When its bytes went, if they did.
    pub emptied_at: Option<Timestamp>,
    /// Every receipt, oldest first.
    pub receipts: Vec<Receipt>,
    /// How `raw` is packed.
    #[serde(skip)]
    pub codec: Codec,
    /// The kept bytes.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

// ------------------------------------------------------------------------------------------------------------- the port

/// What a store can forget, and what it must be able to show.
#[async_trait]
pub trait Keeping: Send + Sync {
    /// Takes the bytes of old deliveries: a settled one keeps its row with receipts, size and hash.
    async fn thin(&self, thinning: Thinning) -> Result<Thinned, StoreError>;
    /// The newest delivery of a source that is beyond its quota, by its number; it and what came before exceed. `None`: it
    /// keeps within it.
    async fn beyond(&self, source: &SourceId, quota: Quota) -> Result<Option<i64>, StoreError>;
    /// How much is known of a person; `None`: there is no such contact.
    async fn footprint(&self, contact: ContactId) -> Result<Option<Footprint>, StoreError>;
    /// Everything that is kept of a person.
    async fn person(&self, contact: ContactId) -> Result<Option<Person>, StoreError>;
    /// Removes everything that is known of a person, in one transaction. What belongs to another stays. Again, it removes
    /// what came since, and the first time counts.
    async fn erase(&self, erasure: Erasure, act: Act) -> Result<Result<Erased, ChangeError>, StoreError>;
    /// Who was erased, newest first; with hashes, only those who had one of these identities.
    async fn erased(&self, hashes: Option<Vec<[u8; 32]>>) -> Result<Vec<ErasedView>, StoreError>;
    /// Notes erasures that this database does not know: it was put back from before them. Says which of those people are in
    /// it, not erased.
    async fn note_erased(&self, erased: Vec<ErasedView>) -> Result<Vec<ContactId>, StoreError>;
    /// Deliveries that no lead was made of, with their bytes, in order after a number; fewer than [`BODIES`]: there are no
    /// more.
    async fn bodies(&self, after: i64) -> Result<Vec<Body>, StoreError>;
    /// Makes removed bytes vanish from the database's files, as far as a store has such. `rebuild`: also from free space
    /// within them, which takes a while for a large database and keeps deliveries waiting.
    async fn scrub(&self, rebuild: bool) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_and_what_is_young_stays() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let row = |seq, outcome, authenticated| Thinnable { seq, received_at: at(seq), outcome, authenticated, full: seq != 6 };
        let rows = [
            row(1, Outcome::Created, true),
            row(2, Outcome::Quarantined, true),
            row(3, Outcome::Quarantined, false),
            row(4, Outcome::Spam, true),
            row(5, Outcome::Noted, true),
            row(6, Outcome::Created, true),
            row(7, Outcome::Created, true),
        ];
        let by_age =
            Thinning { now: at(9), source: None, after: 0, through: 9, before: at(7), deletes: false, quarantine: false };
        assert_eq!(by_age.sort(&rows), Sorted { empty: vec![1, 5], delete: vec![], next: None });
        let by_quota = Thinning { before: Timestamp::MAX, deletes: true, ..by_age };
        assert_eq!(by_quota.sort(&rows), Sorted { empty: vec![1, 5, 7], delete: vec![3, 4], next: None });
        let all = Thinning { quarantine: true, ..by_quota };
        assert_eq!(all.sort(&rows).delete, [2, 3, 4]);
        let many: Vec<_> = (1..=i64::from(THINNED)).map(|seq| row(seq, Outcome::Created, true)).collect();
        assert_eq!(all.sort(&many).next, Some(i64::from(THINNED)));
        assert_eq!(Thinning { before: at(1), ..all }.sort(&many).next, None, "the rest is younger still");
    }

    #[test]
    fn hashes_differ_by_key_kind_and_value() {
        let (one, two) = (ErasureKey::new([1; 32]), ErasureKey::new([2; 32]));
        let hash = one.hash("phone", "+79161234567");
        assert_eq!(hash, one.hash("phone", "+79161234567"));
        assert_ne!(hash, two.hash("phone", "+79161234567"));
        assert_ne!(hash, one.hash("email", "+79161234567"));
        assert_ne!(one.hash("a", "bc"), one.hash("ab", "c"));
        assert_ne!(one.name(), two.name());
        assert_eq!(format!("{one:?}"), "ErasureKey");
    }
}
