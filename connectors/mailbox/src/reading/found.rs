//! What stands in running text and signatures: phones, links. Weaker evidence than a field.

use leadgate_core::attribution::{Origin, Touch};
use leadgate_core::phone::{self, Country, Hints};
use leadgate_core::rules::Ours;

/// The most phones taken from a mail.
const MOST_PHONES: usize = 3;
/// The most links looked at.
const MOST_LINKS: usize = 20;
/// The most bytes of text looked at.
const MOST_BYTES: usize = 64 * 1024;
/// The most numbers tried.
const MOST_TRIED: usize = 50;

/// Phones in a text, as written. Only what some plan knows: text is full of other numbers.
pub(super) fn phones(text: &str, country: Option<Country>, ours: &Ours) -> Vec<String> {
    let hints = Hints { configured: country, free_text: true, ..Hints::default() };
    let mut keys: Vec<String> = Vec::new();
    let mut out = Vec::new();
    let text = leadgate_core::text::cut(text, MOST_BYTES);
    for (announced, number) in text.lines().flat_map(candidates).take(MOST_TRIED) {
        let reading = phone::read(announced, &hints);
        let mut usable = reading.phones.iter().filter(|phone| phone.confidence >= 2 && !phone.unusable);
        let Some(key) = usable.next().map(phone::Phone::key) else { continue };
        if !keys.contains(&key) && !ours.phone(&key) {
            keys.push(key);
            out.push(number.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '-' | '–')).to_owned());
            if out.len() == MOST_PHONES {
                break;
            }
        }
    }
    out
}

/// Stretches of a line that may be phones: each with the word in front (`ИНН`, `order`), which tells the reader of those that are
/// none, and without.
fn candidates(line: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(start) = line[at..].find(|c: char| c.is_ascii_digit() || c == '+').map(|start| at + start) {
        let inside = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '\u{a0}' | '(' | ')' | '-' | '–' | '+' | '.');
        let end = line[start..].find(|c: char| !inside(c)).map_or(line.len(), |end| start + end);
        let stretch = &line[start..end];
        let digits = stretch.bytes().filter(u8::is_ascii_digit).count();
        // Of an address of the web or a mailbox, a number is a part.
        let glued = line[..start].ends_with(|c: char| c.is_alphanumeric() || "@_=&?/#".contains(c))
            || line[end..].starts_with(['@', '_', '=']);
        if (7..=20).contains(&digits) && !glued && !is_date(stretch) {
            let before = word_before(&line[..start]);
            let after = end + extension(&line[end..]);
            out.push((&line[before..after], &line[start..after]));
        }
        at = end;
    }
    out
}

/// Where the word in front of a number begins, if it is one that says what the number is.
fn word_before(text: &str) -> usize {
    let trimmed = text.trim_end_matches([' ', ':', '.', '№', '#']);
    let start = trimmed.char_indices().rev().find(|(_, c)| !c.is_alphanumeric()).map_or(0, |(at, c)| at + c.len_utf8());
    if trimmed.len() - start > 30 || text.len() - trimmed.len() > 6 { text.len() } else { start }
}

/// How many bytes behind a number are its extension.
fn extension(text: &str) -> usize {
    let word: String = text.chars().take(12).take_while(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    if !matches!(word.as_str(), "доб" | "добавочный" | "ext" | "extension" | "вн" | "дод" | "durchwahl" | "dw" | "x")
    {
        return 0;
    }
    let rest = text.trim_start_matches(char::is_alphabetic).trim_start_matches(['.', ':', ' ', '№']);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=6).contains(&digits) { text.len() - rest.len() + digits } else { 0 }
}

/// `16.11.2026 10.00`, `2026-11-16`.
fn is_date(stretch: &str) -> bool {
    let groups = stretch.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    let (years, others): (Vec<&str>, Vec<&str>) =
        groups.partition(|group| group.len() == 4 && (group.starts_with("19") || group.starts_with("20")));
    !stretch.contains(['+', '(']) && !years.is_empty() && others.iter().all(|group| group.len() <= 2)
}

/// What links to the company's own pages tell of where somebody came from. `everywhere`: the company has named no domains, so that
/// any page may be its.
pub(super) fn touch(text: &str, ours: &Ours, everywhere: bool) -> Touch {
    let mut touch = Touch::default();
    let mut rest = leadgate_core::text::cut(text, MOST_BYTES);
    for _ in 0..MOST_LINKS {
        let Some(at) = [rest.find("https://"), rest.find("http://")].into_iter().flatten().min() else { break };
        rest = &rest[at..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '»' | '|')).unwrap_or(rest.len());
        let link = rest[..end].trim_end_matches([')', ']', '.', ',', ';', '!', '*']).replace("&amp;", "&");
        rest = &rest[end..];
        if !(is_our_page(&link, ours) || everywhere && ours.domains.is_empty()) {
            continue;
        }
        let before = touch.values.len();
        touch.offer_url(&link, Origin::PageUrl);
        if touch.page.is_none() && touch.values.len() > before && link.len() <= 2000 {
            touch.page = Some(link);
        }
    }
    touch
}

fn is_our_page(link: &str, ours: &Ours) -> bool {
    let Some(host) = url::Url::parse(link).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase)) else { return false };
    ours.domains
        .iter()
        .any(|domain| host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let ours = Ours { phones: ["+74950000001".to_owned()].into(), ..Ours::default() };
        phones(text, Country::parse("RU"), &ours)
    }

    #[test]
    fn phones_in_text() {
        for (text, expected) in [
            ("Звоните +7 916 123-45-67 после 10", vec!["+7 916 123-45-67"]),
            ("тел.: 8 (495) 123-45-67 доб. 12, Анна", vec!["8 (495) 123-45-67 доб. 12"]),
            ("моб. +7 (916) 123-45-67 / +7 (916) 123-45-67", vec!["+7 (916) 123-45-67"]),
            ("ИНН 7701234567, р/с 40702810900000012345", vec![]),
            ("Договор 8916123 от 16.11.2026 10.00", vec![]),
            ("https://a.example/79161234567 a79161234567@b.example", vec![]),
            ("окно 1200 x 1400, 15 000 руб.", vec![]),
            ("наш номер +7 495 000-00-01", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let many = "+7 916 123-45-67\n+7 916 123-45-68\n+7 916 123-45-69\n+7 916 123-45-60\n";
        assert_eq!(found(many).len(), MOST_PHONES);
    }

    #[test]
    fn links_of_ours_tell() {
        let ours = Ours { domains: ["okna.example".to_owned()].into(), ..Ours::default() };
        let text = "See https://www.okna.example/offer?utm_source=ya&amp;utm_medium=cpc and https://other.example/?utm_source=signature.";
        let found = touch(text, &ours, true);
        assert_eq!((found.get("utm_source"), found.get("utm_medium")), (Some("ya"), Some("cpc")));
        assert_eq!(found.page.as_deref(), Some("https://www.okna.example/offer?utm_source=ya&utm_medium=cpc"));
        assert!(touch("https://notokna.example/?utm_source=x", &ours, true).is_empty());
        let unnamed = Ours::default();
        assert_eq!(touch("https://a.example/?utm_source=x", &unnamed, true).get("utm_source"), Some("x"));
        assert!(touch("https://a.example/?utm_source=x", &unnamed, false).is_empty());
    }
}
