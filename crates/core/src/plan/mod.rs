//! The plan: what becomes of each submission of a batch. A pure fold over facts; the rules are those of the domain page
//! "What becomes of a submission".

mod again;
mod calls;
mod copies;
mod facts;
mod gather;
mod identities;
mod kept;
mod keys;
mod mails;
mod resolve;
pub mod rows;
mod writes;

use std::sync::Arc;

pub use again::{Replan, again, preview_again, recorded};
pub use calls::{CallBack, CallTold, CallWrite, KeptCall};
pub use facts::{
    ContactFact, Facts, Holder, Ids, KeptFact, KeyFact, KeyId, LeadFact, MOST_CONTENTS, MOST_RECENT, Place, RecentFact,
};
pub use kept::{KeptIdentity, KeptMove, KeptName, MOST_HOLDERS, MOST_NAMES, date_of, day_of, keep_newest, named};
pub use writes::{
    About, ContactSeen, IdentityWrite, Joined, KeyWrite, LeadTouched, MarkWrite, NewActivity, NewContact, NewEvent, NewIdentity,
    NewLead, Plan,
};

use jiff::Timestamp;

use crate::ids::SubmissionId;
use crate::liveness::TWINS_WITHIN;
use crate::prepare::{IdentityKind, Prepared};
use crate::receipt::Receipt;
use crate::rules::Rules;
use crate::senders::Sender;
use crate::submission::Reference;

/// The scope of content keys: they count only within the source's repeat window.
pub const CONTENT_SCOPE: &str = "content";

/// What a store loads before the fold, without doubles and sorted (so that locks are taken in one order).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Submissions by id.
    pub submissions: Vec<SubmissionId>,
    /// Keys.
    pub keys: Vec<KeyId>,
    /// References `(scope, value)`.
    pub references: Vec<(String, String)>,
    /// Activities `(source, external key)`.
    pub external: Vec<(String, String)>,
    /// Those of them that are calls: what is kept of them is loaded before anything else, see [`Lookup::add_calls`]. Empty for most
    /// batches.
    pub calls: Vec<(String, String)>,
    /// Those of them to which a delivery adds, or of which it is a messenger's: what they tell is loaded, too. Empty for most batches.
    pub gathering: Vec<(String, String)>,
    /// Identities that are looked up (not of strength none), and those that may be added to a contact.
    pub identities: Vec<(IdentityKind, String)>,
    /// Senders that may be ignored.
    pub senders: Vec<Sender>,
    /// Identities of deliveries that may have a twin: what their holders did lately is loaded, too. Empty for most batches.
    pub twins: Vec<(IdentityKind, String)>,
    /// When such a twin was received, at the earliest and at the latest.
    pub window: Option<(Timestamp, Timestamp)>,
}

impl Lookup {
    /// Everything a batch touches.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Arc<Prepared>>) -> Self {
        let mut lookup = Self::default();
        for item in items {
            let submission = &item.submission;
            lookup.submissions.push(submission.id);
            lookup.keys.extend(key_ids(item));
            let draft = &submission.draft;
            let ids = draft.known_as.iter().filter(|known| known.scope == Reference::MESSAGE_ID);
            lookup.references.extend(draft.refers_to.iter().chain(ids).map(|r| (r.scope.clone(), r.value.clone())));
            lookup.references.extend(draft.known_as.iter().flat_map(copies::same));
            lookup.external.extend(draft.external_key.iter().map(|key| (submission.source.to_string(), key.clone())));
            if item.content.call.is_some() {
                lookup.calls.extend(draft.external_key.iter().map(|key| (submission.source.to_string(), key.clone())));
            }
            if draft.gathers || item.content.chat.is_some() || item.content.call.is_some() {
                lookup.gathering.extend(draft.external_key.iter().map(|key| (submission.source.to_string(), key.clone())));
            }
            lookup.identities.extend(item.identities.iter().map(|i| (i.kind.clone(), i.value.clone())));
            let failed = item.failed.iter().filter_map(|failed| failed.key.clone());
            lookup.identities.extend(failed.map(|key| (IdentityKind::EMAIL, key)));
            lookup.seek(item);
            lookup.senders.extend(item.content.values.iter().flat_map(Sender::of));
        }
        lookup.sort();
        lookup
    }

    /// Adds what calls that are kept ask for: their numbers, told by other deliveries.
    pub fn add_calls<'a>(&mut self, calls: impl IntoIterator<Item = &'a KeptCall>) {
        for call in calls {
            self.identities.extend(calls::identities(call));
            let told = call.told.iter().flat_map(|told| &told.content.values);
            self.senders.extend(told.flat_map(Sender::of));
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.submissions.sort_unstable();
        self.submissions.dedup();
        self.keys.sort_unstable();
        self.keys.dedup();
        for pairs in [&mut self.references, &mut self.external, &mut self.gathering, &mut self.calls] {
            pairs.sort_unstable();
            pairs.dedup();
        }
        for identities in [&mut self.identities, &mut self.twins] {
            identities.sort_unstable();
            identities.dedup();
        }
        self.senders.sort_unstable();
        self.senders.dedup();
    }

    fn seek(&mut self, item: &Prepared) {
        if !item.seeks_twin {
            return;
        }
        self.twins.extend(item.identities.iter().map(|i| (i.kind.clone(), i.value.clone())));
        for at in [item.submission.received_at, item.happened_at()] {
            let begin = at.saturating_sub(TWINS_WITHIN).unwrap_or(Timestamp::MIN);
            let end = at.saturating_add(TWINS_WITHIN).unwrap_or(Timestamp::MAX);
            self.window = Some(self.window.map_or((begin, end), |(from, to)| (from.min(begin), to.max(end))));
        }
    }
}

/// The keys of an item: the sender's, or the content's if it gave none.
pub fn key_ids(item: &Prepared) -> Vec<KeyId> {
    let submission = &item.submission;
    let source = submission.source.to_string();
    if submission.keys.is_empty() {
        return vec![KeyId { source, scope: CONTENT_SCOPE.to_owned(), value: submission.content.as_key() }];
    }
    submission
        .keys
        .iter()
        .map(|key| KeyId { source: source.clone(), scope: key.scope.to_owned(), value: key.value.clone() })
        .collect()
}

pub use resolve::plan;

/// Plans a batch that is not carried out, from facts loaded with [`Ids::UNDRAWN`]: its receipts, which name only rows that
/// are there.
pub fn preview(items: &[Arc<Prepared>], mut facts: Facts, rules: &Rules) -> Vec<Receipt> {
    items.iter().map(|item| drawn_only(plan(item, &mut facts, rules).receipt)).collect()
}

/// A receipt that names only rows that are there.
fn drawn_only(mut receipt: Receipt) -> Receipt {
    receipt.contact = receipt.contact.filter(|id| id.0 < Ids::UNDRAWN.contact);
    receipt.lead = receipt.lead.filter(|id| id.0 < Ids::UNDRAWN.lead);
    receipt.activity = receipt.activity.filter(|id| id.0 < Ids::UNDRAWN.activity);
    receipt
}
