//! What a messenger's message says of itself, the files it offers, and how an answer fared.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ports::Fetched;
use crate::prepare::Content;
use crate::submission::Reference;
use crate::text;

/// Bytes of an id, of a name, of words about a failure.
const SHORT: usize = 400;
/// Bytes of what a file is asked for by: a link may be signed, at length. What is cut off would make it worthless.
const LINK: usize = 4 << 10;
/// Files one activity names as offered.
const MOST_OFFERED: usize = 50;
/// Bytes of a gathered text.
const MOST_TEXT: usize = 64 << 10;
/// Fields, values and consents of a gathered activity.
const MOST_PARTS: usize = 200;

/// What a messenger's message says of its place. Kept with the activity: by it an answer finds its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatFacts {
    /// The chat, by the messenger's own id.
    pub chat: String,
    /// The message within the chat; empty for what is on its way.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The business connection by which an answer has to go, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Whose message it passes on, as shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<String>,
    /// When it was edited last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted by whoever wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// It was said in a group, whose title this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A file that a delivery only names. It is fetched afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferedFile {
    /// By what it is asked for.
    pub id: String,
    /// What stays the same when it is offered again.
    pub unique: String,
    /// The file's name as sent, or made from its kind; for display only.
    pub name: String,
    /// The type as sent, for display only; empty if none was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// Bytes, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What it is: `photo`, `voice`, `document` ...
    pub kind: String,
    /// Why it was not fetched; empty while it may be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
}

/// How what we wrote fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    /// It is on its way.
    Sending,
    /// The other side took it.
    Delivered,
    /// It will not arrive.
    Failed,
}

/// How what we wrote fares, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sending {
    /// How.
    pub state: SendState,
    /// Since when.
    pub at: Timestamp,
    /// Why it failed, in words; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

impl ChatFacts {
    /// As it may be kept: clean and bounded.
    #[must_use]
    pub fn bounded(self) -> Self {
        let short = |value: Option<String>| value.map(|value| cut(&value)).filter(|value| !value.is_empty());
        Self {
            chat: cut(&self.chat),
            message: cut(&self.message),
            connection: short(self.connection),
            reply_to: short(self.reply_to),
            forwarded: short(self.forwarded),
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
            group: short(self.group),
        }
    }
}

impl OfferedFile {
    /// Files as they may be kept: clean, bounded, each once.
    pub fn bounded(files: Vec<Self>) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::with_capacity(files.len().min(MOST_OFFERED));
        for file in files {
            let file = Self {
                id: text::cut(&text::clean(&file.id), LINK).to_owned(),
                unique: cut(&file.unique),
                name: cut(&file.name),
                content_type: cut(&file.content_type),
                size: file.size,
                kind: cut(&file.kind),
                problem: cut(&file.problem),
            };
            if kept.len() < MOST_OFFERED && !kept.iter().any(|known| known.unique == file.unique) {
                kept.push(file);
            }
        }
        kept
    }
}

fn cut(value: &str) -> String {
    text::cut(&text::clean(value), SHORT).to_owned()
}

/// What an activity tells once a further part of it came: the pictures of an album, the lines of somebody in a hurry. Nothing that
/// was told is taken away, but for a text that was edited.
pub fn gather(before: &Content, part: &Content) -> Content {
    let mut all = before.clone();
    let edited = part.chat.as_ref().is_some_and(|chat| chat.edited_at.is_some());
    all.name = all.name.or_else(|| part.name.clone());
    all.message = match (&before.message, &part.message) {
        (Some(_), Some(new)) if edited => Some(new.clone()),
        (Some(known), Some(new)) if known != new => Some(text::cut(&format!("{known}\n{new}"), MOST_TEXT).to_owned()),
        (known, new) => known.clone().or_else(|| new.clone()),
    };
    add(&mut all.values, &part.values, |a, b| a == b);
    add(&mut all.fields, &part.fields, |a, b| a == b);
    add(&mut all.consents, &part.consents, |a, b| a == b);
    add(&mut all.files, &part.files, |a, b| a.sha256 == b.sha256);
    let fetched = |file: &OfferedFile| before.files.iter().any(|known| known.field == file.unique);
    let offered: Vec<OfferedFile> = part.offered.iter().filter(|file| !fetched(file)).cloned().collect();
    add(&mut all.offered, &offered, |a, b| a.unique == b.unique);
    if let (Some(chat), Some(new)) = (&mut all.chat, &part.chat) {
        chat.edited_at = chat.edited_at.max(new.edited_at);
    }
    all
}

/// What an activity tells once its message came again, edited: what is new, with what came of it since. Its files are not fetched
/// once more. What is no messenger's stands as it is.
pub fn amend(before: &Content, new: &Content) -> Content {
    let mut all = new.clone();
    let Some(chat) = &mut all.chat else { return all };
    if let Some(known) = &before.chat {
        chat.edited_at = chat.edited_at.max(known.edited_at);
        chat.deleted_at = chat.deleted_at.or(known.deleted_at);
    }
    all.sending = all.sending.or_else(|| before.sending.clone());
    for file in before.files.iter().filter(|file| new.offered.iter().any(|offered| offered.unique == file.field)) {
        all.offered.retain(|offered| offered.unique != file.field);
        if !all.files.iter().any(|known| known.field == file.field) {
            all.files.push(file.clone());
        }
    }
    all
}

/// Puts fetched files where they were offered, or why they were not fetched. The names of the files that are there now; `None`: nothing
/// changed.
pub fn keep(content: &mut Content, fetched: &[Fetched]) -> Option<Vec<String>> {
    let mut kept = None;
    for Fetched { unique, end } in fetched {
        let Some(at) = content.offered.iter().position(|offered| offered.unique == *unique) else { continue };
        let names = kept.get_or_insert_with(Vec::new);
        match end {
            Ok(file) => {
                content.offered.remove(at);
                names.push(file.sha256.clone());
                content.files.push(file.clone());
            }
            Err(words) => content.offered[at].problem = cut(words),
        }
    }
    kept
}

/// By what something that we wrote is known where it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentAs {
    /// The message within its chat; the Message-ID of a mail.
    pub message: String,
    /// What an answer to it refers to, as its channel has it.
    pub reference: Option<Reference>,
}

/// Notes how something fares that we wrote, and as which message it went. Whether it fared otherwise before, which is worth telling;
/// `None`: the gateway does not send it, or whom it was for was erased.
pub fn sent(content: &mut Content, sending: &Sending, sent_as: Option<&SentAs>) -> Option<bool> {
    let before = content.sending.as_mut()?;
    let news = before.state != sending.state;
    *before = Sending { words: cut(&sending.words), ..sending.clone() };
    if let (Some(chat), Some(sent_as)) = (&mut content.chat, sent_as) {
        chat.message = cut(&sent_as.message);
    }
    Some(news)
}

fn add<T: Clone>(all: &mut Vec<T>, part: &[T], same: impl Fn(&T, &T) -> bool) {
    for one in part {
        if all.len() < MOST_PARTS && !all.iter().any(|known| same(known, one)) {
            all.push(one.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, files: &[&str]) -> Content {
        let file = |unique: &&str| OfferedFile { unique: (*unique).to_owned(), ..OfferedFile::default() };
        Content {
            message: Some(text.to_owned()).filter(|text| !text.is_empty()),
            offered: files.iter().map(file).collect(),
            chat: Some(Box::default()),
            ..Content::default()
        }
    }

    #[test]
    fn an_album_gathers_its_pictures_and_keeps_its_caption() {
        let album = gather(&gather(&said("Our kitchen", &["a"]), &said("", &["b"])), &said("", &["b", "c"]));
        assert_eq!(album.message.as_deref(), Some("Our kitchen"));
        let files: Vec<&str> = album.offered.iter().map(|file| file.unique.as_str()).collect();
        assert_eq!(files, ["a", "b", "c"]);
    }

    #[test]
    fn lines_are_put_below_each_other_and_an_edited_text_takes_the_place_of_the_old_one() {
        let lines = gather(&said("one", &[]), &said("two", &[]));
        assert_eq!(lines.message.as_deref(), Some("one\ntwo"));
        assert_eq!(gather(&lines, &said("two", &[])).message.as_deref(), Some("one\ntwo\ntwo"));
        let mut edited = said("three", &[]);
        edited.chat = Some(Box::new(ChatFacts { edited_at: Some(Timestamp::UNIX_EPOCH), ..ChatFacts::default() }));
        assert_eq!(gather(&lines, &edited).message.as_deref(), Some("three"));
    }

    #[test]
    fn files_come_where_they_were_offered() {
        let file = crate::submission::FileRef {
            sha256: "00".to_owned(),
            name: "a.jpg".to_owned(),
            content_type: "image/jpeg".to_owned(),
            size: 1,
            field: "a".to_owned(),
        };
        let fetched = |unique: &str, end| Fetched { unique: unique.to_owned(), end };
        let mut content = said("", &["a", "b", "c"]);
        assert_eq!(keep(&mut content, &[fetched("x", Ok(file.clone()))]), None);
        let came = [fetched("a", Ok(file)), fetched("b", Err("too\0 large".to_owned()))];
        assert_eq!(keep(&mut content, &came), Some(vec!["00".to_owned()]));
        assert_eq!((content.files.len(), content.offered.len()), (1, 2));
        assert_eq!((content.offered[0].problem.as_str(), content.offered[1].problem.as_str()), ("too large", ""));
        // An edited caption offers them all again: what came stays, and what did not may be asked for once more.
        let edited = amend(&content, &said("Our kitchen", &["a", "b"]));
        assert_eq!((edited.message.as_deref(), edited.files.len()), (Some("Our kitchen"), 1));
        assert_eq!((edited.offered.len(), edited.offered[0].unique.as_str(), edited.offered[0].problem.as_str()), (1, "b", ""));
        assert!(amend(&content, &said("no files", &[])).files.is_empty());
    }

    #[test]
    fn how_what_we_wrote_fares_is_news_once() {
        let sending = Sending { state: SendState::Delivered, at: Timestamp::UNIX_EPOCH, words: String::new() };
        let sent_as = SentAs { message: "7".to_owned(), reference: None };
        let mut content = said("", &[]);
        assert_eq!(sent(&mut content, &sending, Some(&sent_as)), None, "the gateway does not send it");
        content.sending = Some(Sending { state: SendState::Sending, ..sending.clone() });
        assert_eq!(sent(&mut content, &sending, Some(&sent_as)), Some(true));
        assert_eq!(sent(&mut content, &sending, None), Some(false));
        assert_eq!(content.chat.unwrap().message, "7");
        assert_eq!(content.sending, Some(sending));
    }

    #[test]
    fn a_file_that_was_fetched_is_not_offered_again() {
        let mut before = said("", &[]);
        before.files.push(crate::submission::FileRef {
            sha256: "00".to_owned(),
            name: "a.jpg".to_owned(),
            content_type: "image/jpeg".to_owned(),
            size: 1,
            field: "a".to_owned(),
        });
        assert_eq!(gather(&before, &said("", &["a", "b"])).offered.len(), 1);
    }
}
