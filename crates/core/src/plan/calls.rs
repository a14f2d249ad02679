//! Calls: what several events tell is joined, and what becomes of the call is decided once.
//!
//! Before that its events are noted, and what they told is kept with the call. From then on it is the activity's.

use serde::{Deserialize, Serialize};

use jiff::Timestamp;

use super::facts::{Facts, Place};
use super::resolve::Step;
use crate::attribution::Touch;
use crate::call::{CallFacts, CallView, Direction};
use crate::chat;
use crate::onward::event;
use crate::prepare::{Content, IdentityKind, Prepared};
use crate::receipt::{Outcome, Reason};
use crate::rules::{HiddenCallers, LeadOn, Rules};

/// Whether somebody should call back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallBack {
    /// Nobody was missed, as far as is known.
    #[default]
    None,
    /// Whoever called was missed, and waits.
    Waits,
    /// It is done, or of no use.
    Done,
}

impl CallBack {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Waits => "waits",
            Self::Done => "done",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Waits, Self::Done].into_iter().find(|state| state.as_str() == text)
    }
}

/// What a call told before it was decided what becomes of it. Kept as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTold {
    /// As an activity would tell it.
    pub content: Content,
    /// Where the caller came from.
    #[serde(default, skip_serializing_if = "Touch::is_empty")]
    pub touch: Touch,
}

/// A call as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCall {
    /// What it told; `None`: its activity tells it.
    pub told: Option<CallTold>,
    /// The canonical number of the other side; empty if it is not known.
    pub phone: String,
    /// Whether somebody should call back.
    pub back: CallBack,
    /// Nothing more is expected of it.
    pub over: bool,
    /// When something last came of it.
    pub at: Timestamp,
}

impl KeptCall {
    /// What it told, as it is kept; `None`: its activity tells it.
    pub fn told_json(&self) -> Option<String> {
        let told = self.told.as_ref()?;
        // What was read from JSON is written as JSON.
        Some(serde_json::to_string(told).unwrap_or_else(|_never| "{}".to_owned()))
    }
}

/// A call to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallWrite {
    /// The source's own id of it: [`Draft::external_key`](crate::submission::Draft::external_key).
    pub key: String,
    /// As it is from now on.
    pub call: KeptCall,
    /// It waits to be called back since now.
    pub missed: bool,
}

/// The delivery of a call, with everything that was told of the call before; `None`: it is of no call, or the first of it.
pub(super) fn joined(item: &Prepared, facts: &Facts, rules: &Rules) -> Option<Prepared> {
    let told = item.content.call.as_ref()?;
    let key = key_of(item)?;
    let activity = facts.external.get(&key).and_then(|place| place.activity);
    let kept = facts.calls.get(&key).and_then(|call| call.told.as_ref());
    let (before, touch) = match (activity, kept) {
        (Some(activity), _) => (facts.told.get(&activity)?, None),
        (None, Some(kept)) => (&kept.content, Some(&kept.touch)),
        (None, None) => return None,
    };
    let mut call = told.clone();
    if let Some(known) = &before.call {
        call.join(known);
    }
    Some(item.retold(gathered(before, &item.content, call), touch, rules))
}

/// What a call tells once another event of it came, in whatever order.
fn gathered(before: &Content, new: &Content, call: Box<CallFacts>) -> Content {
    let mut all = chat::gather(before, new);
    all.fields.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
    for file in &new.offered {
        // The same recording by a link that was signed anew: the old one may have ended.
        for known in all.offered.iter_mut().filter(|known| known.unique == file.unique) {
            known.id.clone_from(&file.id);
        }
    }
    all.offered.sort_by(|a, b| a.unique.cmp(&b.unique));
    all.name = before.name.clone().max(new.name.clone());
    all.language = before.language.clone().or_else(|| new.language.clone());
    all.call = Some(call);
    all
}

fn key_of(item: &Prepared) -> Option<(String, String)> {
    let key = item.submission.draft.external_key.clone()?;
    Some((item.submission.source.to_string(), key))
}

/// Neither a number nor that it is hidden is known: another event may tell.
fn says_nobody(call: &CallView) -> bool {
    call.number.is_none() && !call.hidden
}

/// Whether somebody called them, or spoke with them.
fn reaches(call: &CallView) -> bool {
    call.direction == Some(Direction::Out) || (call.is_incoming() && call.is_answered())
}

/// The canonical number of the other side.
fn phone_of(item: &Prepared) -> String {
    let phone = item.identities.iter().find(|identity| identity.kind == IdentityKind::PHONE);
    phone.map(|phone| phone.value.clone()).unwrap_or_default()
}

impl Step<'_> {
    /// Decides about a call, or adds to what was decided.
    pub(super) fn call(&mut self) {
        let (Some(call), Some(key)) = (self.item.content.call.as_ref().map(|call| call.view()), key_of(self.item)) else {
            return self.end(Outcome::Noted, Place::default());
        };
        let offered = self.files_before(&key);
        let before = self.before(&key);
        let is_old = self.facts.external.contains_key(&key);
        match self.facts.external.get(&key).copied() {
            Some(place) => self.further(&call, &key, place),
            None => self.first(&call),
        }
        let place = self.place();
        let content = &self.item.content;
        if !content.offered.is_empty() && content.offered.len() + content.files.len() > offered && place.activity.is_some() {
            self.tell(event::FILE_OFFERED);
        }
        // They were reached, or somebody tried to reach them: told once, for what comes of it later may be told of an old call.
        let reached = reaches(&call) && !before.is_some_and(|before| reaches(&before));
        self.keep_call(&call, key, place, (reached, is_old));
    }

    /// The call, as it was known before this event.
    fn before(&self, key: &(String, String)) -> Option<CallView> {
        let activity = self.facts.external.get(key).and_then(|place| place.activity);
        let kept = || self.facts.calls.get(key)?.told.as_ref().map(|told| &told.content);
        let told = activity.and_then(|activity| self.facts.told.get(&activity)).or_else(kept)?;
        told.call.as_ref().map(|call| call.view())
    }

    fn place(&self) -> Place {
        let receipt = &self.plan.receipt;
        Place { lead: receipt.lead, contact: receipt.contact, activity: receipt.activity }
    }

    /// How many files its activity has or offers already.
    fn files_before(&self, key: &(String, String)) -> usize {
        let activity = self.facts.external.get(key).and_then(|place| place.activity);
        activity.and_then(|activity| self.facts.told.get(&activity)).map_or(0, |told| told.offered.len() + told.files.len())
    }

    // -------------------------------------------------------------------------------------------------- not decided yet

    fn first(&mut self, call: &CallView) {
        let over = call.outcome.is_some();
        let no_enquiry = self.no_enquiry().or_else(|| self.item.ours_alone.then_some(Reason::OursAlone));
        if let Some(reason) = no_enquiry {
            self.reason(reason);
        } else if call.direction == Some(Direction::Internal) {
            self.reason(Reason::InternalCall);
        } else if self.item.content.call.as_ref().is_some_and(|call| call.is_bare()) {
            // A recording or a tag of a call of which nothing is known: nobody is to be called back for that.
            self.reason(Reason::CallGoesOn);
        } else if !over && (self.source.calls.lead_on != LeadOn::Ring || !call.is_incoming() || says_nobody(call)) {
            self.reason(Reason::CallGoesOn);
        } else if !call.is_incoming() {
            return self.called();
        } else if self.source.calls.lead_on == LeadOn::Missed && call.is_answered() {
            self.reason(Reason::CallAnswered);
        } else {
            return self.came_in(call);
        }
        self.end(Outcome::Noted, Place::default());
    }

    fn came_in(&mut self, call: &CallView) {
        if call.is_missed() {
            self.reason(Reason::CallMissed);
        }
        if call.number.is_none() {
            self.reason(Reason::HiddenCaller);
            if self.source.calls.hidden == HiddenCallers::Note {
                return self.end(Outcome::Noted, Place::default());
            }
        }
        self.resolve();
    }

    /// We called somebody: an attempt on the open lead of whoever is known by that number.
    fn called(&mut self) {
        self.reason(Reason::Called);
        let Some((contact, ambiguous)) = self.addressee() else {
            self.reason(Reason::SentToNobody);
            return self.end(Outcome::Noted, Place::default());
        };
        self.reason(Reason::SentTo { contact });
        let lead = self.open_lead(contact);
        self.written(lead, Some(contact), ambiguous, event::CALL_MADE);
    }

    // ---------------------------------------------------------------------------------------------------------- decided

    /// A further event of a call that is an activity.
    fn further(&mut self, call: &CallView, key: &(String, String), place: Place) {
        let Some(activity) = place.activity else { return self.end(Outcome::Noted, place) };
        self.reason(Reason::Amends { external_key: key.1.clone() });
        let mut contact = place.contact.map(|contact| self.facts.root(contact));
        let is_news = self.facts.told.get(&activity) != Some(&self.item.content);
        if is_news {
            self.plan.amends = Some(activity);
            self.facts.told.insert(activity, self.item.content.clone());
        }
        if is_news && call.is_incoming() {
            match (contact, place.lead) {
                (Some(contact), _) => self.join(contact, activity, false),
                (None, Some(lead)) => contact = self.adopter(lead, activity),
                (None, None) => {}
            }
            if let (Some(lead), None) = (place.lead, &self.plan.touched) {
                self.touch_lead(lead, contact, None, None);
            }
        }
        self.end(Outcome::Amended, Place { contact, ..place });
    }

    // ----------------------------------------------------------------------------------------------------- calling back

    /// Keeps the call, and whether somebody should call back.
    fn keep_call(&mut self, call: &CallView, key: (String, String), place: Place, (reached, is_old): (bool, bool)) {
        let kept = self.facts.calls.get(&key).cloned();
        let kept = kept.as_ref();
        // What was kept of an old call may be gone: whether somebody called back was settled then.
        let before = kept.map_or(if is_old { CallBack::Done } else { CallBack::None }, |kept| kept.back);
        let phone = Some(phone_of(self.item)).filter(|phone| !phone.is_empty());
        let phone = phone.or_else(|| kept.map(|kept| kept.phone.clone())).unwrap_or_default();
        let missed = before == CallBack::None && call.is_missed() && place.activity.is_some();
        let back = match before {
            CallBack::None if missed && !phone.is_empty() => CallBack::Waits,
            CallBack::None if missed => CallBack::Done,
            CallBack::Waits if call.is_answered() => CallBack::Done,
            before => before,
        };
        if missed {
            self.tell(event::CALL_MISSED);
        }
        if reached && !phone.is_empty() && !self.item.submission.historic {
            self.returned_calls(&phone);
        }
        let told = place
            .activity
            .is_none()
            .then(|| CallTold { content: self.item.content.clone(), touch: self.item.submission.draft.touch.clone() });
        let over = call.outcome.is_some();
        let at = kept.map_or(self.at, |kept| kept.at.max(self.at));
        let call = KeptCall { told, phone, back, over, at };
        self.facts.calls.insert(key.clone(), call.clone());
        if place.activity.is_some() {
            self.facts.external.insert(key.clone(), place);
        }
        self.plan.call = Some(CallWrite { key: key.1, call, missed: back == CallBack::Waits && missed });
    }

    /// Nobody who was missed at this number waits any more.
    fn returned_calls(&mut self, phone: &str) {
        for call in self.facts.calls.values_mut().filter(|call| call.phone == phone && call.back == CallBack::Waits) {
            call.back = CallBack::Done;
        }
        self.plan.called_back = Some(phone.to_owned());
    }
}

/// Whom a lookup asks for on behalf of calls that are kept: their numbers and what else they told.
pub(super) fn identities(call: &KeptCall) -> Vec<(IdentityKind, String)> {
    let phone = (!call.phone.is_empty()).then(|| (IdentityKind::PHONE, call.phone.clone()));
    let told = call.told.iter().flat_map(|told| &told.content.values);
    let told = told.filter_map(|value| Some((value.kind.clone(), value.value.clone()?)));
    phone.into_iter().chain(told).collect()
}
