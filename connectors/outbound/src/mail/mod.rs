//! Mail by SMTP: settings, sending, letters, and how they are worded.
//!
//! `lettre` makes the mails and leads the conversation. What it leaves open is done here: TLS with one certificate by its fingerprint
//! (as for mailboxes), an end to every wait and every answer, and connections that are used again only when they are known to be
//! between two mails.

mod answering;
mod auto_reply;
pub mod clean;
mod digest;
mod failure;
mod letter;
mod line;
mod mailbox;
mod mailer;
mod notice;
mod operation;
mod page;
mod settings;
mod talk;
mod templates;
mod unpassed;
pub mod words;

pub use answering::{Unanswered, customer_address, may_be_answered};
pub use auto_reply::AutoReply;
pub use digest::{Health, Kept, ManagerDigest, OperatorDigest, Row, Silent};
pub use letter::{Attached, CANARY, Heading, Letter, LetterError, LetterKind, message_id};
pub use mailbox::Mailbox;
pub use mailer::Mailer;
pub use notice::Notice;
pub use operation::AlarmNotice;
pub use page::{Link, Reader};
pub use settings::{ReplyVia, Settings, read};
pub use templates::{Name, Templates};
pub use unpassed::{NotPassedOn, Unpassed};
