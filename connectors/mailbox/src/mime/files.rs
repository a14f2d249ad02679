//! Which parts are files, and what they are called.

use super::charset::{self, Charsets};
use super::parts::{Part, Tree};
use super::words;

/// Letters of a name beyond this many are cut, its extension kept.
const LONGEST_NAME: usize = 200;

/// Whether a part is text of the mail (and not a file): `Some(true)` for HTML. `seen_text`: one before it was. The body of a part plays
/// no role, so that a mail reads the same when its files are kept elsewhere.
pub(super) fn body_kind(tree: &Tree, number: usize, seen_text: bool) -> Option<bool> {
    let part = &tree.parts[number];
    if !part.children.is_empty() {
        return None;
    }
    if part.is_broken_multipart() {
        return Some(false);
    }
    let is_html = match part.kind.value.as_str() {
        "text/plain" => false,
        "text/html" => true,
        _ => return None,
    };
    let is_named = part.disposition.bytes("filename").is_some() || part.kind.bytes("name").is_some() || has_extended_name(part);
    let parent = tree.parent(part).map(|parent| parent.kind.value.as_str());
    let is_body = match part.disposition.value.as_str() {
        // The whole mail is one text: it is to be read, whatever it is called.
        _ if parent.is_none() => !(is_named && part.disposition.value == "attachment"),
        "attachment" => false,
        _ => !is_named || parent == Some("multipart/alternative") || !seen_text,
    };
    is_body.then_some(is_html)
}

fn has_extended_name(part: &Part) -> bool {
    let none = Charsets::new("");
    part.disposition.text("filename", &none).is_some() || part.kind.text("name", &none).is_some()
}

/// Whether a part is neither text nor a file: what holds others, and second copies of the text for watches and the like.
pub(super) fn is_nothing(part: &Part) -> bool {
    !part.children.is_empty() || matches!(part.kind.value.as_str(), "text/x-amp-html" | "text/watch-html")
}

/// Whether a part holds a mail.
pub(super) fn is_mail(part: &Part, name: &str) -> bool {
    match part.kind.value.as_str() {
        "message/rfc822" | "message/global" => true,
        "application/octet-stream" | "application/eml" | "message/eml" => name.to_ascii_lowercase().ends_with(".eml"),
        _ => false,
    }
}

/// The name a part has, if any, as it may be shown.
pub(super) fn given_name(bytes: &[u8], part: &Part, charsets: &Charsets) -> Option<String> {
    let described = || {
        let text = words::decode(part.head.value(bytes, "content-description")?, charsets);
        // A description is a name only if it looks like one.
        let (stem, extension) = text.rsplit_once('.')?;
        let is_extension = (1..=5).contains(&extension.len()) && extension.chars().all(|letter| letter.is_ascii_alphanumeric());
        (is_extension && !stem.is_empty()).then(|| text.clone())
    };
    let name = part.disposition.text("filename", charsets).or_else(|| part.kind.text("name", charsets)).or_else(described)?;
    shown(&name)
}

/// A name for a file that has none: by its type.
pub(super) fn made_up(kind: &str) -> String {
    let extension = match kind {
        "message/rfc822" | "message/global" => return "message.eml".to_owned(),
        "message/delivery-status" | "message/global-delivery-status" => return "delivery-status.txt".to_owned(),
        "message/disposition-notification" => return "receipt.txt".to_owned(),
        "message/feedback-report" => return "feedback-report.txt".to_owned(),
        "text/rfc822-headers" | "message/rfc822-headers" => return "headers.txt".to_owned(),
        "text/calendar" | "application/ics" => return "invitation.ics".to_owned(),
        "text/vcard" | "text/x-vcard" | "text/directory" => return "contact.vcf".to_owned(),
        "application/ms-tnef" | "application/vnd.ms-tnef" => return "winmail.dat".to_owned(),
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => return "smime.p7s".to_owned(),
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => return "smime.p7m".to_owned(),
        "application/pgp-signature" => return "signature.asc".to_owned(),
        "text/plain" => "txt",
        "text/html" => "html",
        "text/csv" => "csv",
        "image/jpeg" | "image/jpg" | "image/pjpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        "image/heic" => "heic",
        "image/bmp" => "bmp",
        "image/tiff" => "tif",
        "application/pdf" => "pdf",
        "application/zip" | "application/x-zip-compressed" => "zip",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "application/rtf" | "text/rtf" => "rtf",
        "application/xml" | "text/xml" => "xml",
        "application/json" => "json",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/mp4" => "m4a",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        _ => "bin",
    };
    let kind = kind.split('/').next().unwrap_or_default();
    let stem = if matches!(kind, "image" | "audio" | "video") { kind } else { "attachment" };
    format!("{stem}.{extension}")
}

/// A name as it may be shown: its last piece, without anything invisible or misleading. `None` if nothing is left.
pub(super) fn shown(name: &str) -> Option<String> {
    let name = charset::one_line(name);
    let name = name.rsplit(['/', '\\']).find(|piece| !piece.trim_matches(['.', ' ']).is_empty())?;
    let name: String = name.chars().filter(|letter| !is_misleading(*letter)).collect();
    let name = name.trim_matches([' ', '.', '"']);
    if name.chars().count() <= LONGEST_NAME {
        return (!name.is_empty()).then(|| name.to_owned());
    }
    let (stem, extension) = name.rsplit_once('.').filter(|(_, extension)| extension.chars().count() <= 10).unwrap_or((name, ""));
    let stem: String = stem.chars().take(LONGEST_NAME - extension.chars().count()).collect();
    Some(if extension.is_empty() { stem } else { format!("{stem}.{extension}") })
}

/// Letters without a shape, and those that turn the direction of reading: `exe.fdp` shown as `pdf.exe`.
fn is_misleading(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_to_show() {
        for (name, expected) in [
            ("price.pdf", Some("price.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\x\\price.pdf", Some("price.pdf")),
            ("php://foo", Some("foo")),
            ("a\u{202e}fdp.exe", Some("afdp.exe")),
            ("a\0b\r\n c\u{1}.txt", Some("ab c.txt")),
            ("folder/", Some("folder")),
            ("..", None),
            ("/", None),
            ("", None),
            (" .x. ", Some("x")),
        ] {
            assert_eq!(shown(name).as_deref(), expected, "{name:?}");
        }
        let long = shown(&("я".repeat(500) + ".pdf")).unwrap();
        assert!(long.chars().count() <= LONGEST_NAME + 1 && long.rsplit('.').next() == Some("pdf"));
    }

    #[test]
    fn names_are_made_up() {
        assert_eq!(made_up("image/jpeg"), "image.jpg");
        assert_eq!(made_up("application/pdf"), "attachment.pdf");
        assert_eq!(made_up("x/y"), "attachment.bin");
        assert_eq!(made_up(""), "attachment.bin");
    }
}
