//! Links that lead to a bot: those of campaigns, and those by which managers link their accounts.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use jiff::{SignedDuration, Timestamp};
use leadgate_core::attribution::{Origin, Touch};
use leadgate_core::ids::{ManagerId, SourceId};
use leadgate_core::ports::{Campaign, Store, StoreError};
use leadgate_core::text;
use leadgate_telegram::settings::Settings;
use leadgate_telegram::update::LINK;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::clock::Clock;

/// A code by which a manager links an account counts for so long.
pub const CODE_LASTS: SignedDuration = SignedDuration::from_mins(15);
/// Random bytes of a campaign's id.
const ID_BYTES: usize = 6;
/// Random bytes of a code: nobody guesses them in five tries.
const CODE_BYTES: usize = 10;
/// How often an id is drawn anew that is taken.
const MOST_DRAWS: u32 = 5;
/// Bytes of what people call a link.
const NOTE_BYTES: usize = 400;

/// Where whoever follows a link comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCampaignLink)]
pub struct Wanted {
    /// To which bot only; absent: to each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// Campaign tags and click ids by their names, such as `utm_source`.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// The page on which the link stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A campaign's link, with the addresses under which it is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CampaignLink)]
pub struct CampaignLink {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// The address by bot; none of a bot whose name is not known now.
    pub urls: BTreeMap<SourceId, String>,
}

/// A code by which a manager links an account, told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ManagerCode)]
#[expect(clippy::struct_field_names, reason = "the code is what people call it")]
pub struct Code {
    /// Whose account it links.
    pub manager: ManagerId,
    /// What they write to the bot: `/start m_<code>`.
    pub code: String,
    /// Until when it counts.
    pub until: Timestamp,
    /// The link that does it, by bot; none of a bot whose name is not known now.
    pub urls: BTreeMap<SourceId, String>,
}

/// The names of bots, as they were told.
#[derive(Debug, Default)]
pub struct Names(Mutex<HashMap<i64, String>>);

impl Names {
    /// A bot's name without the `@`: configured, known, or asked for now. `None`: it does not say.
    pub async fn of(&self, bot: &Settings) -> Option<String> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&bot.bot()).cloned();
        if let Some(name) = bot.username.clone().or_else(known) {
            return Some(name);
        }
        let name = super::ask_name(bot).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(bot.bot(), name.clone());
        Some(name)
    }

    /// The links to bots with something in them; to all of them, or to one.
    pub async fn urls(
        &self,
        bots: &BTreeMap<SourceId, Arc<Settings>>,
        only: Option<&SourceId>,
        payload: &str,
    ) -> BTreeMap<SourceId, String> {
        let mut urls = BTreeMap::new();
        for (source, bot) in bots.iter().filter(|(source, _)| only.is_none_or(|only| only == *source)) {
            urls.extend(self.of(bot).await.map(|name| (source.clone(), deep_link(&name, payload))));
        }
        urls
    }
}

/// A link that starts a bot with a payload (<https://core.telegram.org/bots/features#deep-linking>).
fn deep_link(name: &str, payload: &str) -> String {
    format!("https://t.me/{name}?start={payload}")
}

/// Makes a campaign's link; or says what is missing.
pub async fn make(store: &dyn Store, clock: &Clock, wanted: &Wanted, by: &str) -> Result<Result<Campaign, String>, StoreError> {
    let touch = match touch(wanted) {
        Ok(touch) => touch,
        Err(words) => return Ok(Err(words)),
    };
    let note = text::cut(&text::clean(&wanted.note), NOTE_BYTES).to_owned();
    for _ in 0..MOST_DRAWS {
        let mut bytes = [0; ID_BYTES];
        clock.fill(&mut bytes);
        let id = BASE64URL_NOPAD.encode(&bytes);
        // What begins so links a manager's account.
        if id.starts_with(LINK) {
            continue;
        }
        let (source, created_at) = (wanted.source.clone(), clock.now());
        let campaign = Campaign { id, source, touch: touch.clone(), note: note.clone(), created_at, created_by: by.to_owned() };
        if store.add_campaign(campaign.clone()).await? {
            return Ok(Ok(campaign));
        }
    }
    Ok(Err("no id was free: try again".to_owned()))
}

fn touch(wanted: &Wanted) -> Result<Touch, String> {
    let mut touch = Touch::default();
    for (key, value) in &wanted.values {
        if !touch.offer(key, value, Origin::ActionUrl) {
            return Err(format!("{key:?} is no campaign tag and no click id: write such as utm_source"));
        }
    }
    touch.page = wanted.page.as_deref().and_then(text::present);
    if touch.is_empty() {
        return Err("say where people come from: utm_source at least".to_owned());
    }
    Ok(touch)
}

/// Makes a code by which a manager links an account. Only its hash is kept.
pub async fn code(store: &dyn Store, clock: &Clock, manager: ManagerId) -> Result<Code, StoreError> {
    let mut bytes = [0; CODE_BYTES];
    clock.fill(&mut bytes);
    let code = BASE32_NOPAD.encode(&bytes);
    let until = clock.now().saturating_add(CODE_LASTS).unwrap_or(Timestamp::MAX);
    store.add_code(hash(&code), manager.clone(), until).await?;
    Ok(Code { manager, code, until, urls: BTreeMap::new() })
}

/// What is kept of a code; however it was typed.
pub fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.trim().to_ascii_uppercase().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(values: &[(&str, &str)]) -> Wanted {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Wanted { values, ..Wanted::default() }
    }

    #[test]
    fn a_link_says_where_from() {
        let touch = touch(&wanted(&[("utm_source", "vk"), ("utm_campaign", "autumn")])).unwrap();
        assert_eq!((touch.get("utm_source"), touch.get("utm_campaign")), (Some("vk"), Some("autumn")));
        for bad in [wanted(&[]), wanted(&[("utm_source", " ")]), wanted(&[("name", "Anna")])] {
            assert!(super::touch(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_code_may_be_typed_in_small_letters() {
        assert_eq!(hash("abc2"), hash(" ABC2\n"));
        assert_ne!(hash("ABC2"), hash("ABC3"));
    }
}
