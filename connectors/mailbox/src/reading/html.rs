//! The text of an HTML mail with what it quotes marked: as a plain text would show it, each quoted line after a `>`.
//!
//! A mail's HTML is whatever its sender made of it, so this reads tags and nothing of a document's grammar, in one pass.

use std::collections::HashMap;

use super::lines::is_blank;
use super::quote::is_forward_marker;

/// How far a tag's end is looked for with its quoted attributes in mind, bytes.
const TAG: usize = 1024;
/// Elements that are open at once; deeper ones are not followed.
const DEPTH: usize = 2_000;

/// Elements whose content nobody sees.
const HIDDEN: &[&str] = &["style", "script", "head", "title", "template", "noscript"];
/// Elements that may hold a quote, so that their ends are waited for.
const HOLDERS: &[&str] = &["div", "blockquote", "span", "table", "td", "p", "section"];
/// Elements that begin a line of their own.
const BLOCKS: &[&str] = &[
    "div",
    "blockquote",
    "table",
    "tr",
    "p",
    "ul",
    "ol",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "section",
    "article",
    "header",
    "footer",
    "pre",
    "center",
    "dl",
    "dt",
    "dd",
    "form",
    "address",
    "body",
];
/// Classes that mail programs give to what is quoted and to the line above it.
const QUOTE_CLASSES: &[&str] = &[
    "gmail_quote",
    "gmail_quote_container",
    "gmail_attr",
    "yahoo_quoted",
    "protonmail_quote",
    "tutanota_quote",
    "zmail_extra",
    "moz-cite-prefix",
    "ms-outlook-mobile-reference-message",
    "mailru-blockquote",
    "yandex_quote",
    "wiseStamp_quote",
];
/// Ids of elements in which a quote stands.
const QUOTE_IDS: &[&str] = &["olk_src_body_section", "mail-editor-reference-message-container"];
/// Ids of elements after which all is quoted.
const REST_IDS: &[&str] = &["divrplyfwdmsg", "appendonsend", "stopspelling"];

/// The text of a mail's HTML, quotes marked with `>`.
pub(super) fn text(markup: &str) -> String {
    let mut reader = Reader { markup, at: 0, no_more_tags: false, page: Page::default() };
    reader.run();
    reader.page.finish()
}

/// Lines, each with whether it is quoted.
#[derive(Default)]
struct Page {
    lines: Vec<(bool, String)>,
    line: String,
    /// Open elements, and whether each of them is a quote.
    open: Vec<(&'static str, bool)>,
    /// How many are open of each name.
    names: HashMap<&'static str, usize>,
    quotes: usize,
    /// From here on all is quoted.
    rest: bool,
    pre: usize,
}

impl Page {
    fn quoted(&self) -> bool {
        self.rest || self.quotes > 0
    }

    fn end_line(&mut self) {
        if !self.line.trim().is_empty() {
            self.break_line();
        }
    }

    fn break_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.lines.push((self.quoted(), line.trim_end().to_owned()));
    }

    fn write(&mut self, text: &str) {
        for c in text.chars() {
            let blank = c.is_ascii_whitespace();
            if c == '\n' && self.pre > 0 {
                self.break_line();
            } else if !blank {
                self.line.push(c);
            } else if !self.line.is_empty() && !self.line.ends_with([' ', '\t']) {
                self.line.push(' ');
            }
        }
    }

    fn open(&mut self, name: &'static str, quote: bool) {
        if self.open.len() >= DEPTH {
            return;
        }
        if quote {
            self.end_line();
            self.quotes += 1;
        }
        self.open.push((name, quote));
        *self.names.entry(name).or_default() += 1;
    }

    fn close(&mut self, name: &str) {
        if self.names.get(name).is_none_or(|count| *count == 0) {
            return;
        }
        while let Some((open, quote)) = self.open.pop() {
            if let Some(count) = self.names.get_mut(open) {
                *count -= 1;
            }
            if quote {
                self.end_line();
                self.quotes -= 1;
            }
            if open == name {
                break;
            }
        }
    }

    fn finish(mut self) -> String {
        self.end_line();
        let mut out = String::new();
        for run in self.lines.chunk_by(|(one, _), (other, _)| one == other) {
            // What a person forwarded stands in the same element as what another quoted.
            let forwarded = run.iter().find(|(_, line)| !is_blank(line)).is_some_and(|(_, line)| is_forward_marker(line));
            for (quoted, line) in run {
                out.push_str(if *quoted && !forwarded { "> " } else { "" });
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }
}

struct Reader<'a> {
    markup: &'a str,
    at: usize,
    no_more_tags: bool,
    page: Page,
}

impl Reader<'_> {
    fn run(&mut self) {
        while self.at < self.markup.len() {
            let rest = &self.markup[self.at..];
            match rest.as_bytes()[0] {
                b'<' if rest.starts_with("<!--") => self.skip_past(4, "-->"),
                b'<' if !self.no_more_tags
                    && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) =>
                {
                    self.tag();
                }
                b'&' => {
                    let (decoded, length) = entity(rest);
                    self.page.write(decoded.encode_utf8(&mut [0; 4]));
                    self.at += length;
                }
                _ => {
                    let first = rest.chars().next().map_or(1, char::len_utf8);
                    let end = rest[first..].find(['<', '&']).map_or(rest.len(), |end| first + end);
                    self.page.write(&rest[..end]);
                    self.at += end;
                }
            }
        }
    }

    /// Goes on behind a text; to the end if it does not come.
    fn skip_past(&mut self, from: usize, text: &str) {
        let start = self.at + from;
        self.at = self.markup[start..].find(text).map_or(self.markup.len(), |found| start + found + text.len());
    }

    fn tag(&mut self) {
        let rest = &self.markup[self.at..];
        let Some(end) = tag_end(rest) else {
            self.no_more_tags = true;
            return;
        };
        let inner = &rest[1..end];
        self.at += end + 1;
        let (closing, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
        let length = inner.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = inner[..length.min(16)].to_ascii_lowercase();
        let attributes = &inner[length..];
        if let Some(hidden) = HIDDEN.iter().find(|hidden| **hidden == name) {
            if !closing && !attributes.ends_with('/') {
                self.hide(hidden);
            }
            return;
        }
        self.element(&name, closing, attributes);
    }

    /// Skips the content of an element nobody sees.
    fn hide(&mut self, name: &str) {
        let rest = &self.markup.as_bytes()[self.at..];
        let is_end = |window: &[u8]| window.starts_with(b"</") && window[2..].eq_ignore_ascii_case(name.as_bytes());
        self.at += rest.windows(name.len() + 2).position(is_end).unwrap_or(rest.len());
    }

    fn element(&mut self, name: &str, closing: bool, attributes: &str) {
        let page = &mut self.page;
        if BLOCKS.contains(&name) {
            page.end_line();
        }
        match (name, closing) {
            ("br", _) | ("p" | "h1" | "h2" | "h3", true) => page.break_line(),
            ("td" | "th", false) if !page.line.trim().is_empty() => page.line.push('\t'),
            ("li", false) => page.line.push_str("- "),
            ("pre", false) => page.pre += 1,
            ("pre", true) => page.pre = page.pre.saturating_sub(1),
            _ => {}
        }
        if closing {
            page.close(name);
            return;
        }
        let meaning = if name == "hr" || HOLDERS.contains(&name) { meaning(name, attributes) } else { Meaning::None };
        if meaning == Meaning::Rest && !page.rest {
            page.end_line();
            page.rest = true;
        }
        if let Some(holder) = HOLDERS.iter().find(|holder| **holder == name)
            && !attributes.ends_with('/')
        {
            page.open(holder, meaning == Meaning::Quote);
        }
    }
}

/// Where a tag ends: at a `>` that is in no quoted attribute, or at the next one if that would be far away.
fn tag_end(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.bytes().enumerate().take(TAG) {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    rest.find('>')
}

/// What an element says of its content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    None,
    Quote,
    Rest,
}

fn meaning(name: &str, attributes: &str) -> Meaning {
    let attributes = leadgate_core::text::cut(attributes, TAG).to_ascii_lowercase();
    let id = attribute(&attributes, "id");
    // Outlook on the web marks what it takes over from another mail.
    let id = id.strip_prefix("x_").unwrap_or(id);
    let style = attribute(&attributes, "style");
    // The line Outlook draws above the headers of a mail that is answered.
    let drawn = style.contains("border-top:solid #b5c4df") || style.contains("border-top:solid #e1e1e1");
    if REST_IDS.contains(&id) || drawn {
        return Meaning::Rest;
    }
    let classed = attribute(&attributes, "class").split_ascii_whitespace().any(|class| {
        let class = class.strip_prefix("x_").or_else(|| class.strip_prefix("ecx")).unwrap_or(class);
        QUOTE_CLASSES.contains(&class)
    });
    // Indented text is a blockquote without a border.
    let indented = style.contains("border:none") || style.contains("border: none");
    let marked = attribute(&attributes, "data-marker") == "__quoted_text__";
    let quoted = classed || marked || QUOTE_IDS.contains(&id) || name == "blockquote" && !indented;
    if quoted { Meaning::Quote } else { Meaning::None }
}

/// An attribute's value; empty if there is none.
fn attribute<'a>(attributes: &'a str, name: &str) -> &'a str {
    let mut rest = attributes;
    while let Some(at) = rest.find(name) {
        let starts = rest[..at].is_empty() || rest[..at].ends_with(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\''));
        rest = &rest[at + name.len()..];
        let Some(value) = rest.trim_start().strip_prefix('=').filter(|_| starts) else { continue };
        let value = value.trim_start();
        return match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
            _ => value.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default(),
        };
    }
    ""
}

/// A character reference at the beginning of a text: the character, and how long it is.
fn entity(text: &str) -> (char, usize) {
    let end = text.as_bytes().iter().take(12).position(|byte| *byte == b';');
    let Some(end) = end else { return ('&', 1) };
    let name = &text[1..end];
    let number = name.strip_prefix('#').map(|number| match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    });
    let decoded = match (number, name) {
        (Some(number), _) => number.ok().and_then(char::from_u32).filter(|c| *c != '\0'),
        (None, "nbsp") => Some('\u{a0}'),
        (None, "amp") => Some('&'),
        (None, "lt") => Some('<'),
        (None, "gt") => Some('>'),
        (None, "quot" | "ldquo" | "rdquo") => Some('"'),
        (None, "apos" | "rsquo" | "lsquo") => Some('\''),
        (None, "laquo") => Some('«'),
        (None, "raquo") => Some('»'),
        (None, "ndash") => Some('\u{2013}'),
        (None, "mdash") => Some('\u{2014}'),
        (None, "hellip") => Some('…'),
        (None, "copy") => Some('©'),
        (None, "reg") => Some('®'),
        (None, "euro") => Some('€'),
        (None, "middot") => Some('·'),
        (None, "bull") => Some('•'),
        (None, "zwnj") => Some('\u{200c}'),
        (None, "shy") => Some('\u{ad}'),
        (None, _) => latin(name),
    };
    decoded.map_or(('&', 1), |c| (c, end + 1))
}

/// Letters with marks, as HTML names them: `eacute`, `Uuml`.
fn latin(name: &str) -> Option<char> {
    const NAMES: &[(&str, char)] = &[
        ("agrave", 'à'),
        ("aacute", 'á'),
        ("acirc", 'â'),
        ("auml", 'ä'),
        ("aring", 'å'),
        ("aelig", 'æ'),
        ("ccedil", 'ç'),
        ("egrave", 'è'),
        ("eacute", 'é'),
        ("ecirc", 'ê'),
        ("euml", 'ë'),
        ("iacute", 'í'),
        ("icirc", 'î'),
        ("ntilde", 'ñ'),
        ("oacute", 'ó'),
        ("ocirc", 'ô'),
        ("ouml", 'ö'),
        ("szlig", 'ß'),
        ("uacute", 'ú'),
        ("ugrave", 'ù'),
        ("uuml", 'ü'),
        ("Agrave", 'À'),
        ("Auml", 'Ä'),
        ("Eacute", 'É'),
        ("Ouml", 'Ö'),
        ("Uuml", 'Ü'),
        ("Ntilde", 'Ñ'),
    ];
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c)
}
