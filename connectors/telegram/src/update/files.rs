//! The files a message offers. They are fetched afterwards.

use leadgate_core::chat::OfferedFile;
use serde_json::Value;

use super::look::{id, line, list, text};

/// Bytes of a file's name.
const NAME: usize = 200;
/// What a Bot API server hands out, unless it is one of one's own (<https://core.telegram.org/bots/api#getfile>).
pub(crate) const HANDED_OUT: u64 = 20 << 20;

/// The file in a member of a message, if there is one: an object with a `file_id`, or (a photo) several sizes of it.
pub(super) fn offered(kind: &str, value: &Value, message: Option<i64>, largest: u64) -> Option<OfferedFile> {
    let file = match value {
        Value::Array(sizes) => sizes.iter().filter(|size| text(size, "file_id").is_some()).max_by_key(|size| area(size))?,
        other => other,
    };
    let id = text(file, "file_id")?.to_owned();
    let content_type = line(file, "mime_type", 100).unwrap_or_else(|| {
        // A photo is always made a JPEG; of everything else the type is what its sender says.
        if kind == "photo" { "image/jpeg".to_owned() } else { String::new() }
    });
    let size = super::look::id(file, "file_size").and_then(|size| u64::try_from(size).ok());
    let name = line(file, "file_name", NAME).unwrap_or_else(|| made_name(kind, &content_type, message));
    let problem = size.filter(|size| *size > largest).map(|size| {
        format!("it is {} MB: files of up to {} MB are fetched; it stays in the chat", size.div_ceil(1 << 20), largest >> 20)
    });
    let unique = text(file, "file_unique_id").map_or_else(|| id.clone(), str::to_owned);
    Some(OfferedFile { id, unique, name, content_type, size, kind: kind.to_owned(), problem: problem.unwrap_or_default() })
}

fn area(size: &Value) -> i64 {
    id(size, "width").unwrap_or(0).saturating_mul(id(size, "height").unwrap_or(0))
}

/// A name for a file that has none.
fn made_name(kind: &str, content_type: &str, message: Option<i64>) -> String {
    let ending = match (content_type, kind) {
        ("image/png", _) => ".png",
        ("image/jpeg", _) | (_, "photo") => ".jpg",
        ("audio/ogg", _) | (_, "voice") => ".ogg",
        ("audio/mpeg", _) | (_, "audio") => ".mp3",
        ("video/mp4", _) | (_, "video" | "video_note" | "animation") => ".mp4",
        ("application/pdf", _) => ".pdf",
        _ => "",
    };
    message.map_or_else(|| format!("{kind}{ending}"), |message| format!("{kind}-{message}{ending}"))
}

/// Whether a member of a message is a file, by its looks.
pub(super) fn is_file(value: &Value) -> bool {
    let has_id = |value: &Value| text(value, "file_id").is_some();
    has_id(value) || value.as_array().is_some_and(|sizes| sizes.iter().any(has_id))
}

/// The files of media one pays for (`PaidMediaInfo`), by their place in it.
pub(super) fn paid<'a>(value: &'a Value) -> impl Iterator<Item = (&'static str, &'a Value)> {
    let files = |media: &'a Value| ["photo", "video"].into_iter().filter_map(|kind| Some((kind, media.get(kind)?)));
    list(value, "paid_media").iter().take(10).flat_map(files)
}
