//! Keys: by what a delivery is known again, and what later ones may refer to.

use super::facts::{KeyFact, MOST_CONTENTS, Place};
use super::resolve::Step;
use super::writes::KeyWrite;
use super::{CONTENT_SCOPE, key_ids};
use crate::ids::SubmissionId;
use crate::receipt::{Outcome, Reason};
use crate::submission::Reference;

impl Step<'_> {
    /// A known key of the item. A content key counts only within the source's window.
    pub(super) fn known_key(&self) -> Option<(String, KeyFact)> {
        key_ids(self.item).into_iter().find_map(|key| {
            // What it owns itself tells nothing of a submission that is recorded again.
            let fact = self.facts.keys.get(&key).filter(|fact| fact.submission != self.item.submission.id)?;
            // One that is recorded again may have come before what is known.
            let stale = key.scope == CONTENT_SCOPE && self.at.duration_since(fact.at).abs() > self.source.repeat_window;
            (!stale).then(|| (key.scope, fact.clone()))
        })
    }

    pub(super) fn repeat(&mut self, first: SubmissionId, place: Place, reason: Reason) {
        self.reason(reason);
        self.plan.keep = false;
        self.plan.repeats = Some(first);
        self.end(Outcome::Repeat, place);
    }

    pub(super) fn own_keys(&mut self) {
        let receipt = &self.plan.receipt;
        let place = Place { lead: receipt.lead, contact: receipt.contact, activity: receipt.activity };
        let submission = &self.item.submission;
        for key in key_ids(self.item) {
            if self.again.is_some() && self.facts.keys.get(&key).is_some_and(|known| known.at > self.at) {
                // What came later keeps it.
                continue;
            }
            let mut earlier = Vec::new();
            if let Some(known) = self.facts.keys.get(&key).filter(|known| known.content != submission.content) {
                earlier.push(known.content);
                earlier.extend(known.earlier.iter().copied().filter(|content| *content != submission.content));
                earlier.truncate(MOST_CONTENTS);
            }
            let (content, at) = (submission.content, self.at);
            let write = KeyWrite { scope: key.scope.clone(), value: key.value.clone(), content, earlier: earlier.clone(), at };
            self.plan.keys.push(write);
            self.facts.keys.insert(key, KeyFact { submission: submission.id, content, earlier, at, place });
        }
        let draft = &submission.draft;
        if let (Some(key), Some(_)) = (&draft.external_key, place.activity) {
            self.facts.external.insert((submission.source.to_string(), key.clone()), place);
        }
        if place.activity.is_some() {
            for reference in &draft.known_as {
                let pair = (reference.scope.clone(), reference.value.clone());
                let first_keeps = [Reference::MESSAGE_ID, Reference::COPY, Reference::FORGED_COPY].contains(&&*reference.scope);
                if first_keeps && self.facts.references.contains_key(&pair) {
                    continue;
                }
                self.plan.references.push(pair.clone());
                self.facts.references.insert(pair, place);
            }
        }
    }
}
