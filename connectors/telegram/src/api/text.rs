//! Texts as Telegram shows them: its own HTML, and at most 4,096 characters in one message.

use std::borrow::Cow;

use leadgate_core::text;

/// Characters of a message after its HTML is read (<https://core.telegram.org/bots/api#sendmessage>), in units of UTF-16, by which the service
/// counts.
pub const MESSAGE: usize = 4_096;

/// A text as data in HTML (<https://core.telegram.org/bots/api#html-style>): without control characters and marks that turn the direction of
/// writing. Everything that is not our own words goes through here.
pub fn escape(typed: &str) -> String {
    let unified: Cow<'_, str> =
        if typed.contains('\r') { Cow::Owned(typed.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(typed) };
    let printable = text::printable(&unified, false);
    let mut out = String::with_capacity(printable.len());
    for c in printable.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// [`escape`], of one line of at most so many characters.
pub fn line(typed: &str, most: usize) -> String {
    let printable = text::printable(text::cut(typed, most.saturating_mul(8)), true);
    let words: Vec<&str> = printable.split_whitespace().collect();
    escape(&shortened(&words.join(" "), most))
}

/// [`escape`], of at most so many characters; the line breaks stay.
pub fn block(typed: &str, most: usize) -> String {
    escape(&shortened(typed.trim(), most))
}

fn shortened(typed: &str, most: usize) -> String {
    match typed.char_indices().nth(most) {
        None => typed.to_owned(),
        Some(_) => typed.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Units of UTF-16.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Plain text as HTML messages: split where lines end, else where words do, else anywhere between characters. Nothing is lost but the space at
/// which it is split. A text of nothing but space is no message.
pub fn messages(typed: &str) -> Vec<String> {
    let unified = typed.replace("\r\n", "\n").replace('\r', "\n");
    let printable = text::printable(&unified, false);
    let mut rest = printable.trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let end = first_part(rest);
        let (part, after) = rest.split_at(end);
        if !part.trim().is_empty() {
            out.push(escape(part.trim_end()));
        }
        rest = after.trim_start();
    }
    out
}

/// Bytes of the first message of a text.
fn first_part(text: &str) -> usize {
    let (mut count, mut fits) = (0, text.len());
    for (at, c) in text.char_indices() {
        count += c.len_utf16();
        if count > MESSAGE {
            fits = at;
            break;
        }
    }
    if fits == text.len() {
        return fits;
    }
    let within = &text[..fits];
    // A border so early that most of the message would be empty is none.
    let good = |at: &usize| *at > fits / 4;
    let line_end = within.rfind('\n').filter(good);
    line_end.or_else(|| within.rfind(char::is_whitespace).filter(good)).unwrap_or(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_typed_is_data() {
        assert_eq!(escape("<b>&\"x\u{202e}y\u{0}\u{7}"), "&lt;b&gt;&amp;&quot;xy");
        assert_eq!(escape("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(line(" a\n<b>  c ", 100), "a &lt;b&gt; c");
        assert_eq!(line("абвгд", 3), "аб…");
        assert_eq!(block("a\nb", 100), "a\nb");
    }

    #[test]
    fn long_texts_are_split_at_lines_then_words() {
        let lines = format!("{}\n{}", "a".repeat(3_000), "b".repeat(3_000));
        assert_eq!(messages(&lines), ["a".repeat(3_000), "b".repeat(3_000)]);
        let words = "word ".repeat(1_500);
        let parts = messages(&words);
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.starts_with("word") && part.ends_with("word")));
        let solid = messages(&"😀".repeat(4_000));
        assert_eq!(solid.iter().map(|part| units(part)).collect::<Vec<_>>(), [4_096, 3_904]);
        assert_eq!(messages(" \n "), Vec::<String>::new());
        assert_eq!(messages("short"), ["short"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_fits(typed in "(?s)[ -~\n😀а<&]{0,9000}") {
            let parts = messages(&typed);
            let plain = |html: &str| html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            for part in &parts {
                prop_assert!(units(&plain(part)) <= MESSAGE && !part.is_empty());
            }
            let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(solid(&parts.iter().map(|part| plain(part)).collect::<String>()), solid(&typed));
        }
    }
}
