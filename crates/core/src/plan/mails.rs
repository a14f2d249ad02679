//! What is particular about mails: what we wrote ourselves, what could not be delivered, what is forged, and what a form told by
//! itself as well.

use super::facts::{Place, RecentFact};
use super::resolve::Step;
use super::writes::{About, MarkWrite};
use crate::ids::{ContactId, LeadId};
use crate::liveness::TWINS_WITHIN;
use crate::mail::Unreachable;
use crate::onward::event;
use crate::prepare::{Failed, IdentityKind};
use crate::receipt::{IdentityState, Outcome, Reason};
use crate::rules::LeadPer;
use crate::submission::{ActivityKind, Signal};

/// The most other addressees a receipt names.
const MOST_PASSED_OVER: usize = 5;

impl Step<'_> {
    /// The sender's address is not the sender's own.
    pub(super) fn is_forged(&self) -> bool {
        self.item.submission.signals.iter().any(|signal| matches!(signal, Signal::Spoof { .. }))
    }

    /// What it answers or continues, of what is known: by what kind of reference, and where that stands.
    pub(super) fn referred(&self) -> Option<(String, Place)> {
        self.item.submission.draft.refers_to.iter().find_map(|reference| {
            let place = self.facts.references.get(&(reference.scope.clone(), reference.value.clone()))?;
            Some((reference.scope.clone(), *place))
        })
    }

    // ------------------------------------------------------------------------------------------------ what we wrote

    /// A manager's mail goes to the thread it answers, else to whom it was sent to. It makes nobody and nothing, and counts as
    /// nothing the customer did: neither lead nor contact are touched.
    pub(super) fn sent(&mut self) {
        self.reason(Reason::Sent);
        let referred = self.referred().filter(|(_, place)| place.lead.is_some() || place.contact.is_some());
        if let Some((scope, place)) = referred {
            self.reason(Reason::Refers { scope });
            let contact = place.contact.map(|contact| self.facts.root(contact));
            return self.written(place.lead, contact, false, self.told_of());
        }
        let Some((contact, ambiguous)) = self.addressee() else {
            self.reason(Reason::SentToNobody);
            return self.end(Outcome::Noted, Place::default());
        };
        self.reason(Reason::SentTo { contact });
        let lead = self.open_lead(contact);
        if let Some(lead) = lead {
            self.reason(Reason::OpenLead { lead });
        }
        self.written(lead, Some(contact), ambiguous, self.told_of());
    }

    /// One of us answers a notice of the gateway, or something else of a thread: it belongs there, and is what we wrote.
    pub(super) fn answered_by_us(&mut self) -> bool {
        let referred = self.referred().filter(|(_, place)| place.lead.is_some() || place.contact.is_some());
        let Some((scope, place)) = referred.filter(|_| self.item.submission.draft.activity == ActivityKind::Email) else {
            return false;
        };
        self.reason(Reason::Sent);
        self.reason(Reason::Refers { scope });
        let contact = place.contact.map(|contact| self.facts.root(contact));
        self.written(place.lead, contact, false, self.told_of());
        true
    }

    fn told_of(&self) -> &'static str {
        let is_mail = self.item.submission.draft.activity == ActivityKind::Email;
        if is_mail { event::MAIL_SENT } else { event::MESSAGE_SENT }
    }

    /// Something of ours stands where it belongs.
    pub(super) fn written(&mut self, lead: Option<LeadId>, contact: Option<ContactId>, ambiguous: bool, told: &'static str) {
        let activity = self.activity(lead, contact, ambiguous, false);
        self.tell(told);
        let outcome = if lead.is_some() { Outcome::Attached } else { Outcome::Returned };
        self.end(outcome, Place { lead, contact, activity: Some(activity) });
    }

    pub(super) fn open_lead(&self, contact: ContactId) -> Option<LeadId> {
        let fact = self.facts.contacts.get(&contact)?;
        fact.open.or(fact.last.filter(|lead| lead.stage.is_open())).map(|lead| lead.id)
    }

    /// The first addressee with an open lead, else the first who is known; and whether several people have the address.
    pub(super) fn addressee(&mut self) -> Option<(ContactId, bool)> {
        let mut known: Vec<(ContactId, bool)> = Vec::new();
        for identity in &self.item.identities {
            let holders = self.holders(&identity.kind, &identity.value);
            let newest = holders.iter().copied().max_by_key(|id| {
                let last_active = self.facts.contacts.get(id).map(|fact| fact.last_active);
                (self.open_lead(*id), last_active, std::cmp::Reverse(*id))
            });
            if let Some(contact) = newest.filter(|contact| !known.iter().any(|(other, _)| other == contact)) {
                known.push((contact, holders.len() > 1));
            }
        }
        let chosen = known.iter().position(|(contact, _)| self.open_lead(*contact).is_some()).unwrap_or(0);
        if chosen >= known.len() {
            return None;
        }
        let chosen = known.remove(chosen);
        for (contact, _) in known.into_iter().take(MOST_PASSED_OVER) {
            self.reason(Reason::PassedOver { contact });
        }
        Some(chosen)
    }

    /// Who has a value: those who are recognised by it, else those who claim it, else those who had it. Nobody, if it means
    /// nobody.
    fn holders(&self, kind: &IdentityKind, value: &str) -> Vec<ContactId> {
        let held = self.facts.holders.get(&(kind.clone(), value.to_owned())).map_or(&[][..], Vec::as_slice);
        if held.iter().any(|holder| holder.state == IdentityState::Generic) {
            return Vec::new();
        }
        let of = |states: &[IdentityState]| {
            let holders = held.iter().filter(|holder| states.contains(&holder.state));
            let mut roots: Vec<ContactId> = holders.map(|holder| self.facts.root(holder.contact)).collect();
            roots.retain(|root| self.facts.contacts.contains_key(root));
            roots.sort_unstable();
            roots.dedup();
            roots
        };
        let states: [&[IdentityState]; 3] =
            [&[IdentityState::Active, IdentityState::Shared], &[IdentityState::Claimed], &[IdentityState::Historic]];
        states.into_iter().map(of).find(|found| !found.is_empty()).unwrap_or_default()
    }

    // ---------------------------------------------------------------------------------------- what cannot be reached

    /// A mail that could not be delivered marks the addresses on whoever has them, and is noted where it belongs.
    pub(super) fn bounced(&mut self) {
        let mut place = Place::default();
        if let Some((scope, found)) = self.referred() {
            self.reason(Reason::Refers { scope });
            self.plan.about.extend(found.activity.map(About::Activity));
            place = Place { contact: found.contact.map(|contact| self.facts.root(contact)), activity: None, ..found };
        }
        for failed in &self.item.failed {
            let contact = self.unreachable(failed);
            let about = contact.map(About::Contact).filter(|about| !self.plan.about.contains(about));
            self.plan.about.extend(about);
            if let (Some(contact), None, None) = (contact, place.contact, place.lead) {
                place = Place { lead: self.open_lead(contact), contact: Some(contact), activity: None };
            }
            let failure = &failed.failure;
            self.reason(Reason::Bounce {
                address: failure.address.clone(),
                permanent: failure.permanent,
                status: failure.status.clone(),
                contact,
            });
        }
        self.end(Outcome::Noted, place);
    }

    /// Marks an address on all who hold it, if it failed for good. Who has it, one of several.
    fn unreachable(&mut self, failed: &Failed) -> Option<ContactId> {
        let key = failed.key.as_ref()?;
        let contact = self.holders(&IdentityKind::EMAIL, key).first().copied();
        let at = self.item.happened_at();
        let held = self.facts.holders.get_mut(&(IdentityKind::EMAIL, key.clone()));
        for holder in held.into_iter().flatten().filter(|_| failed.failure.permanent) {
            let since = holder.failed.map_or(at, |since| since.min(at));
            holder.failed = Some(since);
            let (status, words) = (failed.failure.status.clone(), failed.failure.words.clone());
            let unreachable = Some(Unreachable { since, status, words });
            self.plan.marks.push(MarkWrite { contact: holder.contact, email: key.clone(), unreachable });
        }
        contact
    }

    /// Whoever writes from an address has it: it can be reached again.
    fn reachable_again(&mut self) {
        let at = self.item.happened_at();
        for identity in self.item.identities.iter().filter(|identity| identity.kind == IdentityKind::EMAIL && !identity.found) {
            let held = self.facts.holders.get_mut(&(IdentityKind::EMAIL, identity.value.clone()));
            let mut again = false;
            for holder in held.into_iter().flatten().filter(|holder| holder.failed.is_some_and(|since| since < at)) {
                holder.failed = None;
                again = true;
                let mark = MarkWrite { contact: holder.contact, email: identity.value.clone(), unreachable: None };
                self.plan.marks.push(mark);
            }
            if again {
                self.reason(Reason::Reachable { email: identity.value.clone() });
            }
        }
    }

    // --------------------------------------------------------------------------------------------------------- twins

    /// A form and its notification are one enquiry, whichever comes first: the notification is noted, and the form's own
    /// delivery tells the activity from then on.
    pub(super) fn is_twin(&mut self) -> bool {
        if !self.item.seeks_twin || self.facts.recent.is_empty() {
            return false;
        }
        let Some(twin) = self.twin() else { return false };
        let form = if self.item.content.notification { twin.source.clone() } else { self.item.submission.source.clone() };
        if !self.item.submission.historic {
            self.plan.heard = Some(form);
        }
        if self.item.content.notification {
            self.reason(Reason::Twin { first: twin.submission });
            self.plan.about.extend(twin.place.activity.map(About::Activity));
            self.end(Outcome::Noted, twin.place);
            return true;
        }
        let draft = &self.item.submission.draft;
        if draft.own_lead || draft.external_key.is_some() || self.source.lead_per == LeadPer::Delivery {
            // It is a lead of its own, or goes on to be amended: it stays apart.
            return false;
        }
        let (Some(contact), Some(activity)) = (twin.place.contact, twin.place.activity) else { return false };
        self.reason(Reason::Twin { first: twin.submission });
        self.plan.amends = Some(activity);
        self.join(contact, activity, false);
        if let Some(lead) = twin.place.lead {
            self.touch_lead(lead, Some(contact), None, None);
        }
        self.end(Outcome::Amended, twin.place);
        true
    }

    /// The newest that tells the same.
    fn twin(&self) -> Option<RecentFact> {
        let submission = &self.item.submission;
        let own = RecentFact::of(
            Place::default(),
            submission.id,
            submission.source.clone(),
            submission.received_at,
            &self.item.content,
        );
        let identities: Vec<_> = self.item.identities.iter().map(|i| (i.kind.clone(), i.value.clone())).collect();
        let contacts = self.facts.holders_of(&identities);
        let lately = contacts.into_iter().flat_map(|contact| self.facts.lately(contact));
        let twins = lately.filter(|other| {
            let (notification, form) = if own.notification { (&own, *other) } else { (*other, &own) };
            notification.notification && self.tells_of(notification, form) && self.is_near(other) && is_same(notification, form)
        });
        twins.max_by_key(|fact| (fact.at, fact.place.activity)).cloned()
    }

    /// Whether a mailbox gets the notifications of a form.
    fn tells_of(&self, notification: &RecentFact, form: &RecentFact) -> bool {
        let forms = &self.rules.of(&notification.source).forms;
        !form.mail
            && !form.notification
            && (forms.contains(&form.source) || (forms.is_empty() && form.source != notification.source))
    }

    /// A mail that was read late tells when it was sent.
    fn is_near(&self, other: &RecentFact) -> bool {
        let times = [self.at, self.item.happened_at()];
        times.into_iter().any(|at| at.duration_since(other.at).abs() <= TWINS_WITHIN)
    }

    // ---------------------------------------------------------------------------------------------------- afterwards

    /// What follows from a mail, whatever became of it.
    pub(super) fn after_mail(&mut self) {
        if self.item.is_mail_from_customer() && self.item.failed.is_empty() {
            self.reachable_again();
        }
        // What is read again says nothing of how the form does now.
        let fresh = !self.item.submission.historic && self.again.is_none();
        if let ([form], true) = (self.source.forms.as_slice(), fresh && self.item.content.notification)
            && self.plan.activity.is_some()
            && matches!(self.plan.receipt.outcome, Outcome::Created | Outcome::Attached | Outcome::Returned)
            && self.plan.receipt.contact.is_some()
        {
            self.plan.awaits = Some(form.clone());
            self.reason(Reason::Awaits { form: form.clone() });
        }
    }
}

/// A notification tells the same people, though perhaps not all of a form's values, and messages do not contradict.
fn is_same(notification: &RecentFact, form: &RecentFact) -> bool {
    let (one, other) = (&*notification.message, &*form.message);
    !notification.values.is_empty() && notification.values.is_subset(&form.values) && (one.contains(other) || other.contains(one))
}
