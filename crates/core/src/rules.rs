//! The rules a plan follows: from config, never from code of a connector.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attribution::Touch;
use crate::ids::SourceId;
use crate::onward::Routes;
use crate::phone::Country;

/// How far an identity can be trusted to mean one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Kept, never matched: guessed, generic, invalid, disposable, ours.
    None,
    /// Attaches only beside an open lead, when one contact holds it and the names do not contradict.
    Weak,
    /// Attaches unless the names contradict.
    Strong,
}

impl Strength {
    /// The name in config, database and API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Weak => "weak",
            Self::Strong => "strong",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Weak, Self::Strong].into_iter().find(|s| s.as_str() == text)
    }
}

/// What happens when a known contact without an open lead comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownContact {
    /// An activity on the contact, listed as waiting until somebody takes it (as Bitrix24 advises).
    #[default]
    Attach,
    /// A new lead marked as a return customer's, for the same manager.
    RepeatLead,
    /// The last lead again, if it was closed not long ago; else as `attach`.
    Reopen,
}

/// What a lead is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadPer {
    /// One open lead a person.
    #[default]
    Person,
    /// Each delivery is its own lead.
    Delivery,
}

/// When it is decided what becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadOn {
    /// As soon as it rings.
    Ring,
    /// When it is over.
    #[default]
    Finish,
    /// When it is over and nobody answered; an answered one is noted.
    Missed,
}

/// What becomes of a caller who hides the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenCallers {
    /// A lead without a phone.
    #[default]
    Lead,
    /// The call is noted.
    Note,
}

/// One of the company's lines, and where whoever calls it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineRules {
    /// Attribution where the call tells none.
    pub touch: Touch,
    /// The language of whoever calls it.
    pub language: Option<String>,
    /// What the line is called.
    pub title: Option<String>,
}

/// The rules of a source that brings calls.
#[derive(Clone, Debug)]
pub struct CallRules {
    /// When it is decided what becomes of a call.
    pub lead_on: LeadOn,
    /// What becomes of a caller who hides the number.
    pub hidden: HiddenCallers,
    /// After this time without news a call is over, if the provider does not say so.
    pub quiet: SignedDuration,
    /// Within this time somebody should call back whoever was missed. `None`: nobody is reminded.
    pub call_back_within: Option<SignedDuration>,
    /// The company's lines by their canonical number, as the gateway knows them.
    pub lines: Arc<BTreeMap<String, LineRules>>,
}

impl Default for CallRules {
    fn default() -> Self {
        Self {
            lead_on: LeadOn::Finish,
            hidden: HiddenCallers::Lead,
            quiet: SignedDuration::from_secs(120),
            call_back_within: Some(SignedDuration::from_mins(15)),
            lines: Arc::default(),
        }
    }
}

/// What identities of a source are worth, where it differs from the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityOverrides {
    /// For every phone of the source: `none` for call-tracking substitutes and marketplaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Strength>,
    /// For every e-mail of the source: `none` for relays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Strength>,
}

/// The rules of one source.
#[derive(Clone, Debug)]
pub struct SourceRules {
    /// Reads national phone numbers; the gateway's country if the source names none.
    pub country: Option<Country>,
    /// What its identities are worth.
    pub identities: IdentityOverrides,
    /// What a known contact's return makes.
    pub known_contact: KnownContact,
    /// With `reopen`: how long after closing.
    pub reopen_within: SignedDuration,
    /// What a lead is made for.
    pub lead_per: LeadPer,
    /// For how long equal content is a repeat, when the sender gives no id.
    pub repeat_window: SignedDuration,
    /// Attribution where the delivery has none.
    pub touch: Touch,
    /// Sources whose deliveries this one repeats: the forms whose notifications come to this mailbox. None named: any source that
    /// is called.
    pub forms: Vec<SourceId>,
    /// Another source repeats the deliveries of this one; the server fills it in.
    pub notified: bool,
    /// What this source is reached by: the company's own, too.
    pub own: Ours,
    /// Within this time somebody should have taken what comes from it.
    pub take_within: Option<SignedDuration>,
    /// What becomes of calls.
    pub calls: CallRules,
}

impl Default for SourceRules {
    fn default() -> Self {
        Self {
            country: None,
            identities: IdentityOverrides::default(),
            known_contact: KnownContact::Attach,
            reopen_within: SignedDuration::from_hours(24 * 30),
            lead_per: LeadPer::Person,
            repeat_window: SignedDuration::from_mins(5),
            touch: Touch::default(),
            forms: Vec::new(),
            notified: false,
            own: Ours::default(),
            take_within: None,
            calls: CallRules::default(),
        }
    }
}

/// Everything of the company itself, in canonical form.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// Phone keys.
    pub phones: HashSet<String>,
    /// E-mail keys.
    pub emails: HashSet<String>,
    /// Domains, lower case, punycode.
    pub domains: HashSet<String>,
}

impl Ours {
    /// Whether a phone, with or without its extension, is the company's.
    pub fn phone(&self, key: &str) -> bool {
        !self.phones.is_empty()
            && (self.phones.contains(key) || key.split(';').next().is_some_and(|e164| self.phones.contains(e164)))
    }

    /// Whether an e-mail or its domain is the company's. A sub-address (RFC 5233: `leads+r12@example.com`) is whose the address is.
    pub fn email(&self, key: &str, domain: &str) -> bool {
        self.domains.contains(domain)
            || self.emails.contains(key)
            || main_address(key).is_some_and(|main| self.emails.contains(&main))
    }
}

/// The address of which another is a sub-address; `None`: it is none.
pub fn main_address(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let (main, _) = local.split_once('+').filter(|(main, _)| !main.is_empty())?;
    Some(format!("{main}@{domain}"))
}

/// The rules of the gateway.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A lead untouched for longer no longer takes activities.
    pub open_for: SignedDuration,
    /// A landline attaches to a contact whose last lead was touched within this time, even if it is closed.
    pub landline_within: SignedDuration,
    /// How many new values a contact may claim a day.
    pub claims_per_day: u32,
    /// How many differently named holders make a value generic.
    pub generic_at: usize,
    /// What is the company's own.
    pub ours: Arc<Ours>,
    /// The rules of each source.
    pub sources: HashMap<SourceId, Arc<SourceRules>>,
    /// For sources no longer configured (a replay).
    pub fallback: Arc<SourceRules>,
    /// Who hears of what.
    pub routes: Arc<Routes>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            open_for: SignedDuration::from_hours(24 * 90),
            landline_within: SignedDuration::from_hours(24 * 14),
            claims_per_day: 10,
            generic_at: 5,
            ours: Arc::default(),
            sources: HashMap::new(),
            fallback: Arc::default(),
            routes: Arc::default(),
        }
    }
}

impl Rules {
    /// The rules of a source.
    pub fn of(&self, source: &SourceId) -> &SourceRules {
        self.sources.get(source).unwrap_or(&self.fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_address_is_whose_the_address_is() {
        let ours = Ours { emails: ["leads@mail.ru".to_owned()].into(), ..Ours::default() };
        for own in ["leads@mail.ru", "leads+r12.345-0a1b@mail.ru", "leads++@mail.ru"] {
            assert!(ours.email(own, "mail.ru"), "{own}");
        }
        for other in
            ["lead@mail.ru", "leads-r12@mail.ru", "+leads@mail.ru", "x+leads@mail.ru", "leads+r12@mail.com", "leads+r12", ""]
        {
            assert!(!ours.email(other, "mail.ru"), "{other}");
        }
    }
}
