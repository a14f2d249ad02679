//! Why the service did not do what it was asked.

use std::time::Duration;

use serde_json::Value;

/// The longest pause that is believed.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// Why the service did not do what it was asked. None of them holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 401, or 404 for the whole bot: the token is wrong, or was revoked.
    #[error("the token is refused: {0}. Is it the one @BotFather shows?")]
    Unauthorized(String),
    /// 403: the person has blocked the bot, is gone, or never began to talk with it.
    #[error("the bot is blocked by the person, or may not write to them first: {0}")]
    Blocked(String),
    /// 403: the bot was put out of the group, or is no member.
    #[error("the bot is not in the group any more: {0}")]
    Kicked(String),
    /// The chat, or the file, does not exist any more.
    #[error("it does not exist (any more): {0}")]
    Gone(String),
    /// The group became a supergroup with this id.
    #[error("the group has a new id: {0}")]
    Migrated(i64),
    /// The topic was deleted.
    #[error("the topic does not exist any more")]
    TopicDeleted,
    /// The topic is closed.
    #[error("the topic is closed")]
    TopicClosed,
    /// The message to change or to answer is not there, or cannot be changed any more.
    #[error("the message is not there any more: {0}")]
    MessageGone(String),
    /// It says already what it was to say.
    #[error("nothing is to be changed")]
    NotModified,
    /// A button's press is answered too late.
    #[error("the button was pressed too long ago")]
    TooLate,
    /// A file is larger than what is fetched.
    #[error("the file is too large: {0}")]
    FileTooBig(String),
    /// 429: nothing is taken before this time is over.
    #[error("too much at once; it takes more in {} s", .0.as_secs())]
    TooMany(Duration),
    /// 409: another program asks for the updates, or a webhook is set.
    #[error("another program has the bot: {0}")]
    Conflict(String),
    /// What was asked cannot be done, now or later.
    #[error("it was refused: {0}")]
    Bad(String),
    /// There was no answer that counts: try again later.
    #[error("the service cannot be reached: {0}")]
    Unavailable(String),
}

impl ApiError {
    /// Whether the same call may work later, without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::TooMany(_) | Self::Unavailable(_) | Self::Conflict(_))
    }

    /// Whether the bot may not write to the chat any more, until something happens there.
    pub fn closes_chat(&self) -> bool {
        matches!(self, Self::Blocked(_) | Self::Kicked(_) | Self::Gone(_))
    }
}

/// What an answer with `"ok": false` means. The codes are HTTP's; what tells more is the description, which is meant for people, so it is only
/// believed to be what is known of it (<https://core.telegram.org/bots/api#making-requests>).
pub(super) fn said(code: i64, words: String, parameters: &Value, retry_after: Option<&str>) -> ApiError {
    if let Some(chat) = parameters.get("migrate_to_chat_id").and_then(Value::as_i64) {
        return ApiError::Migrated(chat);
    }
    let lower = words.to_ascii_lowercase();
    let says = |known: &[&str]| known.iter().any(|known| lower.contains(known));
    match code {
        401 | 404 => ApiError::Unauthorized(words),
        403 if says(&["kicked", "not a member", "bot was banned"]) => ApiError::Kicked(words),
        403 if says(&["blocked", "deactivated", "can't initiate", "can't send messages to bots", "user_is_blocked"]) => {
            ApiError::Blocked(words)
        }
        403 if says(&["deleted"]) => ApiError::Gone(words),
        409 => ApiError::Conflict(words),
        429 => {
            let in_header = || retry_after.and_then(|after| after.trim().parse::<u64>().ok());
            let seconds = parameters.get("retry_after").and_then(Value::as_u64).or_else(in_header).unwrap_or(5);
            ApiError::TooMany(Duration::from_secs(seconds.max(1)).min(LONGEST_PAUSE))
        }
        400 if says(&["thread not found", "topic_deleted", "topic_id_invalid", "topic deleted"]) => ApiError::TopicDeleted,
        400 if says(&["topic_closed", "topic closed"]) => ApiError::TopicClosed,
        400 if says(&["not modified", "topic_not_modified"]) => ApiError::NotModified,
        400 if says(&["query is too old", "query id is invalid"]) => ApiError::TooLate,
        400 if says(&[
            "message to edit not found",
            "message can't be edited",
            "to be replied not found",
            "message to reply not found",
            "message_id_invalid",
        ]) =>
        {
            ApiError::MessageGone(words)
        }
        400 if says(&["file is too big"]) => ApiError::FileTooBig("the service hands out 20 MB at most".to_owned()),
        400 if says(&[
            "chat not found",
            "user not found",
            "peer_id_invalid",
            "was deactivated",
            "group chat was deleted",
            "wrong file_id",
            "file is temporarily",
            "invalid file",
        ]) =>
        {
            ApiError::Gone(words)
        }
        500.. => ApiError::Unavailable(format!("it answers with the status {code}")),
        _ => ApiError::Bad(if words.is_empty() { format!("the status {code}") } else { words }),
    }
}

/// What an answer means that is not the service's: a page of a proxy, of a provider that blocks it, of a hotel.
pub(super) fn odd(status: u16, content_type: &str) -> ApiError {
    ApiError::Unavailable(match status {
        500.. => format!("it answers with the status {status}"),
        407 => "the proxy wants a name and a password".to_owned(),
        _ if content_type.contains("html") => format!(
            "a web page came instead of an answer (status {status}): something on the way answers for it, or api_url is another server's"
        ),
        _ => format!("what came is no answer of a Bot API (status {status})"),
    })
}
