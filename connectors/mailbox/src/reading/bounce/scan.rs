//! Which addresses a notice names, and how surely as those that were not reached.

use super::address::{addresses, after_from, conversation, is_machine, is_refusal, local, starts_with_address};
use super::words;
use crate::reading::lines::{is_blank, lower};

/// Lines after an announcement in which the first address is looked for.
const PATIENCE: usize = 3;
/// How much of a line is read, bytes.
const LINE: usize = 2_000;

/// An address in a notice, and the line it stands in.
pub(super) type Named = (usize, String);

/// What a notice names, the surest first.
#[derive(Default)]
pub(super) struct Found {
    /// `<jane@example.com>: no such user` and the like.
    pub(super) sure: Vec<Named>,
    /// After words that announce addresses.
    pub(super) announced: Vec<Named>,
    /// Refused in a conversation of servers that is shown.
    pub(super) refused: Vec<Named>,
    /// The part before the `@`, after an announcement.
    pub(super) locals: Vec<Named>,
    /// Alone on a line.
    pub(super) alone: Vec<Named>,
    /// In a paragraph that speaks of failure and names nobody else.
    pub(super) spoken: Vec<Named>,
    /// After `To:`.
    pub(super) to: Vec<Named>,
}

/// After words that announce addresses.
struct Announced {
    /// One was found.
    taken: bool,
    /// Lines without one.
    waited: usize,
}

/// Reads a notice's lines; `sender` is who wrote it, in lower case.
pub(super) fn found(lines: &[&str], sender: &str) -> Found {
    let mut scan = Scan { sender, found: Found::default(), open: None, recipient: None };
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !is_blank(line)) {
        let line = leadgate_core::text::cut(line, LINE);
        let lower = line.to_lowercase();
        scan.address_line(at, line);
        scan.conversation(at, line, &lower);
        scan.announcement(at, line, &lower);
    }
    let mut found = scan.found;
    found.spoken = spoken(lines, sender);
    found
}

struct Scan<'a> {
    sender: &'a str,
    found: Found,
    open: Option<Announced>,
    /// The recipient a server was asked about.
    recipient: Option<Named>,
}

impl Scan<'_> {
    /// Addresses of a line that may be whom a mail was for.
    fn usual(&self, at: usize, text: &str) -> Vec<Named> {
        let named = addresses(text).filter(|(place, address)| !is_machine(address, self.sender) && !after_from(&text[..*place]));
        named.map(|(_, address)| (at, address.to_owned())).collect()
    }

    fn address_line(&mut self, at: usize, line: &str) {
        let Some((address, after)) = starts_with_address(line).filter(|(address, _)| !is_machine(address, self.sender)) else {
            return;
        };
        let named = (at, address.to_owned());
        if after.starts_with(':') && !after.starts_with("://") || after.trim_start().starts_with("...") {
            self.found.sure.push(named);
        } else if after.trim().is_empty() {
            self.found.alone.push(named);
        }
    }

    /// What servers said to each other, and the headers of the mail that came back.
    fn conversation(&mut self, at: usize, line: &str, lower: &str) {
        if let Some(place) = conversation(lower, "rcpt to:") {
            self.recipient = self.usual(at, line.get(place..).unwrap_or(line)).into_iter().next();
        } else if lower.trim_start().starts_with("to:") {
            let named = self.usual(at, line);
            self.found.to.extend(named);
        }
        let answered = |(asked, _): &mut Named| at > *asked && at <= *asked + 3 && is_refusal(lower);
        self.found.refused.extend(self.recipient.take_if(answered));
    }

    fn announcement(&mut self, at: usize, line: &str, lower: &str) {
        if lower.contains("expanded from") || lower.contains("original recipient") {
            let named = self.usual(at, line);
            self.found.announced.extend(named);
        } else if let Some(start) = words::announcement(lower) {
            // Some letters are of another length in lower case; then the whole line counts.
            let rest = if lower.len() == line.len() { line.get(start..).unwrap_or(line) } else { line };
            let named = self.usual(at, rest);
            self.open = Some(Announced { taken: !named.is_empty(), waited: 0 });
            self.found.announced.extend(named);
        } else if let Some(open) = self.open.take() {
            self.open = self.announced(at, line, open);
        }
    }

    /// A line after an announcement: with an address, with a reason, or with something else, which ends it.
    fn announced(&mut self, at: usize, line: &str, open: Announced) -> Option<Announced> {
        let named = self.usual(at, line);
        let indented = line.starts_with([' ', '\t']);
        // What is indented under an address is its reason.
        let reason = open.taken && indented && starts_with_address(line).is_none();
        if !named.is_empty() && !reason {
            self.found.announced.extend(named);
            return Some(Announced { taken: true, waited: open.waited });
        }
        if open.taken {
            return indented.then_some(open);
        }
        if open.waited == 0 && indented {
            self.found.locals.extend(local(line, self.sender).map(|address| (at, address)));
        }
        let waited = open.waited + 1;
        (waited < PATIENCE).then_some(Announced { taken: false, waited })
    }
}

/// Addresses in paragraphs that speak of failure and name one.
fn spoken(lines: &[&str], sender: &str) -> Vec<Named> {
    let mut out = Vec::new();
    let mut start = 0;
    for paragraph in lines.split(|line| is_blank(line)) {
        if paragraph.iter().any(|line| words::is_failure(&lower(line))) {
            out.extend(only(paragraph, sender).map(|(offset, address)| (start + offset, address)));
        }
        start += paragraph.len() + 1;
    }
    out
}

/// The address of a paragraph, if it names but one.
fn only(paragraph: &[&str], sender: &str) -> Option<Named> {
    let mut one: Option<Named> = None;
    for (at, line) in paragraph.iter().enumerate() {
        for (place, address) in addresses(line) {
            if is_machine(address, sender) || after_from(&line[..place]) {
                continue;
            }
            match &one {
                Some((_, known)) if known.eq_ignore_ascii_case(address) => {}
                Some(_) => return None,
                None => one = Some((at, address.to_owned())),
            }
        }
    }
    one
}
