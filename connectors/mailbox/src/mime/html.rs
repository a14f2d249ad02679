//! HTML to the text people read in it: rows of tables are lines, their cells divided by a tab, quotes marked with `> `.
//!
//! One pass over the tags, no tree: nothing that is nested, repeated or left open costs more than its length. A tree is built by
//! rules for browsers, which cost the square of the number of attributes; a mail needs none of them.

use std::borrow::Cow;

use mail_parser::decoders::html::add_html_token;

use super::page::Page;

/// More HTML than this is not read.
pub(super) const LONGEST: usize = 2 * 1024 * 1024;
/// A longer name is no tag of HTML.
const LONGEST_NAME: usize = 16;

/// A tag.
struct Tag<'h> {
    /// Lower case; empty if it is too long to be one that matters.
    name: String,
    closing: bool,
    empty: bool,
    attributes: &'h str,
}

/// The text of a page, at most `most` bytes.
pub(super) fn text(html: &str, most: usize) -> String {
    let html = &html[..html.floor_char_boundary(LONGEST)];
    let mut reader = Reader::new(most, true);
    reader.read(html);
    if reader.hidden.is_some() {
        // What hides the rest is never closed: then it hides nothing.
        reader = Reader::new(most, false);
        reader.read(html);
    }
    reader.page.finish()
}

/// The Content-IDs a page names (`cid:..`), as they stand there.
pub(super) fn named_parts(html: &str) -> Vec<String> {
    let html = &html.as_bytes()[..html.len().min(LONGEST)];
    let mut named = Vec::new();
    for at in memchr::memmem::find_iter(html, b"cid:").take(1_000) {
        let rest = &html[at + 4..];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b')' | b'>' | b'<' | b'&' | b']');
        let end = rest.iter().take(998).position(ends).unwrap_or(rest.len().min(998));
        named.push(String::from_utf8_lossy(&rest[..end]).into_owned());
    }
    named
}

/// The charset a page says it is in, if it does at its beginning.
pub(super) fn declared_charset(html: &[u8]) -> Option<String> {
    let start = html[..html.len().min(2_048)].to_ascii_lowercase();
    let at = memchr::memmem::find(&start, b"charset=")? + 8;
    let label: Vec<u8> = start[at..]
        .iter()
        .copied()
        .skip_while(|byte| matches!(byte, b'"' | b'\''))
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        .collect();
    String::from_utf8(label).ok().filter(|label| !label.is_empty())
}

struct Reader {
    page: Page,
    /// Whether hidden elements are left out.
    hides: bool,
    /// The element that hides what is read now, and how many of its name are open.
    hidden: Option<(String, usize)>,
    /// The link that is open: its address, and where its text begins.
    link: Option<(String, usize)>,
    preformatted: usize,
    /// The numbers of the ordered lists that are open; `None` for the others.
    lists: Vec<Option<u32>>,
}

impl Reader {
    fn new(most: usize, hides: bool) -> Self {
        Self { page: Page::new(most), hides, hidden: None, link: None, preformatted: 0, lists: Vec::new() }
    }

    fn read(&mut self, html: &str) {
        let mut rest = html;
        while !rest.is_empty() && !self.page.is_full() {
            let at = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
            self.letters(&rest[..at]);
            rest = &rest[at..];
            if rest.is_empty() {
                break;
            }
            rest = match markup(rest) {
                Markup::Nothing(after) => after,
                Markup::Letters(length) => {
                    self.letters(&rest[..length]);
                    &rest[length..]
                }
                Markup::Tag(tag, after) => self.tag(&tag, after),
            };
        }
        self.end_link();
    }

    fn letters(&mut self, raw: &str) {
        if self.hidden.is_none() && !raw.is_empty() {
            self.page.write(&unescaped(raw), self.preformatted > 0);
        }
    }

    /// Takes a tag; gives what follows it, or what follows the text it makes unreadable.
    fn tag<'h>(&mut self, tag: &Tag<'_>, after: &'h str) -> &'h str {
        if let ("style" | "script" | "title" | "template" | "svg" | "noframes" | "xml", false) =
            (tag.name.as_str(), tag.closing || tag.empty)
        {
            return after_closing(after, &tag.name);
        }
        if self.is_hidden(tag) {
            return after;
        }
        if tag.closing {
            self.close(&tag.name);
        } else {
            self.open(tag);
        }
        after
    }

    /// Keeps count of what is open within a hidden element, and begins one.
    fn is_hidden(&mut self, tag: &Tag<'_>) -> bool {
        if let Some((name, depth)) = &mut self.hidden {
            if *name == tag.name {
                if tag.closing {
                    *depth -= 1;
                } else if !tag.empty {
                    *depth += 1;
                }
                if *depth == 0 {
                    self.hidden = None;
                }
            }
            return true;
        }
        if !self.hides || tag.closing || tag.attributes.is_empty() || !is_hiding(tag.attributes) {
            return false;
        }
        let is_void = matches!(tag.name.as_str(), "img" | "br" | "hr" | "input" | "meta" | "link" | "col" | "area" | "wbr" | "");
        if !is_void && !tag.empty {
            self.hidden = Some((tag.name.clone(), 1));
        }
        true
    }

    fn open(&mut self, tag: &Tag<'_>) {
        match tag.name.as_str() {
            "br" => self.page.line_break(),
            "p" => self.page.block(if is_tight(tag.attributes) { 1 } else { 2 }),
            "hr" => self.page.rule(),
            "table" => self.page.open_table(),
            "tr" => self.page.row(),
            "td" | "th" => self.page.cell(),
            "blockquote" => self.page.quote(true),
            "pre" | "listing" | "xmp" => {
                self.page.block(1);
                self.preformatted += 1;
            }
            "ul" | "ol" => {
                self.page.block(1);
                if self.lists.len() < 32 {
                    self.lists.push((tag.name == "ol").then_some(0));
                }
            }
            "li" => self.item(),
            "a" => self.begin_link(tag),
            "img" => self.image(tag),
            name if is_block(name) => self.page.block(1),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => self.page.block(1),
            "br" => self.page.line_break(),
            "table" => self.page.close_table(),
            "tr" => self.page.row(),
            "blockquote" => self.page.quote(false),
            "pre" | "listing" | "xmp" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.page.block(1);
            }
            "ul" | "ol" => {
                self.lists.pop();
                self.page.block(1);
            }
            "a" => self.end_link(),
            name if is_block(name) || name == "li" => self.page.block(1),
            _ => {}
        }
    }

    fn item(&mut self) {
        self.page.block(1);
        match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                let mark = format!("{number}. ");
                self.page.mark(&mark);
            }
            _ => self.page.mark("- "),
        }
    }

    fn begin_link(&mut self, tag: &Tag<'_>) {
        self.end_link();
        if let Some(url) = attribute(tag.attributes, "href") {
            self.link = Some((url, self.page.len()));
        }
    }

    /// The address of a link stands behind its text, where it tells more than the text.
    fn end_link(&mut self) {
        let Some((url, start)) = self.link.take() else { return };
        let url = url.trim();
        let text = self.page.since(start).trim();
        let target = url.strip_prefix("mailto:").or_else(|| url.strip_prefix("tel:"));
        let is_told = match target {
            Some(target) => text.contains(target.split('?').next().unwrap_or_default()) || same_digits(text, target),
            None => bare(url) == bare(text),
        };
        let is_address = target.is_some() || url.starts_with("http://") || url.starts_with("https://");
        if is_address && !text.is_empty() && !is_told && url.len() <= 2_000 {
            let behind = format!(" ({})", target.unwrap_or(url));
            self.page.append(&behind);
        }
    }

    fn image(&mut self, tag: &Tag<'_>) {
        // Only within a link: there it may be all there is to read.
        if self.link.is_some()
            && let Some(alt) = attribute(tag.attributes, "alt")
        {
            self.page.write(&alt, false);
        }
    }
}

/// What a `<` begins.
enum Markup<'h> {
    /// A comment, a declaration; what follows it.
    Nothing(&'h str),
    /// No markup at all: so many bytes of text.
    Letters(usize),
    Tag(Tag<'h>, &'h str),
}

fn markup(rest: &str) -> Markup<'_> {
    let inner = &rest[1..];
    if let Some(comment) = inner.strip_prefix("!--") {
        // `<!-->` is a comment, too.
        if let Some(after) = comment.strip_prefix('>') {
            return Markup::Nothing(after);
        }
        return Markup::Nothing(after_of(comment, "-->"));
    }
    if inner.starts_with(['!', '?']) {
        return Markup::Nothing(after_of(inner, ">"));
    }
    let (closing, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    if !inner.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return Markup::Letters(1);
    }
    let length =
        inner.find(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/' | '<' | '"' | '=')).unwrap_or(inner.len());
    let name = &inner[..length];
    // `<ivan@example.com>` and `<https://...>` written without escaping.
    if name.contains('@') || (name.ends_with(':') && inner[length..].starts_with("//")) {
        let near = &rest[..rest.floor_char_boundary(400)];
        return Markup::Letters(near.find('>').map_or(near.len(), |end| end + 1));
    }
    let end = tag_end(&inner[length..]).map_or(inner.len(), |end| length + end);
    let attributes = inner[length..end].trim();
    let name = if length <= LONGEST_NAME { name.to_ascii_lowercase() } else { String::new() };
    let tag = Tag { name, closing, empty: attributes.ends_with('/'), attributes };
    Markup::Tag(tag, inner.get(end + 1..).unwrap_or_default())
}

/// Where the `>` of a tag stands: not within quotes, unless a quote is never closed.
fn tag_end(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b'>', b'"', b'\'', bytes.get(at..)?) {
        at += found;
        if bytes[at] == b'>' {
            return Some(at);
        }
        // Quotes count only as those of a value.
        let is_value = raw[..at].trim_end().ends_with('=');
        match memchr::memchr(bytes[at], &bytes[at + 1..]) {
            Some(close) if is_value => at += close + 2,
            _ => at += 1,
        }
    }
    None
}

fn after_of<'h>(text: &'h str, end: &str) -> &'h str {
    memchr::memmem::find(text.as_bytes(), end.as_bytes()).map_or("", |at| &text[at + end.len()..])
}

/// What follows the closing tag of an element whose content is no text. Never closed, it takes all of the rest, but not a title: that
/// is short.
fn after_closing<'h>(after: &'h str, name: &str) -> &'h str {
    let bytes = if name == "title" { &after.as_bytes()[..after.len().min(2_048)] } else { after.as_bytes() };
    for at in memchr::memmem::find_iter(bytes, b"</") {
        let found = bytes.get(at + 2..at + 2 + name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return after_of(&after[at..], ">");
        }
    }
    if name == "title" { after } else { "" }
}

/// An attribute's value, entities resolved.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '/');
        if rest.is_empty() {
            return None;
        }
        let length = rest.find(|letter: char| letter.is_whitespace() || letter == '=').unwrap_or(rest.len());
        let found = &rest[..length];
        rest = rest[length..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|letter| matches!(letter, '"' | '\''));
            (value, rest) = match quote {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
        }
        if found.eq_ignore_ascii_case(name) {
            return Some(unescaped(value).into_owned());
        }
    }
}

/// Whether an element is not to be seen: the lines that mail programs show in their lists and nowhere else, filled up with blanks.
fn is_hiding(attributes: &str) -> bool {
    let lower = attributes.to_ascii_lowercase();
    if !["style", "hidden"].iter().any(|word| lower.contains(word)) {
        return false;
    }
    if lower.split_whitespace().any(|word| word == "hidden" || word.starts_with("hidden=")) {
        return true;
    }
    let Some(style) = attribute(&lower, "style") else { return false };
    let style: String = style.chars().filter(|letter| !letter.is_whitespace()).collect();
    let none = |property: &str| {
        let declared = style.split(';').rfind(|one| one.starts_with(property)).and_then(|one| one.strip_prefix(property));
        declared.is_some_and(|value| {
            value.starts_with('0')
                && value[1..].trim_start_matches(['.', '0']).trim_start_matches("px").trim_start_matches("!important").is_empty()
        })
    };
    style.contains("display:none") || style.contains("visibility:hidden") || none("max-height:") || none("opacity:")
}

/// A paragraph without space around it: Word writes every line as one.
fn is_tight(attributes: &str) -> bool {
    let lower = attributes.to_ascii_lowercase();
    lower.contains("msonormal") || lower.contains("msolistparagraph") || lower.contains("margin:0") || lower.contains("margin: 0")
}

fn is_block(name: &str) -> bool {
    let blocks = [
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "dl",
        "dt",
        "dd",
        "address",
        "center",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "nav",
        "aside",
        "fieldset",
        "form",
        "figure",
        "figcaption",
        "legend",
        "caption",
        "option",
        "body",
        "thead",
        "tbody",
        "tfoot",
    ];
    blocks.contains(&name)
}

/// An address without what people leave out when they write it.
fn bare(url: &str) -> &str {
    let url = url.trim().trim_end_matches('/');
    let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    url.strip_prefix("www.").unwrap_or(url)
}

fn same_digits(text: &str, number: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let wanted = digits(number);
    wanted.len() > 4 && digits(text) == wanted
}

/// Text with its entities resolved.
fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('&') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let inner = &rest.as_bytes()[1..];
        let length = inner.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
        let closed = inner.get(length) == Some(&b';');
        let name = &rest[1..=length];
        if let Some(number) = name.strip_prefix('#') {
            if let Some(letter) = numbered(number) {
                text.push(letter);
                rest = &rest[1 + length + usize::from(closed)..];
                continue;
            }
        } else if closed && length > 0 {
            add_html_token(&mut text, &rest.as_bytes()[..length + 2], false);
            rest = &rest[length + 2..];
            continue;
        } else if let Some((name, letter)) = [("nbsp", ' '), ("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"')]
            .into_iter()
            .find(|(known, _)| name.starts_with(known))
            && !closed
        {
            text.push(letter);
            rest = &rest[1 + name.len()..];
            continue;
        }
        text.push('&');
        rest = &rest[1..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// A letter by its number. Those of the second control block are meant as of windows-1252, as every browser reads them.
fn numbered(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    match u8::try_from(code) {
        Ok(byte @ 0x80..=0x9f) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next(),
        _ => char::from_u32(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> String {
        text(html, 1_000_000)
    }

    #[test]
    fn cells_are_kept_apart() {
        let table =
            "<table><tr><th>Имя</th><td>Иван</td></tr>\n<tr>\n <td><b>Телефон</b>:</td>\n <td>+7 916 123-45-67</td></tr></table>";
        assert_eq!(read(table), "Имя\tИван\nТелефон:\t+7 916 123-45-67");
        // As Word writes it, with cells never closed, with empty ones between.
        let word = "<table><tr><td><p class=MsoNormal>Name</p></td><td><p class=MsoNormal>Ann<o:p></o:p></p></td></tr></table>";
        assert_eq!(read(word), "Name\tAnn");
        assert_eq!(read("<table><tr><td>Name<td>Ann<tr><td>Phone<td>1"), "Name\tAnn\nPhone\t1");
        assert_eq!(
            read("<tr><td>&nbsp;</td><td>Name</td><td>&nbsp;</td><td>Ann</td><td></td></tr><tr><td>x</td></tr>"),
            "Name\tAnn\nx"
        );
        assert_eq!(read("<table><tr><td>Comment</td><td>one<br>two</td></tr></table>after"), "Comment\tone\ntwo\nafter");
        // A table for the layout around one for the data.
        let nested = "<table><tr><td>Logo<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td><table><tr><td>d</td></tr></table></td></tr>\
                      </table></td><td>right</td></tr></table>";
        assert_eq!(read(nested), "Logo\na\tb\nc\td\nright");
    }

    #[test]
    fn lines_are_where_people_see_them() {
        assert_eq!(read("one<br>two<br/>\n<br>three"), "one\ntwo\n\nthree");
        assert_eq!(read("<div>one</div><div><br></div><div>two</div>"), "one\n\ntwo");
        assert_eq!(read("<p>one</p>\n<p>two   and\n more</p>"), "one\n\ntwo and more");
        assert_eq!(read("<p class=\"MsoNormal\">one</p><p class=\"MsoNormal\">two</p>"), "one\ntwo");
        assert_eq!(read("<ul><li>a<li>b</ul><ol><li>c</li><li>d</li></ol>e"), "- a\n- b\n1. c\n2. d\ne");
        assert_eq!(read("a<hr>b"), "a\n---\nb");
        assert_eq!(read("<pre>a\n  b\r\n\nc</pre>d"), "a\n  b\n\nc\nd");
        assert_eq!(read("<b>a</b> <i>b</i>c"), "a bc");
        assert_eq!(read("a&nbsp;&nbsp; b"), "a b");
    }

    #[test]
    fn quotes_are_marked() {
        let quoted = "Yes.<br><div>On Monday Ann wrote:</div><blockquote>Shall we?<br><br>Ann<blockquote>Older</blockquote></blockquote>Bye";
        assert_eq!(read(quoted), "Yes.\nOn Monday Ann wrote:\n> Shall we?\n>\n> Ann\n> > Older\nBye");
        assert_eq!(read("<blockquote>a</blockquote>"), "> a");
    }

    #[test]
    fn addresses_stand_behind_links_where_they_tell_more() {
        assert_eq!(read("<a href=\"https://x.example/a?b=1&amp;c=2\">offer</a>!"), "offer (https://x.example/a?b=1&c=2)!");
        assert_eq!(read("<a href='https://www.x.example/'>x.example</a>"), "x.example");
        assert_eq!(read("<a href=mailto:a@x.example>a@x.example</a>"), "a@x.example");
        assert_eq!(read("<a href=\"mailto:a@x.example?subject=s\">write</a>"), "write (a@x.example?subject=s)");
        assert_eq!(read("<a href=\"tel:+79161234567\">+7 916 123-45-67</a>"), "+7 916 123-45-67");
        assert_eq!(read("<a href=\"https://x.example\"><img alt=\"Shop\"></a>"), "Shop (https://x.example)");
        assert_eq!(
            read("<a href=\"https://x.example\"><img></a><a href=\"#top\">up</a><a href=\"javascript:x()\">run</a>"),
            "uprun"
        );
        assert_eq!(read("<a href=\"https://x.example\">never closed"), "never closed (https://x.example)");
    }

    #[test]
    fn what_is_hidden_is_left_out() {
        for hidden in [
            "<div style=\"display:none\">secret<div>x</div></div>",
            "<span style='display: none !important'>secret</span>",
            "<div style=\"max-height:0px;overflow:hidden\">secret</div>",
            "<span hidden>secret</span>",
            "<style>p { color: red }</style>",
            "<script>var x = '<p>secret</p>';</script>",
            "<head><title>secret</title></head>",
            "<!-- secret -->",
            "<!--[if mso]><p>secret</p><![endif]-->",
            "<![if !mso]>",
            "<?xml version='1.0'?>",
            "&zwnj;&#8203;&shy;&#847;",
        ] {
            assert_eq!(read(&format!("a{hidden}b")), "ab", "{hidden}");
        }
        assert_eq!(read("<td style=\"font-size:0;max-height:0.5em\">shown</td>"), "shown");
        assert_eq!(read("<div style=\"display:none\">never closed <p>text"), "never closed\n\ntext");
    }

    #[test]
    fn entities_and_stray_signs_are_text() {
        assert_eq!(
            read("a &lt;b&gt; &amp; &laquo;c&raquo; &#1055;&#x440; &#150; &copy &unknown; &"),
            "a <b> & «c» Пр – &copy &unknown; &"
        );
        assert_eq!(read("1 < 2 > 0, a<3"), "1 < 2 > 0, a<3");
        assert_eq!(read("Ivan <ivan@x.example> see <https://x.example/a>"), "Ivan <ivan@x.example> see <https://x.example/a>");
        assert_eq!(read("&#0;a\0b&#x1F;"), "ab");
        assert_eq!(read("&AMP;&nbspx&#xFFFFFFFFF;"), "& x&#xFFFFFFFFF;");
    }

    #[test]
    fn bombs_cost_their_length() {
        for bomb in [
            "<div>".repeat(300_000),
            "<table><tr><td>".repeat(100_000),
            "<blockquote>".repeat(100_000) + &"x<br>".repeat(100_000),
            format!("<a {}>", "b ".repeat(700_000)),
            "<a href=\"".repeat(100_000),
            "<".repeat(1_000_000),
            "<!--".repeat(300_000),
            "&".repeat(1_000_000),
            "<style>".repeat(200_000),
            "<a b='".repeat(200_000),
            "<a =\"".repeat(200_000),
            "<ol><li>".repeat(100_000),
            "<a href=x>y".repeat(100_000),
            "</".repeat(500_000),
        ] {
            assert!(text(&bomb, 100_000).len() <= 100_100);
        }
    }

    #[test]
    fn parts_and_charsets_are_found() {
        assert_eq!(named_parts("<img src=\"cid:a@b\"><td background='cid:c'>url(cid:d)"), ["a@b", "c", "d"]);
        assert_eq!(declared_charset(b"<META http-equiv=x content=\"text/html; charset=KOI8-R\">").as_deref(), Some("koi8-r"));
        assert_eq!(declared_charset(b"<meta charset=\"utf-8\">").as_deref(), Some("utf-8"));
        assert_eq!(declared_charset(b"<p>charset"), None);
    }
}
