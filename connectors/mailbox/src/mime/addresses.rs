//! Addresses (RFC 5322, 3.4) and message ids (3.6.4), as broken as they come.

use super::Address;
use super::charset::Charsets;
use super::words;

/// Addresses of one kind of field beyond this many are not looked at.
pub(super) const MOST_RECIPIENTS: usize = 500;
/// Ids of References that are kept: the oldest and the newest.
const OLDEST: usize = 5;
const NEWEST: usize = 45;
/// A longer id is no id.
const LONGEST_ID: usize = 998;
/// A longer address is no address (RFC 5321, 4.5.3.1).
const LONGEST_ADDRESS: usize = 320;

/// The addresses of a field's value, groups opened. What has no readable address keeps its text as a name.
pub(super) fn read(raw: &[u8], charsets: &Charsets) -> Vec<Address> {
    let mut found = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() && found.len() < MOST_RECIPIENTS {
        let (one, next) = Mailbox::read(rest);
        rest = next;
        found.extend(one.address(charsets));
    }
    found
}

/// One entry of a list, its pieces apart.
#[derive(Default)]
struct Mailbox {
    /// Everything outside brackets and comments; quotes are gone.
    phrase: Vec<u8>,
    /// What the angle brackets hold.
    angle: Option<Vec<u8>>,
    /// What the last comment holds.
    comment: Vec<u8>,
}

impl Mailbox {
    /// Takes the first entry and what follows its comma. Always takes at least a byte.
    fn read(raw: &[u8]) -> (Self, &[u8]) {
        let mut one = Self::default();
        let mut at = 0;
        while let Some(&byte) = raw.get(at) {
            at += 1;
            match byte {
                // Some programs divide by semicolons; the end of a group is one anyway.
                b',' | b';' => break,
                // The name of a group says who its members are to the sender, nothing else. `mailto:` is one, too.
                b':' if one.angle.is_none() => one.phrase.clear(),
                b'"' => at += quoted(&raw[at..], &mut one.phrase),
                b'(' => {
                    one.comment.clear();
                    at += comment(&raw[at..], &mut one.comment);
                }
                b'<' if one.angle.is_none() => {
                    let mut inner = Vec::new();
                    at += angle(&raw[at..], &mut inner);
                    one.angle = Some(inner);
                }
                b'\r' | b'\n' => {}
                // The text of an encoded word may hold any of the above.
                b'=' if raw.get(at) == Some(&b'?') => {
                    let length = word(&raw[at..]);
                    one.phrase.push(b'=');
                    one.phrase.extend_from_slice(&raw[at..at + length]);
                    at += length;
                }
                _ => one.phrase.push(byte),
            }
        }
        (one, &raw[at..])
    }

    fn address(self, charsets: &Charsets) -> Option<Address> {
        let phrase = trimmed_name(&words::decode(&self.phrase, charsets));
        let Some(angle) = self.angle else {
            // All of it in one encoded word, brackets and all.
            if self.phrase.trim_ascii().starts_with(b"=?") && phrase.contains('<') {
                let inner = Mailbox::read(phrase.as_bytes()).0;
                return if inner.angle.is_some() { inner.address(charsets) } else { None };
            }
            let address = phrase.split_whitespace().find_map(valid);
            return match address {
                Some(address) => {
                    let name = trimmed_name(&words::decode(&self.comment, charsets));
                    let rest = phrase.replacen(&address, "", 1);
                    let name = if name.is_empty() { trimmed_name(&rest) } else { name };
                    Some(Address { name, address })
                }
                None if phrase.is_empty() || is_undisclosed(&phrase) => None,
                None => Some(Address { name: phrase, address: String::new() }),
            };
        };
        let angle = words::decode(&angle, charsets);
        // A route (`<@a,@b:user@host>`, obsolete) and `<mailto:user@host>` end at a colon.
        let bare = angle.rsplit(':').next().unwrap_or_default();
        let address = valid(bare).or_else(|| bare.split_whitespace().find_map(valid)).or_else(|| valid(&bare.replace(' ', "")));
        let name = if phrase.is_empty() { trimmed_name(&words::decode(&self.comment, charsets)) } else { phrase };
        match address {
            Some(address) => Some(Address { name, address }),
            // Unreadable: what stands there is kept for people.
            None if name.is_empty() && angle.is_empty() => None,
            None => Some(Address { name: if name.is_empty() { angle } else { name }, address: String::new() }),
        }
    }
}

/// The length of an encoded word after its `=`; 0 if it is none.
fn word(raw: &[u8]) -> usize {
    let mut marks = raw.iter().enumerate().take(1_000).filter(|(_, byte)| **byte == b'?').map(|(at, _)| at);
    match (marks.next(), marks.next(), marks.next()) {
        (Some(0), Some(charset), Some(encoding)) if encoding == charset + 2 => {
            memchr::memmem::find(&raw[encoding + 1..], b"?=").map_or(0, |end| encoding + 1 + end + 2)
        }
        _ => 0,
    }
}

/// Copies a quoted string after its opening quote; gives how much it took. One that is never closed ends before the brackets.
fn quoted(raw: &[u8], into: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        match byte {
            b'\\' if raw.get(at).is_some() => {
                into.push(raw[at]);
                at += 1;
            }
            b'"' => return at,
            b'\r' | b'\n' => {}
            _ => into.push(byte),
        }
    }
    match memchr::memchr(b'<', raw) {
        Some(bracket) => {
            into.truncate(into.len() - (into.len()).min(raw.len() - bracket));
            bracket
        }
        None => raw.len(),
    }
}

/// Copies a comment after its opening bracket, brackets within kept; gives how much it took.
fn comment(raw: &[u8], into: &mut Vec<u8>) -> usize {
    let mut depth = 1usize;
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        match byte {
            b'\\' if raw.get(at).is_some() => {
                into.push(raw[at]);
                at += 1;
                continue;
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        into.push(byte);
    }
    at
}

/// Copies what stands in angle brackets after the opening one; gives how much it took. Never closed: up to the comma.
fn angle(raw: &[u8], into: &mut Vec<u8>) -> usize {
    let end = memchr::memchr2(b'>', b'<', raw);
    let (length, taken) = match end {
        Some(at) if raw[at] == b'>' => (at, at + 1),
        _ => memchr::memchr2(b',', b';', raw).map_or((raw.len(), raw.len()), |at| (at, at)),
    };
    into.extend_from_slice(&raw[..length]);
    taken
}

/// An address, if it can be one: something before and after its last `@`, nothing invisible, a bare host.
fn valid(text: &str) -> Option<String> {
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>' | '\'' | ',' | ';'));
    let text = text.strip_prefix("mailto:").unwrap_or(text).trim_end_matches('.');
    let (local, host) = text.rsplit_once('@')?;
    let is_local =
        !local.is_empty() && local != "\"\"" && !local.chars().any(|letter| letter.is_whitespace() && !local.starts_with('"'));
    let is_host = !host.is_empty()
        && !host.starts_with('.')
        && host.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | '[' | ']' | ':'));
    let is_short = text.len() <= LONGEST_ADDRESS;
    (is_local && is_host && is_short && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A name without the quotes that some programs put around it.
fn trimmed_name(name: &str) -> String {
    let mut name = name.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote)) {
            name = inner.trim();
        }
    }
    let mut name = name.to_owned();
    super::charset::cut(&mut name, LONGEST_ID);
    name
}

/// What stands where the recipients were hidden.
fn is_undisclosed(phrase: &str) -> bool {
    phrase.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("undisclosed"))
}

/// The first id of a Message-ID, without its brackets.
pub(super) fn id(raw: &[u8]) -> Option<String> {
    ids(raw).into_iter().next()
}

/// The ids of a field. In-Reply-To may hold phrases, too: what stands in brackets counts, and only without any brackets the rest.
pub(super) fn ids(raw: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = raw;
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = &rest[open + 1..];
        // Never closed: up to the next one.
        let end = memchr::memchr2(b'>', b'<', rest).unwrap_or(rest.len());
        found.extend(clean_id(&rest[..end]));
        rest = &rest[end..];
    }
    if found.is_empty() {
        let words: Vec<&[u8]> =
            raw.split(|byte| byte.is_ascii_whitespace() || *byte == b',').filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [one] => found.extend(clean_id(one)),
            many if many.iter().all(|word| word.contains(&b'@')) => found.extend(many.iter().filter_map(|word| clean_id(word))),
            _ => {}
        }
    }
    found
}

/// An id as it is compared: without the white space that folding left within it.
fn clean_id(raw: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(raw);
    let id: String = text.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control()).collect();
    let id = id.trim_matches(['<', '>', '"', ',']);
    (!id.is_empty() && id.len() <= LONGEST_ID).then(|| id.to_owned())
}

/// The ids that are kept of a long list, each once: the first 5 and the last 45.
pub(super) fn some_of(ids: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut ids: Vec<String> = ids.into_iter().filter(|id| seen.insert(id.clone())).collect();
    if ids.len() > OLDEST + NEWEST {
        ids.drain(OLDEST..ids.len() - NEWEST);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(raw: &str) -> Vec<(String, String)> {
        read(raw.as_bytes(), &Charsets::new("ru")).into_iter().map(|one| (one.name, one.address)).collect()
    }

    fn check(raw: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect();
        assert_eq!(read_all(raw), expected, "{raw}");
    }

    #[test]
    fn addresses_are_read() {
        check("ivan@example.com", &[("", "ivan@example.com")]);
        check("Ivan Petrov <ivan@example.com>", &[("Ivan Petrov", "ivan@example.com")]);
        check(
            "\"Petrov, Ivan\" <ivan@example.com>, anna@example.com",
            &[("Petrov, Ivan", "ivan@example.com"), ("", "anna@example.com")],
        );
        check("a@x.example; b@x.example", &[("", "a@x.example"), ("", "b@x.example")]);
        check("ivan@example.com (Ivan (the) Petrov)", &[("Ivan (the) Petrov", "ivan@example.com")]);
        check("=?utf-8?B?0JjQstCw0L0=?= <ivan@example.com>", &[("Иван", "ivan@example.com")]);
        check("=?utf-8?Q?Ivan,_\"x\"_<y>?= <ivan@example.com>", &[("Ivan, \"x\" <y>", "ivan@example.com")]);
        check("\"=?utf-8?B?0JjQstCw0L0=?=\" <ivan@example.com>", &[("Иван", "ivan@example.com")]);
        check("Иван <ivan@example.com>", &[("Иван", "ivan@example.com")]);
        check("'Ivan' <ivan@example.com>", &[("Ivan", "ivan@example.com")]);
        check("Ivan\r\n <ivan@example.com>", &[("Ivan", "ivan@example.com")]);
        check("Team: a@x.example, B <b@x.example>;", &[("", "a@x.example"), ("B", "b@x.example")]);
        check("ivan@[192.0.2.1]", &[("", "ivan@[192.0.2.1]")]);
        check("<иван@пример.рф>", &[("", "иван@пример.рф")]);
    }

    #[test]
    fn broken_addresses_lose_nothing_readable() {
        check("<\"\"@example.com>", &[("\"\"@example.com", "")]);
        check("no_host", &[("no_host", "")]);
        check("Ivan <no_host>", &[("Ivan", "")]);
        check("alice@example.com <bob@example.com>", &[("alice@example.com", "bob@example.com")]);
        check("Ivan <ivan@example.com", &[("Ivan", "ivan@example.com")]);
        check("\"Ivan <ivan@example.com>", &[("Ivan", "ivan@example.com")]);
        check("<mailto:ivan@example.com>", &[("", "ivan@example.com")]);
        check("<@relay.example,@other.example:ivan@example.com>", &[("", "ivan@example.com")]);
        check("\"postmaster@\" <host.example postmaster@host.example>", &[("postmaster@", "postmaster@host.example")]);
        check("<ivan @example.com>", &[("", "ivan@example.com")]);
        check("=?utf-8?Q?Ivan_<ivan@example.com>?=", &[("Ivan", "ivan@example.com")]);
        check("Ivan ivan@example.com", &[("Ivan", "ivan@example.com")]);
        check("<<ivan@example.com>>", &[("", "ivan@example.com")]);
        for nobody in
            ["", "<>", ";", ",,,", "undisclosed-recipients:;", "Undisclosed recipients", "undisclosed-recipients: ;", "()", "\""]
        {
            check(nobody, &[]);
        }
    }

    #[test]
    fn a_list_is_bounded() {
        assert_eq!(read_all(&"a@b.example, ".repeat(2_000)).len(), MOST_RECIPIENTS);
    }

    #[test]
    fn ids_are_compared_bare() {
        for (raw, expected) in [
            ("<a@b>", vec!["a@b"]),
            (" <a\r\n @b> ", vec!["a@b"]),
            ("a@b", vec!["a@b"]),
            ("<no-at-sign>", vec!["no-at-sign"]),
            ("bare", vec!["bare"]),
            ("<a@b>, <c@d>", vec!["a@b", "c@d"]),
            ("Your message of \"Mon\" <a@b>", vec!["a@b"]),
            ("Message from ivan@example.com of Monday", vec![]),
            ("a@b c@d", vec!["a@b", "c@d"]),
            ("<a@b <c@d>", vec!["a@b", "c@d"]),
            ("<>", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(ids(raw.as_bytes()), expected, "{raw}");
        }
    }

    #[test]
    fn a_long_thread_keeps_its_ends() {
        let all: Vec<String> = (0..200).map(|number| format!("{number}@x")).collect();
        let kept = some_of(all);
        assert_eq!(kept.len(), 50);
        assert_eq!((kept[0].as_str(), kept[4].as_str(), kept[5].as_str(), kept[49].as_str()), ("0@x", "4@x", "155@x", "199@x"));
        assert_eq!(some_of(vec!["a".to_owned(), "a".to_owned(), "b".to_owned()]), ["a", "b"]);
    }
}
