//! What a mail says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

/// Addresses of each kind kept of a mail.
const MOST_ADDRESSES: usize = 100;
/// Reasons for its class.
const MOST_REASONS: usize = 20;
/// Bytes of an address as shown, of a folder's name, of a reason.
const SHORT: usize = 400;
/// Characters a line of a header has at most (RFC 5322, 2.1.1), and so a subject that is one line.
const SUBJECT: usize = 998;
/// Bytes of a message id: longer ones do not fit a line (RFC 5322, 2.1.1), and cannot be named by an answer.
const MESSAGE_ID: usize = 250;
/// Bytes of the whole text.
const WHOLE: usize = 1 << 20;

/// What a mail is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailClass {
    /// A person wrote it.
    #[default]
    Human,
    /// A form's notification.
    FormNotification,
    /// A mail could not be delivered.
    Bounce,
    /// Out of office, "we have received your mail" ...
    AutoReply,
    /// A read receipt, a complaint, a report on delivery that is no failure.
    Report,
    /// A mailing list, a newsletter.
    List,
    /// An invitation or its answer.
    Calendar,
}

impl MailClass {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Human, Self::FormNotification, Self::Bounce, Self::AutoReply, Self::Report, Self::List, Self::Calendar];

    /// The name in config, database and API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::FormNotification => "form_notification",
            Self::Bounce => "bounce",
            Self::AutoReply => "auto_reply",
            Self::Report => "report",
            Self::List => "list",
            Self::Calendar => "calendar",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// What a mail says of itself, beside what it tells of the customer. Kept with the activity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailFacts {
    /// The subject.
    pub subject: String,
    /// From, as shown.
    pub from: String,
    /// To, as shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Cc, as shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// Its Message-ID, without the brackets: what an answer to it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The folder it was read in.
    pub folder: String,
    /// What it is.
    pub class: MailClass,
    /// Why it is taken for that, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Whether a machine may answer it.
    pub may_answer: bool,
    /// The whole text, where the activity's message is only the new part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// Bytes of the whole mail, where only its beginning was read; the rest is on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<u64>,
}

impl MailFacts {
    /// As it may be kept: clean and bounded, however much a sender wrote.
    #[must_use]
    pub fn bounded(self) -> Self {
        let short = |text: String| cut(&text, SHORT);
        let several = |texts: Vec<String>, most: usize| {
            let more = texts.len().saturating_sub(most);
            let mut kept: Vec<String> = texts.into_iter().take(most).map(short).collect();
            if more > 0 {
                kept.push(format!("and {more} more"));
            }
            kept
        };
        Self {
            subject: cut(&self.subject, SUBJECT),
            from: short(self.from),
            to: several(self.to, MOST_ADDRESSES),
            cc: several(self.cc, MOST_ADDRESSES),
            message_id: self.message_id.filter(|id| id.len() <= MESSAGE_ID).map(short),
            folder: short(self.folder),
            class: self.class,
            why: several(self.why, MOST_REASONS),
            may_answer: self.may_answer,
            whole: self.whole.map(|whole| cut(&whole, WHOLE)),
            truncated: self.truncated,
        }
    }
}

fn cut(text: &str, most: usize) -> String {
    text::cut(&text::clean(text), most).to_owned()
}

/// An address that could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The address as written.
    pub address: String,
    /// It will not work later either (RFC 3463: class 5).
    pub permanent: bool,
    /// The status (RFC 3463), e.g. `5.1.1`; empty if unknown.
    pub status: String,
    /// What the server said, cut.
    pub words: String,
}

impl Failure {
    /// As it may be kept.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            address: cut(&self.address, SHORT),
            permanent: self.permanent,
            status: cut(&self.status, 20),
            words: cut(&self.words, SHORT),
        }
    }
}

/// Mails to an address come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unreachable {
    /// Since the first one did.
    pub since: Timestamp,
    /// The status of the last (RFC 3463), e.g. `5.1.1`; empty if unknown.
    pub status: String,
    /// What the server said last, cut.
    pub words: String,
}
