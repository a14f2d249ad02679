//! People and appointments in a mail: vCards (2.1, 3.0 and 4.0, RFC 6350) and the METHOD of a calendar (RFC 5546).

use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use super::Card;
use super::charset::{Charsets, one_line};

/// Cards of a mail, and values of a card, beyond these many are not looked at.
pub(super) const MOST_CARDS: usize = 50;
const MOST_VALUES: usize = 20;
/// A longer part is a file and nothing else.
pub(super) const LONGEST: usize = 1024 * 1024;

/// Whether a part is a calendar.
pub(super) fn is_calendar(kind: &str) -> bool {
    matches!(kind, "text/calendar" | "application/ics")
}

/// Whether a part holds vCards.
pub(super) fn is_card(kind: &str, name: &str) -> bool {
    matches!(kind, "text/vcard" | "text/x-vcard" | "text/directory" | "application/vcard")
        || name.to_ascii_lowercase().ends_with(".vcf")
}

/// The METHOD a calendar's text names, upper case; empty if it names none.
pub(super) fn method(body: &[u8]) -> String {
    let lines = body.split(|byte| *byte == b'\n').take(1_000).map(<[u8]>::trim_ascii);
    let value = lines.filter_map(|line| line.split_at_checked(7)).find(|(name, _)| name.eq_ignore_ascii_case(b"method:"));
    value.map(|(_, value)| word(&String::from_utf8_lossy(value))).unwrap_or_default()
}

/// A method as it is compared.
pub(super) fn word(text: &str) -> String {
    text.trim()
        .chars()
        .filter(|letter| letter.is_ascii_alphabetic() || *letter == '-')
        .take(32)
        .collect::<String>()
        .to_ascii_uppercase()
}

/// The people of a text of vCards. Total.
pub(super) fn read(body: &[u8], charsets: &Charsets) -> Vec<Card> {
    let mut cards = Vec::new();
    let mut open: Option<Open> = None;
    for line in unfolded(body) {
        let Some(property) = Property::read(&line) else { continue };
        match (property.name.as_str(), &mut open) {
            ("BEGIN", _) if property.value.eq_ignore_ascii_case(b"vcard") => open = Some(Open::default()),
            ("END", _) => {
                cards.extend(open.take().and_then(Open::close));
                if cards.len() >= MOST_CARDS {
                    return cards;
                }
            }
            (_, Some(card)) => card.take(&property, charsets),
            _ => {}
        }
    }
    cards.extend(open.and_then(Open::close));
    cards
}

/// A card that is being read.
#[derive(Default)]
struct Open {
    card: Card,
    /// N, for cards without FN.
    name: Option<String>,
}

impl Open {
    fn take(&mut self, property: &Property, charsets: &Charsets) {
        match property.name.as_str() {
            "FN" => {
                let name = unescaped(&property.text(charsets));
                if self.card.name.is_none() && !name.is_empty() {
                    self.card.name = Some(name);
                }
            }
            // Family name; given names; additional names; prefixes; suffixes.
            "N" => {
                let text = property.text(charsets);
                let parts: Vec<String> = pieces(&text).into_iter().map(|part| unescaped(&part)).collect();
                let part = |at: usize| parts.get(at).map_or("", String::as_str);
                let name = one_line(&format!("{} {} {}", part(1), part(2), part(0)));
                self.name = Some(name).filter(|name| !name.is_empty());
            }
            "TEL" => {
                let text = property.text(charsets);
                let phone = text.trim().strip_prefix("tel:").unwrap_or(&text).replace(";ext=", " ext. ");
                add(&mut self.card.phones, &unescaped(&phone));
            }
            "EMAIL" => {
                let text = property.text(charsets);
                add(&mut self.card.emails, &unescaped(text.trim().strip_prefix("mailto:").unwrap_or(&text)));
            }
            _ => {}
        }
    }

    fn close(mut self) -> Option<Card> {
        self.card.name = self.card.name.or(self.name);
        (self.card != Card::default()).then_some(self.card)
    }
}

fn add(values: &mut Vec<String>, value: &str) {
    let value = value.trim();
    if !value.is_empty() && values.len() < MOST_VALUES && !values.iter().any(|known| known == value) {
        values.push(value.to_owned());
    }
}

/// `item1.TEL;TYPE=cell;ENCODING=QUOTED-PRINTABLE:..`
struct Property {
    name: String,
    parameters: Vec<String>,
    value: Vec<u8>,
}

impl Property {
    fn read(line: &[u8]) -> Option<Self> {
        let mut quoted = false;
        let colon = line.iter().position(|byte| {
            quoted ^= *byte == b'"';
            *byte == b':' && !quoted
        })?;
        let head = String::from_utf8_lossy(&line[..colon]).to_ascii_uppercase();
        let mut head = head.split(';');
        let name = head.next()?.rsplit('.').next()?.trim().to_owned();
        Some(Self { name, parameters: head.map(str::to_owned).collect(), value: line[colon + 1..].trim_ascii().to_vec() })
    }

    fn text(&self, charsets: &Charsets) -> String {
        let is_quoted = self.parameters.iter().any(|one| one.ends_with("QUOTED-PRINTABLE"));
        let bytes = if is_quoted {
            quoted_printable_decode(&self.value).unwrap_or_else(|| self.value.clone())
        } else {
            self.value.clone()
        };
        let label = self.parameters.iter().find_map(|one| one.strip_prefix("CHARSET=")).unwrap_or_default();
        let mut text = one_line(&charsets.declared(label, &bytes));
        super::charset::cut(&mut text, 1_000);
        text
    }
}

/// Lines with what they were folded into: by white space, and in 2.1 by an equals sign at the end of quoted-printable.
fn unfolded(body: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut soft = false;
    for raw in body.split(|byte| *byte == b'\n').take(20_000) {
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        match (line.first(), lines.last_mut()) {
            (_, Some(last)) if soft => {
                last.pop();
                last.extend_from_slice(line);
            }
            (Some(b' ' | b'\t'), Some(last)) => last.extend_from_slice(&line[1..]),
            _ => lines.push(line.to_vec()),
        }
        soft = lines.last().is_some_and(|last| {
            let head = last.split(|byte| *byte == b':').next().unwrap_or_default().to_ascii_uppercase();
            last.ends_with(b"=") && memchr::memmem::find(&head, b"QUOTED-PRINTABLE").is_some()
        });
    }
    lines
}

/// Divided at semicolons that are not escaped.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut escaped = false;
    for letter in text.chars() {
        if letter == ';' && !escaped && pieces.len() < 10 {
            pieces.push(String::new());
        } else if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
        escaped = letter == '\\' && !escaped;
    }
    pieces
}

/// Backslashes resolved, on one line.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n' | 'N') => out.push(' '),
                Some(other) => out.push(other),
                None => {}
            },
            letter => out.push(letter),
        }
    }
    one_line(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str, phones: &[&str], emails: &[&str]) -> Card {
        let all = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Card { name: Some(name.to_owned()), phones: all(phones), emails: all(emails) }
    }

    fn read_all(text: &str) -> Vec<Card> {
        read(text.as_bytes(), &Charsets::new("ru"))
    }

    #[test]
    fn cards_of_every_version_are_read() {
        let old = "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=9F=D0=B5=D1=82=D1=80=\r\n=D0=BE=D0=B2;=D0=98=D0=B2=D0=B0=D0=BD\r\n\
                   TEL;CELL:+7 916 123-45-67\r\nEMAIL;INTERNET:ivan@example.com\r\nEND:VCARD\r\n";
        assert_eq!(read_all(old), [card("Иван Петров", &["+7 916 123-45-67"], &["ivan@example.com"])]);
        let third = "BEGIN:VCARD\nVERSION:3.0\nN:Petrov;Ivan;;;\nFN:Ivan\\, the\n  first\nitem1.TEL;TYPE=\"cell,voice:x\":+1 2\nitem1.X-ABLabel:x\nTEL:+1 2\nTEL:+1 3\n\
                     EMAIL;TYPE=WORK:i@example.com\nEND:VCARD\nBEGIN:VCARD\nFN:Second\nEND:VCARD";
        assert_eq!(read_all(third), [card("Ivan, the first", &["+1 2", "+1 3"], &["i@example.com"]), card("Second", &[], &[])]);
        let fourth =
            "BEGIN:VCARD\nVERSION:4.0\nFN:Ann\nTEL;VALUE=uri;TYPE=work:tel:+1-555-555-5555;ext=55\nEMAIL:mailto:a@example.com\n";
        assert_eq!(read_all(fourth), [card("Ann", &["+1-555-555-5555 ext. 55"], &["a@example.com"])]);
    }

    #[test]
    fn what_is_no_card_gives_none() {
        for text in ["", "BEGIN:VCARD\nEND:VCARD", "FN:nobody", "BEGIN:VCARD\n:::\n;;;\nEND:VCARD", "=\n=\n="] {
            assert_eq!(read_all(text), []);
        }
        assert_eq!(read_all(&"BEGIN:VCARD\nFN:x\nEND:VCARD\n".repeat(500)).len(), MOST_CARDS);
    }

    #[test]
    fn methods_are_found() {
        assert_eq!(method(b"BEGIN:VCALENDAR\r\nMethod: request\r\n"), "REQUEST");
        assert_eq!(method(b"BEGIN:VCALENDAR\r\n"), "");
    }
}
