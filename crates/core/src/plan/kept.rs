//! How a few things are kept, alike in every store.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::facts::Holder;
use crate::name::{self, PersonName};
use crate::receipt::IdentityState;

/// Holders of a value that a plan sees of each kind, besides the active one.
pub const MOST_HOLDERS: usize = 16;

/// The most names kept of a contact.
pub const MOST_NAMES: usize = 8;

/// A name a contact goes by, as it is kept (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptName {
    /// As typed.
    pub typed: String,
    /// What is compared.
    pub key: String,
}

/// The names of somebody who says what they are called: it is shown before what a messenger calls them, and nothing else is overwritten.
/// `names`: as they are kept, the shown one first; `messenger`: what it calls them, as typed. `None`: nothing changes.
pub fn named(names: &[KeptName], own: &PersonName, messenger: &str) -> Option<Vec<KeptName>> {
    let said = KeptName { typed: own.typed.clone(), key: own.key().as_str().to_owned() };
    let is_known = names.iter().any(|known| known.key == said.key);
    let shows_messenger = names.first().is_none_or(|shown| shown.typed == name::read(messenger).typed && shown.key != said.key);
    if !own.is_real() || (!shows_messenger && (is_known || names.len() >= MOST_NAMES)) {
        return None;
    }
    let others = names.iter().filter(|known| known.key != said.key).cloned();
    let own = std::iter::once(said.clone());
    Some(if shows_messenger { own.chain(others).collect() } else { others.chain(own).collect() })
}

/// The rows a detach takes away, as they were (JSON): undoing puts these back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMove {
    /// The values that went along.
    pub identities: Vec<KeptIdentity>,
}

/// A row of an identity, with the names and units of its columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct KeptIdentity {
    pub kind: String,
    pub value: String,
    pub state: String,
    pub strength: String,
    pub display: String,
    pub first_seen: i64,
    pub last_seen: i64,
    pub sender: String,
    pub activity: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_words: Option<String>,
}

/// The active holder, then the newest that were matched together, the newest claimants and the newest former ones.
pub fn keep_newest(holders: &mut Vec<Holder>) {
    holders.sort_by_key(|holder| std::cmp::Reverse((holder.first_seen, holder.contact)));
    let mut left = [MOST_HOLDERS; 3];
    holders.retain(|holder| {
        let kind = match holder.state {
            IdentityState::Active => return true,
            IdentityState::Shared | IdentityState::Generic => 0,
            IdentityState::Claimed => 1,
            IdentityState::Historic => 2,
        };
        let keep = left[kind] > 0;
        left[kind] = left[kind].saturating_sub(1);
        keep
    });
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// A day as it is kept: days since 1970.
pub fn day_of(date: Date) -> i64 {
    let since = date.since((jiff::Unit::Day, EPOCH));
    since.map_or(0, |span| i64::from(span.get_days()))
}

/// Reads [`day_of`] back; the error is for people.
pub fn date_of(day: i64) -> Result<Date, String> {
    let span = jiff::Span::new().try_days(day).map_err(|error| error.to_string())?;
    EPOCH.checked_add(span).map_err(|error| error.to_string())
}
