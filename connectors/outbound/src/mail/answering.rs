//! Whom an answer may go to, and whom an automatic one.

use leadgate_core::email;
use leadgate_core::mail::MailClass;
use leadgate_core::prepare::{IdentityKind, ReadValue};
use leadgate_core::receipt::IdentityState;
use leadgate_core::rules::{Ours, Strength};
use leadgate_core::views::{ActivityView, ContactDetail, LeadSummary};

use super::mailbox::Mailbox;

/// What makes an address one that nobody is written to.
const UNFIT: &[&str] = &["invalid", "placeholder", "ours", "spoofed", "no_reply"];

/// Why a delivery is not answered automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unanswered {
    /// It gives no address that can be written to.
    NoAddress,
    /// It gives several: it is not known whose they are.
    SeveralAddresses,
    /// The address is one of the company.
    Ours,
    /// The address was typed to get past a form, or thrown away after use.
    Placeholder,
    /// The address reads no answers, or is a machine's or a list's.
    Deaf,
    /// Mails to the address come back.
    Unreachable,
    /// The mail is no person's.
    Automatic(MailClass),
    /// The mail says, or it is seen, that no machine may answer it.
    Forbidden,
    /// We wrote it.
    Outgoing,
    /// A signal spoke against it.
    Suspect,
    /// It is a test.
    Test,
}

impl Unanswered {
    /// In words, for people.
    pub fn words(self) -> String {
        match self {
            Self::NoAddress => "it gives no address that can be written to".to_owned(),
            Self::SeveralAddresses => "it gives several addresses, and does not say whose they are".to_owned(),
            Self::Ours => "the address is the company's own".to_owned(),
            Self::Placeholder => "the address was typed to get past a form".to_owned(),
            Self::Deaf => "nobody reads what is sent to the address".to_owned(),
            Self::Unreachable => "mails to the address come back".to_owned(),
            Self::Automatic(class) => format!("the mail is no person's ({})", class.as_str()),
            Self::Forbidden => "no machine may answer the mail".to_owned(),
            Self::Outgoing => "the company wrote it".to_owned(),
            Self::Suspect => "a signal speaks against it".to_owned(),
            Self::Test => "it is a test".to_owned(),
        }
    }
}

/// Where a manager's answer to a notice reaches the customer: the address of this activity, else the newest of the person that is
/// theirs and takes mail. `None`: there is none that is safe to write to.
pub fn customer_address(person: Option<&ContactDetail>, activity: Option<&ActivityView>, ours: &Ours) -> Option<Mailbox> {
    let name = person.map(|person| person.contact.name.as_str()).filter(|name| !name.is_empty());
    let typed = activity.and_then(|activity| activity.content.name.as_deref());
    let name = name.or(typed).unwrap_or_default();
    let fits = |address: &str| fit(address, person, ours).then(|| Mailbox::new(name, address)).flatten();
    let values = activity.filter(|activity| !activity.content.outgoing).map(|activity| activity.content.values.as_slice());
    let mut given: Vec<&ReadValue> = values.unwrap_or_default().iter().filter(|value| is_given(value)).collect();
    // What stands in a signature or in running text may be a colleague's.
    given.sort_by_key(|value| value.flags.iter().any(|flag| flag == "found"));
    if let Some(mailbox) = given.into_iter().find_map(|value| fits(&value.typed)) {
        return Some(mailbox);
    }
    let held = person.map(|person| person.identities.as_slice()).unwrap_or_default();
    let mut held: Vec<_> =
        held.iter().filter(|held| held.kind == IdentityKind::EMAIL && held.state == IdentityState::Active).collect();
    held.sort_by_key(|held| std::cmp::Reverse(held.last_seen));
    held.into_iter().find_map(|held| fits(&held.display))
}

/// Whether a delivery may be answered automatically, and where: only at the one address it gives itself. Else every reason why not.
pub fn may_be_answered(
    activity: &ActivityView,
    lead: Option<&LeadSummary>,
    person: Option<&ContactDetail>,
    ours: &Ours,
) -> Result<Mailbox, Vec<Unanswered>> {
    let content = &activity.content;
    let mut why = Vec::new();
    if content.outgoing {
        why.push(Unanswered::Outgoing);
    }
    if activity.suspect || lead.is_some_and(|lead| lead.suspect) {
        why.push(Unanswered::Suspect);
    }
    if lead.is_some_and(|lead| lead.test) {
        why.push(Unanswered::Test);
    }
    if let Some(mail) = &content.mail {
        if !matches!(mail.class, MailClass::Human | MailClass::FormNotification) {
            why.push(Unanswered::Automatic(mail.class));
        } else if !mail.may_answer {
            why.push(Unanswered::Forbidden);
        }
    }
    // What was found in running text or a signature was not given to be written to.
    let given: Vec<&ReadValue> = content
        .values
        .iter()
        .filter(|value| value.kind == IdentityKind::EMAIL && !value.flags.iter().any(|flag| flag == "found"))
        .collect();
    let mut keys: Vec<&str> = given.iter().filter_map(|value| value.value.as_deref()).collect();
    keys.sort_unstable();
    keys.dedup();
    match keys.as_slice() {
        [] => why.push(Unanswered::NoAddress),
        [_] => {}
        _ => why.push(Unanswered::SeveralAddresses),
    }
    let Some(value) = given.iter().find(|value| value.value.is_some()) else { return Err(why) };
    why.extend(against(value, person, ours));
    let mailbox = Mailbox::new("", &value.typed);
    if mailbox.is_none() {
        why.push(Unanswered::NoAddress);
    }
    match mailbox {
        Some(mailbox) if why.is_empty() => Ok(mailbox),
        _ => Err(why),
    }
}

/// What speaks against writing to an address by itself.
fn against(value: &ReadValue, person: Option<&ContactDetail>, ours: &Ours) -> Vec<Unanswered> {
    let flagged = |names: &[&str]| value.flags.iter().any(|flag| names.contains(&flag.as_ref()));
    let mut why = Vec::new();
    let read = email::read(&value.typed).emails;
    let email = read.first();
    if flagged(&["ours"]) || email.is_some_and(|email| ours.email(&email.key, &email.domain)) {
        why.push(Unanswered::Ours);
    }
    if flagged(&["placeholder", "disposable"]) || email.is_some_and(|email| email.flags.placeholder || email.flags.disposable) {
        why.push(Unanswered::Placeholder);
    }
    if flagged(&["no_reply"]) || email.is_some_and(|email| email.flags.no_reply || email::is_deaf(&email.address)) {
        why.push(Unanswered::Deaf);
    }
    if flagged(&["spoofed"]) {
        why.push(Unanswered::Suspect);
    }
    if value.value.as_deref().is_some_and(|key| is_unreachable(key, person)) {
        why.push(Unanswered::Unreachable);
    }
    why
}

fn is_given(value: &ReadValue) -> bool {
    value.kind == IdentityKind::EMAIL
        && value.value.is_some()
        && value.strength != Strength::None
        && !value.flags.iter().any(|flag| UNFIT.contains(&flag.as_ref()))
}

fn fit(address: &str, person: Option<&ContactDetail>, ours: &Ours) -> bool {
    let read = email::read(address).emails;
    let [email] = read.as_slice() else { return false };
    let no = email.flags.placeholder || email.flags.no_reply || email::is_deaf(&email.address);
    !no && !ours.email(&email.key, &email.domain) && !is_unreachable(&email.key, person)
}

fn is_unreachable(key: &str, person: Option<&ContactDetail>) -> bool {
    let held = person.map(|person| person.identities.as_slice()).unwrap_or_default();
    held.iter().any(|held| held.kind == IdentityKind::EMAIL && held.value == key && held.unreachable.is_some())
}
