//! The fixtures read a second time, by the types of `teloxide-core`: where it reads an update at all, both say the same of who wrote what
//! and where.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use leadgate_telegram::update::{Bot, Said};
use teloxide_core::types::{MessageKind, Update, UpdateKind};

/// What is read otherwise, and why that is right.
const KNOWN: [(&str, &str); 1] = [
    // What is said in a topic refers to the message that made the topic: nobody answered that.
    ("staff_command", "in a topic"),
];

/// Who wrote what, and where; as both say it.
#[derive(Debug, Default, PartialEq)]
struct Opinion {
    update: i64,
    chat: Option<i64>,
    message: Option<i64>,
    from: Option<i64>,
    text: String,
    at: Option<i64>,
    edited_at: Option<i64>,
    reply_to: Option<i64>,
    album: Option<String>,
    connection: Option<String>,
    button: Option<String>,
}

fn ours(raw: &[u8]) -> Opinion {
    let said = Said::read(raw, &Bot { id: 123_456, ..Bot::default() }).unwrap();
    Opinion {
        update: said.update.unwrap(),
        chat: said.chat.as_ref().map(|chat| chat.id),
        message: said.message,
        from: said.from.as_ref().map(|from| from.id),
        text: said.text.clone(),
        at: said.at.map(jiff::Timestamp::as_second),
        edited_at: said.edited_at.map(jiff::Timestamp::as_second),
        reply_to: said.reply_to.as_ref().map(|answered| answered.message),
        album: said.album.clone(),
        connection: said.connection.clone(),
        button: said.callback.as_ref().map(|callback| callback.data.clone()),
    }
}

/// `None`: it reads no such update.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method is of a crate that is not a dependency of ours")]
fn theirs(raw: &[u8]) -> Option<Opinion> {
    let update: Update = serde_json::from_slice(raw).ok()?;
    let id = i64::from(update.id.0);
    let from = update.from().and_then(|from| i64::try_from(from.id.0).ok());
    match &update.kind {
        UpdateKind::Message(message)
        | UpdateKind::EditedMessage(message)
        | UpdateKind::ChannelPost(message)
        | UpdateKind::BusinessMessage(message)
        | UpdateKind::EditedBusinessMessage(message) => Some(Opinion {
            update: id,
            chat: Some(message.chat.id.0),
            message: Some(i64::from(message.id.0)),
            from,
            text: message.text().or_else(|| message.caption()).unwrap_or_default().to_owned(),
            at: Some(message.date.timestamp()),
            edited_at: message.edit_date().map(|at| at.timestamp()),
            reply_to: message.reply_to_message().map(|answered| i64::from(answered.id.0)),
            album: message.media_group_id().map(|album| album.0.clone()),
            connection: match &message.kind {
                MessageKind::Common(said) => said.business_connection_id.as_ref().map(|connection| connection.0.clone()),
                _ => None,
            },
            button: None,
        }),
        UpdateKind::CallbackQuery(pressed) => Some(Opinion {
            update: id,
            chat: pressed.message.as_ref().map(|message| message.chat().id.0),
            message: pressed.message.as_ref().map(|message| i64::from(message.id().0)),
            from,
            button: pressed.data.clone(),
            ..Opinion::default()
        }),
        _ => None,
    }
}

#[test]
fn both_say_who_wrote_what_and_where() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/updates");
    let (mut compared, mut other) = (0, BTreeMap::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let raw = std::fs::read(&path).unwrap();
        let Some(theirs) = theirs(&raw) else { continue };
        let mut ours = ours(&raw);
        if theirs.button.is_some() {
            // Of a pressed button the message below which it stood is of interest by its place alone.
            ours =
                Opinion { text: String::new(), at: None, edited_at: None, reply_to: None, album: None, connection: None, ..ours };
        }
        compared += 1;
        if ours != theirs {
            other.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), (ours, theirs));
        }
    }
    let known: BTreeSet<String> = KNOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found: BTreeSet<String> = other.keys().cloned().collect();
    assert_eq!(found, known, "{other:#?}");
    assert!(compared > 45, "{compared} were compared");
}
