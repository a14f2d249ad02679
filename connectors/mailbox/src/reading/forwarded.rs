//! Mails that a person passed on: attached, or in the text below what they wrote themselves.

use leadgate_core::text;

use super::lines::lower;
use super::quote::{self, Label, is_forward_marker};
use super::subject::{self, Prefix};
use super::{Forwarded, addresses};
use crate::mime::{Address, Mail};

/// A mail forwarded by a person, if it is one. That the person is one of ours is for the caller to know: anybody can write such a
/// block.
pub fn forwarded(mail: &Mail) -> Option<Forwarded> {
    let prefix = subject::split(&mail.subject).0;
    if mail.report.is_some() || prefix == Some(Prefix::Reply) {
        return None;
    }
    in_text(&mail.text, prefix == Some(Prefix::Forward)).or_else(|| attached(mail))
}

fn attached(mail: &Mail) -> Option<Forwarded> {
    let inner = mail.inside.first()?;
    let from = inner.from.first()?.clone();
    let subject = Some(inner.subject.clone()).filter(|subject| !subject.is_empty());
    Some(Forwarded { from, subject, text: inner.text.clone(), above: mail.text.trim().to_owned() })
}

/// The most lines in which a forwarded mail is looked for.
const MOST_LINES: usize = 5000;

/// A forwarded mail within a text. Without a line that says so, a block of header fields is one only if the subject says so:
/// answers have it, too.
fn in_text(text: &str, subject_says: bool) -> Option<Forwarded> {
    let mut lines = Lines { text, at: 0 };
    let mut above_end = 0;
    for _ in 0..MOST_LINES {
        let start = lines.at;
        let line = lines.next()?;
        let bare = bare(line);
        let found = if is_forward_marker(line) {
            let level = level(line);
            block(&text[lines.at..], level, 1)
        } else if subject_says && header(bare).is_some_and(|(field, _)| field == Field::From) {
            block(&text[start..], level(line), 3)
        } else {
            None
        };
        if let Some(block) = found {
            let above = without_rule(&text[..above_end]);
            return Some(Forwarded { from: block.from, subject: block.subject, text: block.text, above });
        }
        above_end = lines.at;
    }
    None
}

/// The lines of a text, and where each begins.
struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.find('\n').unwrap_or(rest.len());
        self.at += (end + 1).min(rest.len());
        Some(rest[..end].trim_end_matches('\r'))
    }
}

/// How deep a line is quoted.
fn level(line: &str) -> usize {
    line.trim_start().chars().take_while(|c| matches!(c, '>' | ' ')).filter(|c| *c == '>').count().min(5)
}

/// A line without quote signs and bold asterisks.
fn bare(line: &str) -> &str {
    line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '>' | '*')).trim_end_matches(['*', ' ', '\t'])
}

/// A line as it stands within a quote of some level.
fn unquoted(line: &str, level: usize) -> &str {
    let mut line = line;
    for _ in 0..level {
        line = line.trim_start().strip_prefix('>').unwrap_or(line);
    }
    if level > 0 { line.strip_prefix(' ').unwrap_or(line) } else { line }
}

/// A header field of a mail within a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    From,
    Subject,
    ReplyTo,
    Other,
}

/// Header fields of a forwarded mail that no quoted one has.
const OTHERS: &[&str] = &[
    "importance",
    "attachments",
    "organization",
    "важность",
    "вложения",
    "вкладення",
    "wichtigkeit",
    "anlagen",
    "importancia",
    "datos adjuntos",
];
const REPLY_TO: &[&str] = &["reply-to", "reply to", "обратный адрес", "antwort an", "responder a"];

/// A header field's name and value, if a line is one.
fn header(line: &str) -> Option<(Field, &str)> {
    let (name, value) = text::cut(line, 60).split_once(':').map(|(name, _)| (lower(name), &line[name.len() + 1..]))?;
    let value = value.trim_matches(|c: char| c.is_whitespace() || c == '*');
    let name = name.trim_matches(['*', ' ']);
    if REPLY_TO.contains(&name) {
        return Some((Field::ReplyTo, value));
    }
    if OTHERS.contains(&name) {
        return Some((Field::Other, value));
    }
    let field = match quote::label(line)?.0 {
        Label::From => Field::From,
        Label::Subject => Field::Subject,
        Label::Date | Label::To | Label::Cc => Field::Other,
    };
    Some((field, value))
}

#[derive(Default)]
struct Block {
    from: Address,
    subject: Option<String>,
    text: String,
    fields: usize,
}

/// The most lines of a block's head.
const MOST_HEAD: usize = 30;

/// A mail's head and text; `None`: nobody is named, or there are fewer fields.
fn block(text: &str, level: usize, least: usize) -> Option<Block> {
    let mut lines = Lines { text, at: 0 };
    let mut block = Block::default();
    let mut from = String::new();
    let mut reply_to = String::new();
    let mut last = None;
    let mut end = 0;
    for _ in 0..MOST_HEAD {
        let start = lines.at;
        let Some(line) = lines.next() else { break };
        let line = unquoted(line, level).trim();
        let bare = bare(line);
        if bare.is_empty() {
            // Between fields a blank line is nothing; behind them it ends the head.
            if block.fields > 0 && !next_is_header(&text[lines.at..], level) {
                end = lines.at;
                break;
            }
        } else if let Some((field, value)) = header(bare) {
            block.fields += 1;
            last = Some(field);
            match field {
                Field::From => value.clone_into(&mut from),
                Field::Subject => block.subject = Some(value.to_owned()),
                Field::ReplyTo => value.clone_into(&mut reply_to),
                Field::Other => {}
            }
        } else if block.fields == 0 && bare.contains('@') && bare.ends_with(':') {
            // `12.11.2026, 10:00, "Anna" <anna@example.com>:`
            after_time(bare.trim_end_matches(':')).clone_into(&mut from);
            block.fields = 1;
            end = lines.at;
            break;
        } else if block.fields > 0 && start > 0 {
            match last {
                // A long value goes on below.
                Some(Field::From) if !from.contains('@') => from = format!("{from} {bare}"),
                Some(Field::Subject) => {
                    block.subject = block.subject.map(|subject| format!("{subject} {bare}"));
                }
                Some(Field::Other) if bare.contains('@') => {}
                _ => {
                    end = start;
                    break;
                }
            }
        } else {
            return None;
        }
        end = lines.at;
    }
    block.from = person(&from);
    if block.from.address.is_empty() && !reply_to.is_empty() {
        block.from.address = person(&reply_to).address;
    }
    if block.from.address.is_empty() && (block.from.name.is_empty() || block.fields < 3) || block.fields < least {
        return None;
    }
    block.text = body(&text[end.min(text.len())..], level);
    Some(block)
}

fn next_is_header(text: &str, level: usize) -> bool {
    let mut lines = Lines { text, at: 0 };
    lines.next().is_some_and(|line| header(bare(unquoted(line, level))).is_some())
}

/// `12.11.2026, 10:00, Anna <..>`: what stands behind the time.
fn after_time(line: &str) -> &str {
    let starts_with_digit = |part: &str| part.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let mut rest = line;
    while let Some((first, below)) = rest.split_once(',')
        && (starts_with_digit(first) || !below.contains('@') || first.split_whitespace().count() <= 1 && !first.contains('"'))
        && below.contains('@')
    {
        rest = below;
    }
    rest.trim()
}

/// Name and address, however they are written: `Anna <a@b>`, `Anna [mailto:a@b]`, `Anna (a@b)`, `a@b`.
fn person(text: &str) -> Address {
    let text = text.replace("mailto:", "");
    let word = text.split(|c: char| c.is_whitespace() || "<>()[]\"',;".contains(c)).find(|word| word.contains('@'));
    let address = word.filter(|word| addresses::key(word).is_some()).unwrap_or_default();
    let before = match word {
        Some(word) => text.split(word).next().unwrap_or_default(),
        None => text.as_str(),
    };
    let name = before.trim_matches(|c: char| c.is_whitespace() || "<>()[]\"',;*".contains(c));
    Address { name: name.to_owned(), address: address.to_owned() }
}

/// The text of the mail inside, without its quote signs and without the line that ends it.
fn body(text: &str, level: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = unquoted(line, level);
        let lower = bare(line).to_lowercase();
        let ends = lower.starts_with("---")
            && ["конец перес", "end of forwarded", "кінець перес"].iter().any(|words| lower.contains(words));
        if ends {
            break;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.trim().to_owned()
}

/// What a person wrote above, without the line that divides.
fn without_rule(text: &str) -> String {
    text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '_' | '-')).trim().to_owned()
}

#[cfg(test)]
mod tests;
