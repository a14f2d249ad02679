//! By what a mail is known again: under another UID, in another folder, in a mailbox that was put back from a copy.

use leadgate_core::submission::hex;
use sha2::{Digest as _, Sha256};

/// Header fields that say what a mail is; the others say how it came, or are written by machines on its way.
const SAYING: &[&[u8]] =
    &[b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"in-reply-to", b"references", b"content-type"];

/// The hash of a mail's body: everything below its header. Line ends and blank lines at the end do not count, for programs that
/// copy mailboxes change them.
pub(super) fn of_body(raw: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash_body(&mut hash, split(raw).1);
    hash.finalize().into()
}

/// The hash of a mail that has no Message-ID: its body, and those header fields that say what it is.
pub(super) fn of_whole(raw: &[u8]) -> [u8; 32] {
    let (header, body) = split(raw);
    let mut fields: Vec<(usize, Vec<u8>)> = Vec::new();
    for line in header.split(|byte| *byte == b'\n') {
        if line.first().is_some_and(|first| matches!(first, b' ' | b'\t')) {
            if let Some((known, value)) = fields.last_mut()
                && *known < SAYING.len()
            {
                value.extend(words(line));
            }
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii().to_ascii_lowercase();
        let known = SAYING.iter().position(|saying| *saying == name).unwrap_or(SAYING.len());
        fields.push((known, words(&line[colon + 1..]).collect()));
    }
    fields.retain(|(known, _)| *known < SAYING.len());
    // Servers that copy a mail may write its header in another order.
    fields.sort();
    let mut hash = Sha256::new();
    for (known, value) in &fields {
        hash.update([u8::try_from(*known).unwrap_or(u8::MAX)]);
        hash.update((value.len() as u64).to_le_bytes());
        hash.update(value);
    }
    hash_body(&mut hash, body);
    hash.finalize().into()
}

/// A hash as it stands in a key beside a Message-ID.
pub(super) fn short(hash: &[u8; 32]) -> String {
    hex(&hash[..16])
}

/// A field without its blanks: where a line is folded is the writer's own affair.
fn words(line: &[u8]) -> impl Iterator<Item = u8> + '_ {
    line.iter().copied().filter(|byte| !byte.is_ascii_whitespace())
}

/// Header and body, apart. Without a blank line all of it is body, unless it begins as a header does.
fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while let Some(end) = raw[at..].iter().position(|byte| *byte == b'\n') {
        if raw[at..at + end].trim_ascii_end().is_empty() {
            return (&raw[..at], &raw[at + end + 1..]);
        }
        at += end + 1;
    }
    if raw.iter().take_while(|byte| **byte != b'\n').any(|byte| *byte == b':') { (raw, &[]) } else { (&[], raw) }
}

fn hash_body(hash: &mut Sha256, body: &[u8]) {
    let body = body.trim_ascii_end();
    hash.update((body.len() as u64 - memchr::memchr_iter(b'\r', body).count() as u64).to_le_bytes());
    for piece in body.split(|byte| *byte == b'\r') {
        hash.update(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] =
        b"Received: from a\r\nFrom: a@b.example\r\nSubject: long\r\n words\r\nX-Spam: no\r\n\r\nHello\r\n\r\nBye\r\n";

    #[test]
    fn the_way_a_mail_came_does_not_count() {
        let other =
            b"Return-Path: <a@b.example>\nSUBJECT: long words\nFrom: a@b.example\nReceived: from c\n\tby d\n\nHello\n\nBye\n\n\n";
        assert_eq!(of_whole(MAIL), of_whole(other));
        assert_eq!(of_body(MAIL), of_body(other));
    }

    #[test]
    fn what_it_says_does() {
        let changed = |from: &str, to: &str| String::from_utf8_lossy(MAIL).replace(from, to).into_bytes();
        for (from, to) in [("Hello", "Hullo"), ("words", "wards"), ("a@b", "c@b"), ("Bye", "Bye.")] {
            assert_ne!(of_whole(MAIL), of_whole(&changed(from, to)), "{from}");
        }
        assert_eq!(of_body(MAIL), of_body(&changed("a@b", "c@b")));
        assert_ne!(of_body(MAIL), of_body(&changed("Hello", "Hel lo")));
    }

    #[test]
    fn whatever_comes_has_a_hash() {
        for raw in [&b""[..], b"\n", b"no header", b"no: body", b"\r\n\r\n", b"a\r\r\n", b": \n \n\n"] {
            assert_eq!(of_whole(raw), of_whole(raw));
            of_body(raw);
        }
        assert_ne!(of_body(b"one text"), of_body(b"another text"), "a text without a header is a body");
        assert_ne!(of_whole(b"Subject: a"), of_whole(b"Subject: b"), "a header without a body");
    }

    proptest::proptest! {
        #[test]
        fn line_ends_never_count(lines in proptest::collection::vec("[a-z: \t]{0,12}", 0..12)) {
            let (unix, dos) = (lines.join("\n"), lines.join("\r\n"));
            proptest::prop_assert_eq!(of_whole(unix.as_bytes()), of_whole(dos.as_bytes()));
            proptest::prop_assert_eq!(of_body(unix.as_bytes()), of_body(dos.as_bytes()));
        }
    }
}
