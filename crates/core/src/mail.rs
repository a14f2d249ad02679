//! What a mail says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
