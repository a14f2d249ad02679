//! Receipts: what became of a submission, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{ActivityId, ContactId, LeadId, ManagerId, SourceId, SubmissionId};
use crate::prepare::IdentityKind;
use crate::rules::{KnownContact, Strength};
use crate::senders::Sender;
use crate::submission::Signal;

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A lead was made.
    Created,
    /// An activity on an open lead.
    Attached,
    /// An activity on a known contact without an open lead.
    Returned,
    /// An earlier activity was updated.
    Amended,
    /// Known already; nothing changed.
    Repeat,
    /// The sender only tried the line.
    Probe,
    /// A test lead.
    Test,
    /// Kept, no lead.
    Noted,
    /// Kept as spam.
    Spam,
    /// Kept for a person to look at.
    Quarantined,
}

impl Outcome {
    /// All of them, in the order of the glossary.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Attached,
        Self::Returned,
        Self::Amended,
        Self::Repeat,
        Self::Probe,
        Self::Test,
        Self::Noted,
        Self::Spam,
        Self::Quarantined,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Attached => "attached",
            Self::Returned => "returned",
            Self::Amended => "amended",
            Self::Repeat => "repeat",
            Self::Probe => "probe",
            Self::Test => "test",
            Self::Noted => "noted",
            Self::Spam => "spam",
            Self::Quarantined => "quarantined",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a submission, with ids and reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Which submission.
    pub submission: SubmissionId,
    /// What became of it.
    pub outcome: Outcome,
    /// The lead it made or joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadId>,
    /// The contact it was recognised as, or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The activity it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// In what state a contact holds an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityState {
    /// Attaches; at most one contact has it.
    Active,
    /// Kept and shown, evidence only.
    Claimed,
    /// Held by several people with different names.
    Shared,
    /// Held by so many that it means nobody.
    Generic,
    /// Kept and shown; never matched, or no longer.
    Historic,
}

impl IdentityState {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Claimed => "claimed",
            Self::Shared => "shared",
            Self::Generic => "generic",
            Self::Historic => "historic",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Claimed, Self::Shared, Self::Generic, Self::Historic].into_iter().find(|s| s.as_str() == text)
    }
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    /// The same delivery again, by its own id.
    SameDelivery,
    /// The sender's id is known, with the same content.
    KeyKnown {
        /// What kind of id.
        scope: String,
        /// The delivery that had it first.
        first: SubmissionId,
    },
    /// The same content from the same source a moment ago.
    ContentRepeated {
        /// The delivery that had it first.
        first: SubmissionId,
    },
    /// The sender's id is known, with other content.
    KeyOtherContent {
        /// What kind of id.
        scope: String,
        /// The delivery that had it first.
        first: SubmissionId,
    },
    /// It continues an activity the source names.
    Amends {
        /// The source's id of the activity.
        external_key: String,
    },
    /// A signal against it.
    Signal {
        /// Which.
        #[serde(flatten)]
        signal: Signal,
    },
    /// It waits for a person.
    Held {
        /// A short code.
        code: String,
        /// Why, and what would let it in.
        words: String,
    },
    /// Marked as a test by its sender.
    MarkedTest,
    /// Every phone and e-mail in it is the company's own.
    OursAlone,
    /// Not an enquiry: automatic mail.
    NotAnEnquiry,
    /// One of us wrote it.
    ByStaff {
        /// Who.
        manager: ManagerId,
    },
    /// A person said that what comes from this sender is no enquiry.
    Ignored {
        /// The sender.
        #[serde(flatten)]
        sender: Sender,
    },
    /// A person released it.
    Released {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// A person looked at it and dropped it.
    Dropped {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// It was read again, under the rules of then.
    ReadAgain,
    /// It seems to be from a contact other than the one whose activity it is.
    SeemsFrom {
        /// Whom it seems to be from.
        contact: ContactId,
    },
    /// It answers or continues something known.
    Refers {
        /// By what kind of reference.
        scope: String,
    },
    /// A value was read but cannot be used.
    Unusable {
        /// What it is.
        kind: IdentityKind,
        /// As typed.
        typed: String,
        /// What is wrong with it.
        note: String,
    },
    /// Looked up; nobody has it.
    Unknown {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
        /// What it is worth.
        strength: Strength,
    },
    /// Looked up and found.
    Matched {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
        /// What it is worth.
        strength: Strength,
        /// In what state it is held.
        state: IdentityState,
        /// Who holds it.
        contact: ContactId,
    },
    /// Kept, never looked up.
    NotLookedUp {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
    },
    /// The names agree; the score is in hundredths of a Jaro-Winkler similarity.
    NamesAgree {
        /// With whom.
        contact: ContactId,
        /// 0 to 100.
        score: u8,
        /// By a known short form.
        nickname: bool,
    },
    /// The names contradict.
    NamesContradict {
        /// With whom.
        contact: ContactId,
        /// 0 to 100.
        score: u8,
    },
    /// Only claimed by somebody: evidence, not a match.
    OnlyClaimed {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
        /// By whom.
        contact: ContactId,
    },
    /// A claim was confirmed by its own channel.
    ClaimConfirmed {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
    },
    /// Means nobody: too many people hold it.
    Generic {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
    },
    /// Held by several people; no name to choose by.
    Ambiguous {
        /// What it is.
        kind: IdentityKind,
        /// How many hold it.
        holders: usize,
    },
    /// A weak identity that did not attach.
    WeakPassedOver {
        /// What it is.
        kind: IdentityKind,
        /// Who holds it.
        contact: ContactId,
        /// Several contacts hold it (else: its contact has no open lead, or the names contradict).
        several: bool,
    },
    /// A contact that also matched.
    PassedOver {
        /// Which.
        contact: ContactId,
    },
    /// Nothing in it means a person.
    NoIdentity,
    /// A new contact was made.
    NewContact {
        /// Which.
        contact: ContactId,
        /// Because a value is shared with somebody of another name.
        shared: bool,
    },
    /// A value was added to the contact.
    Added {
        /// What it is.
        kind: IdentityKind,
        /// The canonical form.
        value: String,
        /// In what state.
        state: IdentityState,
    },
    /// A value was not added: the contact has claimed enough today.
    ClaimLimit {
        /// What it is.
        kind: IdentityKind,
    },
    /// The contact's open lead took it.
    OpenLead {
        /// Which.
        lead: LeadId,
    },
    /// The contact's lead is open but was untouched for too long.
    LeadStale {
        /// Which.
        lead: LeadId,
        /// When it was last touched.
        touched_at: Timestamp,
    },
    /// The contact's last lead was closed as junk: a new one.
    LastLeadJunk {
        /// Which.
        lead: LeadId,
    },
    /// A known contact came back.
    Returned {
        /// The source's rule for it.
        policy: KnownContact,
    },
    /// Each such delivery is a lead of its own.
    OwnLead,
    /// A form's own delivery and its notification by mail tell the same.
    Twin {
        /// The one that came first.
        first: SubmissionId,
    },
    /// The same message came by another source.
    Copy {
        /// The activity it made there.
        activity: ActivityId,
    },
    /// A form's notification came without the form's own delivery, which is awaited.
    Awaits {
        /// The source that should bring it.
        form: SourceId,
    },
    /// The call is not over: nothing is decided about it yet.
    CallGoesOn,
    /// Somebody answered the call, and of this source only missed ones become leads.
    CallAnswered,
    /// Nobody answered the call.
    CallMissed,
    /// The caller hides the number.
    HiddenCaller,
    /// A call between colleagues.
    InternalCall,
    /// We called.
    Called,
    /// We wrote it.
    Sent,
    /// It was sent to a contact.
    SentTo {
        /// Which.
        contact: ContactId,
    },
    /// It was sent to nobody who is known.
    SentToNobody,
    /// A mail could not be delivered.
    Bounce {
        /// The address, as the mail that tells of it has it.
        address: String,
        /// It will not work later either.
        permanent: bool,
        /// The status (RFC 3463); empty if unknown.
        status: String,
        /// Who has the address.
        contact: Option<ContactId>,
    },
    /// A mail came from an address to which mails had come back.
    Reachable {
        /// The canonical form.
        email: String,
    },
    /// Two contacts went to the duplicate review.
    Review {
        /// One.
        a: ContactId,
        /// The other.
        b: ContactId,
    },
}

impl Reason {
    /// In words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::SameDelivery => "this very delivery is known already".to_owned(),
            Self::KeyKnown { scope, first } => {
                format!("the sender's id ({scope}) and the content are known from delivery {first}")
            }
            Self::ContentRepeated { first } => format!("the same content came a moment ago as delivery {first}"),
            Self::KeyOtherContent { scope, first } => {
                format!("the sender's id ({scope}) is known from delivery {first}, but the content is another")
            }
            Self::Amends { external_key } => format!("it updates the activity the source calls {external_key}"),
            Self::Signal { signal } => signal.words(),
            Self::Held { words, .. } => words.clone(),
            Self::MarkedTest => "its sender marked it as a test".to_owned(),
            Self::OursAlone => "every phone and e-mail in it is the company's own".to_owned(),
            Self::ByStaff { manager } => format!("manager {manager} wrote it"),
            Self::NotAnEnquiry => "it is not an enquiry".to_owned(),
            Self::Ignored { sender } => {
                format!("what comes from the {sender} is no enquiry, a person said (`leadgate senders list`)")
            }
            Self::Released { by, at } => format!("released by {by} at {at}"),
            Self::Dropped { by, at } => format!("dropped by {by} at {at}"),
            Self::ReadAgain => "it was read again".to_owned(),
            Self::SeemsFrom { contact } => format!("it seems to be from contact {contact}; nothing was moved"),
            Self::Refers { scope } => format!("it continues something known ({scope})"),
            Self::Unusable { kind, typed, note } => format!("the {} {typed:?} is kept as typed: {note}", kind.as_str()),
            Self::Unknown { kind, value, strength } => {
                format!("nobody has the {} {value} ({})", kind.as_str(), strength.as_str())
            }
            Self::Matched { kind, value, strength, state, contact } => {
                format!("contact {contact} has the {} {value} ({}, {})", kind.as_str(), strength.as_str(), state.as_str())
            }
            Self::NotLookedUp { kind, value } => format!("the {} {value} is kept but identifies nobody", kind.as_str()),
            Self::NamesAgree { contact, score, nickname } => {
                let how = if *nickname { " by a short form" } else { "" };
                format!("the name agrees with contact {contact}{how} ({score}/100)")
            }
            Self::NamesContradict { contact, score } => format!("the name contradicts contact {contact}'s ({score}/100)"),
            Self::OnlyClaimed { kind, value, contact } => {
                format!("contact {contact} only claims the {} {value}: no match", kind.as_str())
            }
            Self::ClaimConfirmed { kind, value } => format!("the {} {value} was confirmed by its own channel", kind.as_str()),
            Self::Generic { kind, value } => format!("too many people hold the {} {value}: it means nobody", kind.as_str()),
            Self::Ambiguous { kind, holders } => {
                format!("{holders} people share this {} and no name tells which: the newest open enquiry took it", kind.as_str())
            }
            Self::WeakPassedOver { kind, contact, several } => {
                let why = if *several { "several people hold it" } else { "it has no open enquiry, or the name differs" };
                format!("contact {contact} has this {}, which alone is not enough ({why})", kind.as_str())
            }
            Self::PassedOver { contact } => format!("contact {contact} matched too, but less well"),
            Self::NoIdentity => "nothing in it says who it is from".to_owned(),
            Self::NewContact { contact, shared: false } => format!("contact {contact} is new"),
            Self::NewContact { contact, shared: true } => {
                format!("contact {contact} is new: it shares a value with somebody of another name")
            }
            Self::Added { kind, value, state } => format!("the {} {value} was added ({})", kind.as_str(), state.as_str()),
            Self::ClaimLimit { kind } => format!("a further {} was not added: too many new values today", kind.as_str()),
            Self::OpenLead { lead } => format!("lead {lead} is open"),
            Self::LeadStale { lead, touched_at } => format!("lead {lead} is open, but nothing happened on it since {touched_at}"),
            Self::LastLeadJunk { lead } => format!("their last lead {lead} was closed as junk: a new one"),
            Self::Returned { policy } => match policy {
                KnownContact::Attach => "a known contact without an open lead came back: it waits to be taken".to_owned(),
                KnownContact::RepeatLead => "a known contact came back: a new lead of a return customer".to_owned(),
                KnownContact::Reopen => "a known contact came back: their last lead is open again".to_owned(),
            },
            Self::OwnLead => "each such delivery is a lead of its own".to_owned(),
            Self::Twin { first } => format!("a form's own delivery and its notification tell the same: {first} came first"),
            Self::Copy { activity } => format!("the same message came by another source: it is activity {activity}"),
            Self::Awaits { form } => {
                format!("the form ({form}) has not brought it itself yet; if it does not soon, its webhook counts as broken")
            }
            Self::CallGoesOn => "the call is not over: nothing is decided about it yet".to_owned(),
            Self::CallAnswered => {
                "it was answered, and of this source only missed calls become leads (lead_on = \"missed\")".to_owned()
            }
            Self::CallMissed => "nobody answered: somebody should call back".to_owned(),
            Self::HiddenCaller => "the caller hides the number".to_owned(),
            Self::InternalCall => "a call between colleagues: it makes no lead".to_owned(),
            Self::Called => "we called: it makes no lead".to_owned(),
            Self::Sent => "we wrote it: it makes no lead and nobody is notified".to_owned(),
            Self::SentTo { contact } => format!("it was sent to contact {contact}"),
            Self::SentToNobody => "it was sent to nobody who is known".to_owned(),
            Self::Bounce { address, permanent, status, contact } => {
                let whose = contact.map_or_else(|| "nobody known".to_owned(), |contact| format!("contact {contact}"));
                let status = if status.is_empty() { String::new() } else { format!(", {status}") };
                if *permanent {
                    format!("mails to {address} ({whose}) come back for good{status}")
                } else {
                    format!("a mail to {address} ({whose}) was not delivered for now{status}")
                }
            }
            Self::Reachable { email } => format!("{email} can be reached again: a mail came from it"),
            Self::Review { a, b } => format!("contacts {a} and {b} went to the duplicate review"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_back() {
        let text = || "x".to_owned();
        for signal in [
            Signal::Honeypot { field: text() },
            Signal::TooFast { millis: 1 },
            Signal::Rate,
            Signal::Links { count: 9 },
            Signal::Captcha { detail: text() },
            Signal::Unverified { detail: text() },
            Signal::Spoof { detail: text() },
            Signal::Filter { detail: text() },
        ] {
            let reason = Reason::Signal { signal };
            let written = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<Reason>(&written).unwrap(), reason, "{written}");
        }
    }
}
