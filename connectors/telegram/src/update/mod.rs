//! What an update says: raw JSON to a submission. Total: whatever came becomes something, and an odd one is held for a person by itself.
//!
//! Updates are read from their JSON, not by the types of a library: those take a message that does not fit, a voice without `mime_type` say,
//! for an empty one, and lose what is newer than they are.

mod content;
mod draft;
mod files;
mod flood;
mod look;
mod said;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::replay::Kept;
use leadgate_core::submission::{Codec, ContentHash, Hold, Key, Purpose, Raw, Submission};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use draft::{By, draft};
pub(crate) use files::HANDED_OUT;
use flood::Flood;
pub use said::{
    Bot, BusinessConnection, Callback, Chat, ChatKind, Command, LINK, MESSAGE, MemberChange, Migration, Person, ReplyTo, Said,
    SharedContact, Standing, UpdateKind, external_key, reference,
};

use crate::settings::Settings;

/// The scope of update ids. Their values name the bot as well: another one counts by itself.
pub const UPDATE: &str = "update_id";
/// What an update is kept as.
const CONTENT_TYPE: &str = "application/json";
/// The most bytes a kept update unpacks to.
const UNPACKED_MOST: usize = 16 << 20;

/// Reads the updates of a bot.
#[derive(Debug)]
pub struct Reader {
    source: SourceId,
    settings: Arc<Settings>,
    /// Learnt from the service, where the configuration does not say it.
    username: RwLock<Option<String>>,
    flood: Flood,
}

/// An update that was read.
#[derive(Debug)]
pub struct ReadUpdate {
    /// Its id; `None`: it has none, which no service sends.
    pub id: Option<i64>,
    /// What it is recorded as.
    pub submission: Submission,
}

#[derive(Deserialize)]
struct OnlyId {
    update_id: i64,
}

impl Reader {
    /// A reader of a source's updates.
    pub fn new(source: SourceId, settings: Arc<Settings>) -> Self {
        let username = RwLock::new(settings.username.clone());
        Self { source, settings, username, flood: Flood::default() }
    }

    /// The bot as far as it is known.
    pub fn bot(&self) -> Bot {
        let username = self.username.read().unwrap_or_else(PoisonError::into_inner).clone();
        Bot { id: self.settings.bot(), username, staff_chat: self.settings.staff_chat }
    }

    /// Learns the bot's name.
    pub(crate) fn learn(&self, username: &str) {
        *self.username.write().unwrap_or_else(PoisonError::into_inner) = Some(username.to_ascii_lowercase());
    }

    /// Reads an update's JSON.
    pub fn read(&self, raw: &Bytes, received_at: Timestamp, id: SubmissionId) -> ReadUpdate {
        self.at(raw, received_at, id, true)
    }

    /// Reads the JSON of one that was kept: how many came with it is not known any more.
    pub(crate) fn read_kept(&self, raw: &Bytes, received_at: Timestamp, id: SubmissionId) -> Submission {
        self.at(raw, received_at, id, false).submission
    }

    /// Reads one that was kept.
    pub fn read_again(&self, kept: &Kept) -> Result<Submission, String> {
        let bytes = unpacked(kept)?;
        if bytes.is_empty() {
            return Err("nothing of it is kept any more".to_owned());
        }
        let submission = self.read_kept(&Bytes::from(bytes.into_owned()), kept.received_at, kept.id);
        let raw = Raw { body: Bytes::new(), sha256: [0; 32], head: kept.head.clone(), ..submission.raw };
        Ok(Submission { raw, historic: true, ..submission })
    }

    fn at(&self, raw: &Bytes, received_at: Timestamp, id: SubmissionId, fresh: bool) -> ReadUpdate {
        let bare = self.bare(raw, received_at, id);
        let update = match serde_json::from_slice::<Value>(raw) {
            Ok(update) => update,
            Err(error) => {
                let update_id = serde_json::from_slice::<OnlyId>(raw).ok().map(|only| only.update_id);
                return self.held(bare, update_id, "unreadable", format!("the update cannot be read: {error}"));
            }
        };
        let update_id = look::id(&update, "update_id");
        let Ok(submission) = catch_unwind(AssertUnwindSafe(|| self.made(&update, bare.clone(), fresh))) else {
            tracing::error!(source = %self.source, update = update_id, "reading an update failed: it goes to quarantine");
            let words = "the gateway failed on what it says; its bytes are kept and can be replayed".to_owned();
            return self.held(bare, update_id, "poisoned", words);
        };
        ReadUpdate { id: update_id, submission }
    }

    fn made(&self, update: &Value, bare: Submission, fresh: bool) -> Submission {
        let bot = self.bot();
        let said = Said::of(update, &bot);
        let Settings { groups, dialogue, largest, .. } = &*self.settings;
        let consent = dialogue.as_ref().and_then(|dialogue| dialogue.consent.as_ref()).map(|consent| consent.text.as_str());
        let drafted = draft(&said, update, By { bot: &bot, groups, consent, largest: *largest });
        let mut submission = Submission {
            keys: self.key(said.update).into_iter().collect(),
            content: content(&said).unwrap_or(bare.content),
            occurred_at: said.edited_at.or(said.at).filter(|at| *at <= bare.received_at),
            draft: drafted.draft,
            purpose: drafted.purpose,
            ..bare
        };
        if fresh && drafted.purpose == Purpose::Lead && !submission.draft.outgoing {
            self.bound(&said, &mut submission);
        }
        submission
    }

    /// Puts what is too much into one activity.
    fn bound(&self, said: &Said, submission: &mut Submission) {
        let (Some(chat), Some(message)) = (&said.chat, said.message) else { return };
        let Some(first) = self.flood.over(chat.id, message, said.album.as_deref(), submission.received_at) else { return };
        let draft = &mut submission.draft;
        draft.external_key = Some(format!("flood:{}:{first}", chat.id));
        draft.gathers = true;
        draft.follow_up = false;
        if let Some(facts) = &mut draft.chat {
            // An edit would take the place of what is gathered there.
            facts.edited_at = None;
        }
    }

    fn key(&self, update: Option<i64>) -> Option<Key> {
        Key::new(UPDATE, &format!("{}/{}", self.settings.bot(), update?))
    }

    fn bare(&self, raw: &Bytes, received_at: Timestamp, id: SubmissionId) -> Submission {
        let raw = Raw {
            content_type: CONTENT_TYPE.to_owned(),
            codec: Codec::Plain,
            body: raw.clone(),
            sha256: Sha256::digest(raw).into(),
            query: String::new(),
            peer: None,
            head: String::new(),
        };
        Submission { purpose: Purpose::Note, ..Submission::of_bytes(id, self.source.clone(), received_at, raw) }
    }

    fn held(&self, bare: Submission, id: Option<i64>, code: &str, words: String) -> ReadUpdate {
        let keys = self.key(id).into_iter().collect();
        let hold = Some(Hold { code: code.to_owned(), words, authenticated: true });
        ReadUpdate { id, submission: Submission { keys, hold, ..bare } }
    }
}

/// The bytes of a kept update, as they came; an error is for people.
pub fn unpacked(kept: &Kept) -> Result<Cow<'_, [u8]>, String> {
    match kept.codec {
        Codec::Plain => Ok(Cow::Borrowed(&kept.raw)),
        Codec::Zstd => {
            let unpacked = zstd::bulk::decompress(&kept.raw, UNPACKED_MOST);
            unpacked.map(Cow::Owned).map_err(|error| format!("its bytes cannot be unpacked: {error}"))
        }
    }
}

/// What an update says, as a hash: it is the same when the service tells it again with a picture or a name that changed meanwhile, and
/// another when it has begun to count its updates anew.
fn content(said: &Said) -> Option<ContentHash> {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let seconds = |at: Option<Timestamp>| number(at.map(Timestamp::as_second));
    let chat = said.chat.as_ref()?;
    let message = said.message.filter(|_| said.callback.is_none());
    if message.is_none() && said.callback.is_none() {
        return None;
    }
    let callback = said.callback.as_ref().map_or("", |callback| callback.id.as_str());
    Some(ContentHash::of([
        ("chat", number(Some(chat.id)).as_str()),
        ("message", number(message).as_str()),
        ("at", seconds(said.at).as_str()),
        ("edited_at", seconds(said.edited_at).as_str()),
        ("text", said.text.as_str()),
        ("callback", callback),
    ]))
}
