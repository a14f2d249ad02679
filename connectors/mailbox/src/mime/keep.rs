//! A mail as it is kept: its files stand in the attachment store, a line in the mail names them.

use super::fields;
use super::{Attachment, Mail};

/// What the line begins with.
const MARK: &[u8] = b"leadgate-file: ";
/// Says that a file is kept nowhere else.
const NONE: &[u8] = b"none";
/// A SHA-256 in hexadecimal.
const HASH: usize = 64;

/// The file a body names in its first line (`None`: it says that there is none), and what follows that line. `None` if there is no
/// such line.
pub(super) fn mark(body: &[u8]) -> Option<(Option<String>, &[u8])> {
    let rest = body.strip_prefix(MARK)?;
    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    let (name, after) = rest.split_at(end);
    let name = name.trim_ascii();
    let is_hash = name.len() == HASH && name.iter().all(u8::is_ascii_hexdigit);
    let file = is_hash.then(|| String::from_utf8_lossy(name).to_ascii_lowercase());
    (is_hash || name == NONE).then_some((file, after))
}

/// A body without such a line.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    mark(body).map_or(body, |(_, after)| after)
}

/// See [`super::without_files`].
pub(super) fn without_files(raw: &[u8], mail: &Mail, files: &[Option<String>]) -> Vec<u8> {
    let mut edits = Vec::new();
    for (at, attachment) in mail.attachments.iter().enumerate() {
        let file = files.get(at).and_then(Option::as_deref).filter(|file| file.len() == HASH);
        edit(raw, attachment, file, &mut edits);
        // The files of a mail inside are in the file of that mail.
        within(raw, mail, attachment, file, &mut edits);
    }
    edits.sort_by_key(|edit: &Edit| edit.place.start);
    let mut kept = Vec::with_capacity(raw.len());
    let mut at = 0;
    for edit in edits {
        if edit.place.start < at {
            continue;
        }
        kept.extend_from_slice(&raw[at..edit.place.start]);
        kept.extend_from_slice(&edit.line);
        at = edit.place.end;
    }
    kept.extend_from_slice(&raw[at..]);
    kept
}

/// A piece of a mail and the line that stands there instead.
struct Edit {
    place: std::ops::Range<usize>,
    line: Vec<u8>,
}

/// Where an attachment's bytes stand. An empty one has no place that could hold a line.
fn place(raw: &[u8], attachment: &Attachment) -> Option<std::ops::Range<usize>> {
    let place = attachment.place.clone();
    (place.end <= raw.len() && !place.is_empty()).then_some(place)
}

fn edit(raw: &[u8], attachment: &Attachment, file: Option<&str>, edits: &mut Vec<Edit>) {
    let Some(mut place) = place(raw, attachment) else { return };
    // A line like ours that the sender wrote must not be taken for ours later.
    let file = match file {
        Some(file) => file.as_bytes(),
        // It names its file already.
        None if attachment.file.is_some() => return,
        None if mark(&raw[place.clone()]).is_some() => NONE,
        None => return,
    };
    if attachment.stays || file == NONE {
        place.end = place.start;
    }
    // Where the empty line before the body was forgotten, ours would be taken for a field.
    let before = &raw[..place.start];
    let last = memchr::memrchr(b'\n', before.strip_suffix(b"\n").unwrap_or(before)).map_or(0, |at| at + 1);
    let is_open = last == before.len() || !fields::is_empty(&before[last..]);
    let line = [if is_open { b"\r\n".as_slice() } else { b"" }, MARK, file, b"\r\n"].concat();
    edits.push(Edit { place, line });
}

/// The files of the mails that stand as they are in the place of `attachment`.
fn within(raw: &[u8], mail: &Mail, attachment: &Attachment, file: Option<&str>, edits: &mut Vec<Edit>) {
    let Some(outer) = place(raw, attachment) else { return };
    let mut open: Vec<&Mail> = mail.inside.iter().collect();
    while let Some(mail) = open.pop() {
        for inner in &mail.attachments {
            let is_inside = place(raw, inner).is_some_and(|inner| inner.start >= outer.start && inner.end <= outer.end);
            if is_inside {
                edit(raw, inner, file, edits);
            }
        }
        open.extend(&mail.inside);
    }
}
