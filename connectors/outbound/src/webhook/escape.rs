//! What makes somebody's text harmless where it is put.
//!
//! Slack: <https://docs.slack.dev/messaging/formatting-message-text>; Mattermost: <https://docs.mattermost.com> (formatting text).

use data_encoding::HEXUPPER;
use url::Url;

/// Ends a text that was cut.
const MORE: char = '…';
/// Stands behind an `@`, so that nobody is called. It has no width.
const APART: char = '\u{200b}';

/// The longest URL that becomes a link, as it is written in the end, and the longest text of one: a message of a chat has its bounds.
const LONGEST_URL: usize = 600;
const LONGEST_TEXT: usize = 200;

/// The first so many characters, as UTF-16 counts them (which no service counts longer).
pub(super) fn cut(text: &str, most: usize) -> String {
    bounded(text, most, |c, _before, out| out.push(c))
}

/// For Slack's `mrkdwn`: nobody is called, nothing becomes a link.
pub(super) fn slack(text: &str, most: usize) -> String {
    bounded(text, most, |c, _before, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c if is_control(c) => {}
        c => out.push(c),
    })
}

/// For Markdown, as Mattermost reads it: nothing is formatted, nobody is called, nothing becomes a link with another name.
pub(super) fn markdown(text: &str, most: usize) -> String {
    bounded(text, most, |c, before, out| match c {
        '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '!' | '<' | '>' | '~' | '|' => {
            out.push('\\');
            out.push(c);
        }
        // An e-mail's calls nobody, and is copied as it is.
        '@' if !before.is_some_and(char::is_alphanumeric) => {
            out.push(c);
            out.push(APART);
        }
        c if is_control(c) => {}
        c => out.push(c),
    })
}

/// `<url|text>`; the text alone, if that is nowhere to go, or too far.
pub(super) fn slack_link(url: &str, text: &str) -> String {
    let text = slack(text, LONGEST_TEXT);
    match target(url).map(|url| slack(&url, usize::MAX)).filter(|url| url.len() <= LONGEST_URL) {
        Some(url) => format!("<{url}|{}>", text.replace('|', "¦")),
        None => text,
    }
}

/// `[text](url)`; the text alone, if that is nowhere to go, or too far.
pub(super) fn markdown_link(url: &str, text: &str) -> String {
    let text = markdown(&text.replace(['\n', '\r'], " "), LONGEST_TEXT);
    match target(url).filter(|url| url.len() <= LONGEST_URL) {
        Some(url) => format!("[{text}]({url})"),
        None => text,
    }
}

/// `tel:` and a canonical phone; nothing, if it is none.
pub(super) fn tel(phone: &str) -> String {
    let (number, extension) = phone.split_once(";ext=").unwrap_or((phone, ""));
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (plus, number, extension) = (if number.starts_with('+') { "+" } else { "" }, digits(number), digits(extension));
    match (number.is_empty(), extension.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("tel:{plus}{number}"),
        (false, false) => format!("tel:{plus}{number};ext={extension}"),
    }
}

/// `mailto:` and an address; nothing, if it is none.
pub(super) fn mailto(address: &str) -> String {
    if !address.contains('@') {
        return String::new();
    }
    let mut out = "mailto:".to_owned();
    for byte in address.bytes() {
        if byte == b'@' && calls(&out) {
            percent(byte, &mut out);
        } else if byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte) {
            out.push(byte.into());
        } else {
            percent(byte, &mut out);
        }
    }
    out
}

/// A URL that leads somewhere, with nothing in it that ends it early.
fn target(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "mailto" | "tel"))?;
    let mut out = String::new();
    for c in url.as_str().chars() {
        match u8::try_from(c) {
            Ok(b'@') if calls(&out) => percent(b'@', &mut out),
            Ok(byte) if b" \"<>|()[]\\`*".contains(&byte) => percent(byte, &mut out),
            _ => out.push(c),
        }
    }
    Some(out)
}

/// Whether an `@` behind this would begin a call rather than stand within an address.
fn calls(before: &str) -> bool {
    !before.chars().next_back().is_some_and(char::is_alphanumeric)
}

fn percent(byte: u8, out: &mut String) {
    out.push('%');
    out.push_str(&HEXUPPER.encode(&[byte]));
}

/// What is not seen, and what turns the direction of writing.
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes characters until the next one, as it is written, would be too many.
fn bounded(text: &str, most: usize, write: impl Fn(char, Option<char>, &mut String)) -> String {
    let (mut out, mut room, mut before) = (String::with_capacity(text.len()), most, None);
    let mut piece = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        piece.clear();
        write(c, before, &mut piece);
        let long = piece.encode_utf16().count();
        let reserved = usize::from(rest.peek().is_some());
        if long + reserved > room {
            if room > 0 {
                out.push(MORE);
            }
            break;
        }
        room -= long;
        out.push_str(&piece);
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_and_nothing_is_formatted() {
        assert_eq!(slack("<!channel> & <http://x|y>\u{7}\u{202e}", 1000), "&lt;!channel&gt; &amp; &lt;http://x|y&gt;");
        assert_eq!(
            markdown("**[x](http://y)** @all a@b.c .@here", 1000),
            "\\*\\*\\[x\\]\\(http://y\\)\\*\\* @\u{200b}all a@b.c .@\u{200b}here"
        );
    }

    #[test]
    fn links_lead_where_they_say() {
        assert_eq!(
            slack_link("https://x.example/a|b>c?d=1&e=<", "a|<b>"),
            "<https://x.example/a%7Cb%3Ec?d=1&amp;e=%3C|a¦&lt;b&gt;>"
        );
        assert_eq!(markdown_link("https://x.example/a)b", "[a]\n(b)"), "[\\[a\\] \\(b\\)](https://x.example/a%29b)");
        for nowhere in ["javascript:alert(1)", "", "x", "data:text/html,x", "//x"] {
            assert_eq!((&*slack_link(nowhere, "a"), &*markdown_link(nowhere, "a")), ("a", "a"), "{nowhere}");
        }
        assert_eq!(tel("+79161234567;ext=12"), "tel:+79161234567;ext=12");
        assert_eq!((tel("х|>"), mailto("nobody")), (String::new(), String::new()));
        assert_eq!(mailto("a b|>+c@x.example"), "mailto:a%20b%7C%3E+c@x.example");
        assert_eq!(mailto(".@here"), "mailto:.%40here");
        assert_eq!(markdown_link("https://x.example/@all", ""), "[](https://x.example/%40all)");
    }

    #[test]
    fn what_is_cut_is_cut_between_characters() {
        assert_eq!(cut("Анна", 4), "Анна");
        assert_eq!(cut("Анна", 3), "Ан…");
        assert_eq!(cut("a🙂", 2), "a…");
        assert_eq!(cut("a", 0), "");
        assert_eq!(slack("&&", 9), "&amp;…");
        assert_eq!(slack("&&", 10), "&amp;&amp;");
        assert_eq!(slack("&", 3), "…");
    }
}
