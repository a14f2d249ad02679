//! Every event there is.

/// What an event is about: what its JSON holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A lead, its contact, and mostly the activity that came.
    Lead,
    /// A contact.
    Contact,
    /// A delivery that waits, or was kept aside.
    Submission,
    /// The gateway itself and what it depends on: only `detail`.
    Operation,
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKind {
    /// Its stable name.
    pub name: &'static str,
    /// The version of its JSON: it rises when something is taken away or changes its meaning, not when something is added.
    pub version: i64,
    /// What it is about.
    pub subject: Subject,
    /// What happened, in words.
    pub words: &'static str,
}

impl EventKind {
    /// Whether it goes to nobody but whom it is for: no pattern makes anybody else hear of it.
    pub fn is_private(&self) -> bool {
        is_private(self.name)
    }
}

/// Whether an event goes to nobody but whom it is for, see [`EventKind::is_private`].
pub(super) fn is_private(name: &str) -> bool {
    matches!(name, event::CANARY_DUE | event::DIGEST_DUE | event::MESSAGE_RECEIVED | event::FILE_OFFERED)
}

macro_rules! events {
    ($($constant:ident = $name:literal, $subject:ident, $words:literal;)+) => {
        /// The names of the events.
        pub mod event {
            $(#[doc = $words] pub const $constant: &str = $name;)+
        }

        /// Every event, in the order people read of them.
        pub const EVENTS: &[EventKind] =
            &[$(EventKind { name: event::$constant, version: 1, subject: Subject::$subject, words: $words }),+];
    };
}

events! {
    LEAD_CREATED = "lead.created", Lead, "A lead was made.";
    LEAD_ATTACHED = "lead.attached", Lead, "The customer did something again: an activity came on an open lead.";
    LEAD_UPDATED = "lead.updated", Lead, "The stage or the manager of a lead changed, or somebody wrote a note.";
    LEAD_CLOSED = "lead.closed", Lead, "A lead was converted or closed as junk.";
    LEAD_REOPENED = "lead.reopened", Lead, "A closed lead is open again.";
    LEAD_WAITING = "lead.waiting", Lead, "Nobody has taken a lead within the time of its source (`take_within`).";
    CONTACT_CREATED = "contact.created", Contact, "A person came who was not known.";
    CONTACT_RETURNED = "contact.returned", Contact, "A known person without an open lead came back, and waits to be taken.";
    CONTACT_WAITING = "contact.waiting", Contact, "Nobody has taken a returned person within the time of the source (`take_within`).";
    CONTACT_TAKEN = "contact.taken", Contact, "A waiting person was taken by a manager.";
    CONTACT_REACHABLE = "contact.reachable", Contact, "Somebody said that an address can be reached again.";
    CONTACT_ERASED = "contact.erased", Contact, "Everything known of a person was removed.";
    MAIL_SENT = "mail.sent", Lead, "A manager wrote a mail to a customer, which the gateway saw in a mailbox.";
    MAIL_REFUSED = "mail.refused", Lead, "What a manager answered to a notice could not be passed on to the customer.";
    MESSAGE_SENT = "message.sent", Lead, "A manager wrote to a customer by a messenger, or by the gateway; it is on its way.";
    MESSAGE_FAILED = "message.failed", Lead, "What a manager wrote to a customer by the gateway did not arrive.";
    MESSAGE_RECEIVED = "message.received", Submission, "Something is to be done because of a bot's update; told to nobody else.";
    FILE_OFFERED = "file.offered", Submission, "A delivery names files that are to be fetched; told to nobody else.";
    CALL_MISSED = "call.missed", Lead, "A customer called and nobody answered.";
    CALL_UNRETURNED = "call.unreturned", Lead, "Nobody has called back a customer who was missed, within the time of the source (`call_back_within`).";
    CALL_MADE = "call.made", Lead, "Somebody of the company called a customer, or tried to.";
    ACTIVITY_DETACHED = "activity.detached", Lead, "An activity was taken off its lead and got a lead of its own.";
    ACTIVITY_RESTORED = "activity.restored", Lead, "A detached activity was put back.";
    SUBMISSION_QUARANTINED = "submission.quarantined", Submission, "A delivery waits for a person to look at it.";
    SUBMISSION_SPAM = "submission.spam", Submission, "A delivery was kept as spam.";
    SOURCE_SILENT = "source.silent", Operation, "A source brings nothing although it usually would have by now.";
    SOURCE_HEARD = "source.heard", Operation, "A source that was silent brings something again.";
    SOURCE_MISSED = "source.missed", Operation, "Mails tell of forms whose own delivery never came: a broken webhook.";
    SOURCE_FAILED = "source.failed", Operation, "A mailbox or another source that the gateway asks cannot be read.";
    SOURCE_RECOVERED = "source.recovered", Operation, "A source that could not be read is read again.";
    WEBHOOK_BROKEN = "webhook.broken", Operation, "A target takes nothing: deliveries to it wait.";
    WEBHOOK_RECOVERED = "webhook.recovered", Operation, "A target that took nothing takes deliveries again.";
    DELIVERY_DEAD = "delivery.dead", Operation, "Deliveries were given up.";
    MANAGER_UNREACHABLE = "manager.unreachable", Operation, "Mails to a manager come back or are refused: the operator gets their notices.";
    CANARY_DUE = "canary.due", Operation, "It is time for the gateway to send itself something by the outside road; told to nobody else.";
    CANARY_LOST = "canary.lost", Operation, "What the gateway sent itself by the outside road did not come back.";
    CANARY_RETURNED = "canary.returned", Operation, "What the gateway sends itself comes back again.";
    DIGEST_DUE = "digest.due", Operation, "It is time for a daily digest; told to nobody but whom it is for.";
    CLOCK_WRONG = "clock.wrong", Operation, "The clock of this machine and that of the database differ, or it was set; or a source signs with a time that is not now.";
    DISK_LOW = "disk.low", Operation, "There is little space left on the disk.";
    CERTIFICATE_EXPIRING = "certificate.expiring", Operation, "The certificate of the TLS door ends soon.";
}

/// The version of an event's JSON; 1 for one that is not known here.
pub fn version_of(name: &str) -> i64 {
    EVENTS.iter().find(|kind| kind.name == name).map_or(1, |kind| kind.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_dotted() {
        let mut names: Vec<&str> = EVENTS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
        assert!(
            names.iter().all(|name| name.split('.').count() == 2 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'.'))
        );
    }
}
