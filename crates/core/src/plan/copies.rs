//! The same message in several mailboxes: whichever is read first tells it, the others are noted.

use super::facts::Place;
use super::resolve::Step;
use super::writes::About;
use crate::receipt::{Outcome, Reason};
use crate::submission::Reference;

/// What a delivery is a copy of, as references that are looked up. A forged one may be a copy of a genuine one, never the reverse.
pub(super) fn same(known_as: &Reference) -> impl Iterator<Item = (String, String)> + use<> {
    let scopes: &[&str] = match &*known_as.scope {
        Reference::COPY => &[Reference::COPY],
        Reference::FORGED_COPY => &[Reference::COPY, Reference::FORGED_COPY],
        _ => &[],
    };
    let value = known_as.value.clone();
    scopes.iter().map(move |scope| ((*scope).to_owned(), value.clone()))
}

impl Step<'_> {
    /// Whether another source brought the same message; then it is noted where it is told. (Of its own source a copy is known by
    /// its keys.)
    pub(super) fn is_copy(&mut self) -> bool {
        let Some((activity, place)) = self.copy() else { return false };
        self.reason(Reason::Copy { activity });
        self.plan.about.push(About::Activity(activity));
        let contact = place.contact.map(|contact| self.facts.root(contact));
        self.end(Outcome::Noted, Place { contact, activity: None, ..place });
        true
    }

    fn copy(&self) -> Option<(crate::ids::ActivityId, Place)> {
        let submission = &self.item.submission;
        let known = submission.draft.known_as.iter().flat_map(same).filter_map(|pair| self.facts.references.get(&pair));
        // What is recorded again finds its own.
        let own = self.facts.submissions.get(&submission.id).and_then(|place| place.activity);
        known
            .copied()
            .find_map(|place| place.activity.filter(|activity| Some(*activity) != own).map(|activity| (activity, place)))
    }
}
