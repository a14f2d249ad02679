//! From labelled lines to pairs, and how much else there was.

use std::collections::HashMap;

use leadgate_wire::fields::{self, Kind};

use super::lines::{Line, is_rule};
use super::marks::{self, Mark, Style};
use super::words;

/// The most pairs of a form.
const MOST_PAIRS: usize = 200;
/// The longest value, in bytes: that of a form's field.
const LONGEST: usize = 64 * 1024;

/// A label with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub label: String,
    pub value: String,
    pub kind: Kind,
    /// Forms have such a field.
    pub known: bool,
    /// The value stood beside the label.
    pub beside: bool,
    /// Where the value links to.
    pub link: Option<String>,
}

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub pairs: Vec<Pair>,
    /// The lines before the first pair.
    pub before: Vec<String>,
    /// How many lines stand between pairs and belong to none.
    pub stray: usize,
    /// The lines at the end that the form's software wrote.
    pub footer: Vec<String>,
    /// Web addresses that stand alone or in the footer.
    pub links: Vec<String>,
    /// A letter's end ("Best regards") stands above the first phone or e-mail.
    pub closed: bool,
}

impl Walked {
    /// Pairs of a kind a customer is known by, or writes.
    pub(super) fn telling(&self) -> usize {
        self.pairs.iter().filter(|pair| is_telling(pair.kind)).count()
    }
}

/// Whether a field names a customer, reaches them, or is what they wrote.
pub(super) fn is_telling(kind: Kind) -> bool {
    is_reaching(kind) || matches!(kind, Kind::Name | Kind::GivenName | Kind::FamilyName | Kind::Message)
}

/// Whether a field reaches a customer.
pub(super) fn is_reaching(kind: Kind) -> bool {
    matches!(kind, Kind::Phone | Kind::Email)
}

/// Reads a text.
pub(super) fn walk(lines: &[Line]) -> Walked {
    let marks: Vec<Vec<Mark>> = lines.iter().enumerate().map(|(at, line)| marks::marks(line, lines.get(at + 1))).collect();
    let known: Vec<usize> = marks.iter().enumerate().filter(|(_, marks)| marks.iter().any(settles)).map(|(at, _)| at).collect();
    let mut walker = Walker {
        lines,
        styles: styles(&marks),
        last: known.last().copied().unwrap_or_default(),
        open: None,
        text_from: None,
        gap: false,
        over: false,
        signed: false,
        out: Walked::default(),
    };
    let mut at = 0;
    while at < lines.len() && walker.out.pairs.len() < MOST_PAIRS {
        at += walker.line(at, &marks[at]);
    }
    walker.finish()
}

/// A label whose words alone say that a field stands there, whatever customers write.
fn settles(mark: &Mark) -> bool {
    mark.is_known() && mark.found.exact && mark.found.kind != Kind::Message || mark.is_envelope()
}

/// The ways of setting labels apart that this text uses, and how often with a known one.
fn styles(marks: &[Vec<Mark>]) -> HashMap<Style, usize> {
    let mut styles = HashMap::new();
    // A heading may have a word of a label in it.
    let tells = |mark: &&Mark| mark.is_known() && (mark.found.exact || mark.style != Style::Head);
    for mark in marks.iter().flatten().filter(tells) {
        *styles.entry(mark.style).or_default() += 1;
    }
    styles
}

struct Walker<'l> {
    lines: &'l [Line],
    styles: HashMap<Style, usize>,
    /// The last line with a label that settles what it is.
    last: usize,
    /// The pair that takes further lines.
    open: Option<usize>,
    /// The message, once there is one: text that belongs nowhere else is its.
    text_from: Option<usize>,
    /// A blank line stands above.
    gap: bool,
    /// Below is nothing of the customer's.
    over: bool,
    /// The end of a letter was read.
    signed: bool,
    out: Walked,
}

impl Walker<'_> {
    /// Reads a line; gives back how many were read.
    fn line(&mut self, at: usize, marks: &[Mark]) -> usize {
        let line = &self.lines[at];
        if line.is_blank() {
            self.gap = true;
            return 1;
        }
        let text = line.text();
        if is_rule(&text) {
            self.rule(at, &text);
            return 1;
        }
        if words::is_footer(&text) && !marks.iter().any(|mark| mark.is_known() || mark.is_envelope()) {
            self.over = true;
            self.open = None;
            self.text(line, &text);
            self.gap = false;
            return 1;
        }
        if let Some(next) = self.lines.get(at + 1).filter(|_| line.cells.len() > 1)
            && let Some(names) = marks::header(line, next)
        {
            for (name, cell) in names.into_iter().zip(&next.cells) {
                let row = Line { cells: vec![super::lines::Cell { text: name.to_owned(), ..Default::default() }, cell.clone()] };
                for mark in &marks::marks(&row, None) {
                    self.pair(mark);
                }
            }
            return 2;
        }
        if !marks.is_empty() && marks.iter().all(|mark| self.takes(at, mark)) {
            for mark in marks {
                self.pair(mark);
            }
        } else {
            self.text(line, &text);
        }
        self.gap = false;
        1
    }

    /// Whether a label is one here, and not a customer's words.
    fn takes(&self, at: usize, mark: &Mark) -> bool {
        let used = |style: Style| self.styles.get(&style).copied().unwrap_or_default();
        let with_signs: usize = [Style::Colon, Style::Own, Style::Head, Style::Cells, Style::Strong].into_iter().map(used).sum();
        let fits = match mark.style {
            Style::Bare => used(Style::Bare) >= 2 && with_signs < 2,
            Style::Dash => used(Style::Dash) >= 1 || mark.is_envelope(),
            // A heading above the fields is underlined, too.
            Style::Head => used(Style::Head) >= 1,
            Style::Colon | Style::Own | Style::Cells | Style::Strong => with_signs >= 1 || mark.is_envelope(),
        };
        if !fits {
            return false;
        }
        let Some(open) = self.open.map(|open| &self.out.pairs[open]).filter(|pair| pair.kind == Kind::Message) else {
            return true;
        };
        if self.over || mark.is_envelope() && mark.value.is_some() {
            return true;
        }
        // Within a message: a field that is not there yet, or an unknown one between fields.
        let repeated = self.out.pairs.iter().any(|pair| pair.kind == mark.found.kind && pair.kind != Kind::Other);
        let set_apart = matches!(mark.style, Style::Cells | Style::Strong | Style::Head) && used(mark.style) > 1;
        if set_apart || mark.is_known() && mark.found.exact {
            return set_apart || !repeated;
        }
        let between = at < self.last && !(self.gap && mark.style == Style::Colon) && is_title(&mark.label);
        open.value.is_empty() || (between && !repeated)
    }

    fn pair(&mut self, mark: &Mark) {
        let kind = mark.found.kind;
        if self.signed && is_reaching(kind) && !self.out.pairs.iter().any(|pair| is_reaching(pair.kind)) {
            self.out.closed = true;
        }
        let value = mark.value.clone().unwrap_or_default();
        let known = mark.is_known() || mark.is_envelope();
        let single = !value.is_empty() && kind != Kind::Message && kind != Kind::Other;
        let beside = mark.value.is_some();
        self.out.pairs.push(Pair { label: mark.label.clone(), value, kind, known, beside, link: mark.link.clone() });
        let at = self.out.pairs.len() - 1;
        let complete = single || mark.is_envelope() && mark.value.is_some();
        self.open = (!complete).then_some(at);
        if kind == Kind::Message {
            self.text_from = Some(at);
        }
        self.gap = false;
    }

    /// A line without a label.
    fn text(&mut self, line: &Line, text: &str) {
        self.signed |= words::is_closing(text);
        let link = address(text).or_else(|| line.cells.iter().find_map(|cell| cell.link.as_deref().filter(|_| self.over)));
        if self.over {
            self.out.footer.push(text.to_owned());
            self.out.links.extend(link.map(str::to_owned));
            return;
        }
        if let Some(open) = self.open {
            let message = self.out.pairs[open].kind == Kind::Message;
            let first = self.out.pairs[open].value.is_empty();
            if message || first || !self.gap {
                self.append(open, text);
                let kind = self.out.pairs[open].kind;
                if first && !matches!(kind, Kind::Message | Kind::Other) {
                    self.open = None;
                }
                return;
            }
            self.open = None;
        }
        if link.is_some_and(|link| link.len() == text.len()) {
            self.out.links.extend(link.map(str::to_owned));
        } else if let Some(message) = self.text_from {
            self.append(message, text);
        } else if self.out.pairs.is_empty() {
            self.out.before.push(text.to_owned());
        } else {
            self.out.stray += 1;
        }
    }

    fn append(&mut self, pair: usize, text: &str) {
        let value = &mut self.out.pairs[pair].value;
        if value.len() + text.len() > LONGEST {
            return;
        }
        if !value.is_empty() {
            value.push_str(if self.gap { "\n\n" } else { "\n" });
        }
        value.push_str(text);
    }

    /// A line that divides: of the form's software if such lines follow, else of whoever wrote it.
    fn rule(&mut self, at: usize, text: &str) {
        let below = self.lines[at + 1..].iter().take(8).find(|line| !line.is_blank());
        let ends = below.is_some_and(|line| {
            let next = line.text();
            words::is_footer(&next) || marks::marks(line, None).iter().any(|mark| mark.is_envelope() && mark.value.is_some())
        });
        if text == "--" && !ends {
            self.signed = true;
        }
        let underlines = at > 0 && self.open.is_some_and(|open| self.out.pairs[open].value.is_empty());
        if underlines {
            return;
        }
        match self.open.filter(|open| self.out.pairs[*open].kind == Kind::Message) {
            Some(message) if !ends && !self.out.pairs[message].value.is_empty() && at + 1 < self.lines.len() => {
                self.append(message, text);
                self.gap = false;
            }
            _ => {
                self.open = None;
                if ends {
                    self.text_from = None;
                }
            }
        }
    }

    fn finish(mut self) -> Walked {
        let pairs = std::mem::take(&mut self.out.pairs);
        self.out.pairs = pairs.into_iter().flat_map(settled).filter(|pair| !pair.value.trim().is_empty()).collect();
        self.out
    }
}

/// Whether a label is written as those of forms are, and not as words within a sentence.
fn is_title(label: &str) -> bool {
    let capital = label.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
    capital && !label.contains(',') && label.split_whitespace().count() <= 4
}

/// A pair as it is meant, by its value, too. `From: Anna anna@example.com` is two.
fn settled(mut pair: Pair) -> Vec<Pair> {
    // "New entry:" above the fields names the form, or nothing.
    if !pair.known && words::says_form(&pair.label).is_some() {
        let names =
            pair.beside && pair.value.chars().count() <= 100 && fields::label(std::slice::from_ref(&pair.label)).contains("form");
        let names = names || pair.beside && pair.label.to_lowercase().contains("форм");
        if !names {
            return Vec::new();
        }
        "Form name".clone_into(&mut pair.label);
    }
    if let Some(link) = pair.link.take_if(|_| matches!(pair.kind, Kind::Page | Kind::Landing | Kind::Referrer))
        && !fields::looks_like_url(&pair.value)
    {
        pair.value = link;
    }
    while pair.value.ends_with(|c: char| c.is_whitespace() || matches!(c, '-' | '_' | '=')) && pair.value.contains('\n') {
        // A message's last line may be the form's own rule.
        let Some((before, last)) = pair.value.rsplit_once('\n') else { break };
        if !is_rule(last) && !last.trim().is_empty() {
            break;
        }
        pair.value.truncate(before.len());
    }
    if words::is_sender(&pair.label) {
        return sender(pair);
    }
    let entry = entry(&pair);
    pair.kind = fields::refine(fields::classify(&entry.path), &entry).kind;
    // The words of a label are not enough where its value must have a form.
    let digits = pair.value.bytes().filter(u8::is_ascii_digit).count();
    let plausible = match pair.kind {
        Kind::Phone => digits >= 5,
        Kind::Email => pair.value.contains('@'),
        Kind::Name | Kind::GivenName | Kind::FamilyName => {
            pair.value.chars().count() <= 120 && pair.value.chars().any(char::is_alphabetic) && pair.value.lines().count() <= 2
        }
        _ => true,
    };
    if !plausible {
        pair.kind = Kind::Other;
        pair.known = false;
    }
    vec![pair]
}

/// A pair as a form's field.
pub(super) fn entry(pair: &Pair) -> leadgate_wire::body::Entry {
    leadgate_wire::body::Entry { name: pair.label.clone(), path: vec![pair.label.clone()], value: pair.value.clone() }
}

/// Name and address of "From", where a form has put both.
fn sender(pair: Pair) -> Vec<Pair> {
    let value = pair.value.trim();
    let Some(at) = value.split([' ', '<', '(', '\n']).find(|word| word.contains('@')) else {
        let named = fields::looks_like_name(value);
        let (label, kind) = if named { ("Name".to_owned(), Kind::Name) } else { (pair.label.clone(), Kind::Other) };
        return vec![Pair { label, kind, known: named, ..pair }];
    };
    let address = at.trim_matches(['>', ')', ',', ';', '"']);
    let name = value.split(at).next().unwrap_or_default().trim_matches([' ', '<', '(', '"', '\'', ',', '-']);
    let found = |label: &str, value: &str, kind| Pair {
        label: label.to_owned(),
        value: value.to_owned(),
        kind,
        known: true,
        ..pair.clone()
    };
    let name = (!name.is_empty()).then(|| found("Name", name, Kind::Name));
    name.into_iter().chain([found("Email", address, Kind::Email)]).collect()
}

/// The first web address of a line.
fn address(text: &str) -> Option<&str> {
    let at = ["https://", "http://"].iter().filter_map(|scheme| text.find(scheme)).min()?;
    let rest = &text[at..];
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '»')).unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches([')', ']', '.', ',', ';', '!']))
}
