//! The same message in several mailboxes: whichever is read first tells it, the others are noted.

use super::facts::Place;
use super::resolve::Step;
use super::writes::About;
use crate::receipt::{Outcome, Reason};
use crate::submission::Reference;

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
        let said = submission.draft.known_as.iter().filter(|reference| reference.scope == Reference::COPY);
        let known = said.filter_map(|reference| self.facts.references.get(&(reference.scope.clone(), reference.value.clone())));
        // What is recorded again finds its own.
        let own = self.facts.submissions.get(&submission.id).and_then(|place| place.activity);
        known
            .copied()
            .find_map(|place| place.activity.filter(|activity| Some(*activity) != own).map(|activity| (activity, place)))
    }
}
