//! Bounces in the words of mail servers.

use leadgate_core::submission::Failure;

use super::address::{addresses, is_permanent, starts_with_address, status};
use super::{WORDS, scan, words};
use crate::mime::Mail;
use crate::reading::lines::is_blank;

/// How much of a notice is read, bytes and lines: what follows is the mail that came back.
const NOTICE: usize = 64 * 1024;
const LINES: usize = 800;
/// Addresses that are taken from one.
const MOST: usize = 200;

/// What stands above the mail that came back.
const BOUNDARIES: &[&str] = &[
    "copy of the message",
    "copy of your message",
    "copy of the first part",
    "original message",
    "returned mail",
    "returned message",
    "message header follow",
    "message headers follow",
    "unsent message",
    "message text follows",
    "original header",
    "text of the message",
    "old message",
    "undelivered message",
    "included message",
    "message follows",
    "текст письма",
    "исходное сообщение",
    "исходное письмо",
    "копия письма",
    "копия сообщения",
    "оригинал",
    "вихідне повідомлення",
    "ursprüngliche nachricht",
    "originalnachricht",
    "kopie der nachricht",
    "kopie ihrer",
    "message d'origine",
    "message original",
    "copie du message",
    "mensaje original",
    "copia del mensaje",
    "copia de su mensaje",
];

/// A bounce's text, divided into what the server says and the mail that came back.
pub(super) struct Notice<'a> {
    lines: Vec<&'a str>,
    returned: &'a str,
    /// The delivery is still tried.
    delayed: bool,
}

impl<'a> Notice<'a> {
    pub(super) fn of(mail: &'a Mail) -> Self {
        let text = leadgate_core::text::cut(&mail.text, NOTICE);
        let mut lines = Vec::new();
        let mut read = 0;
        for line in text.split_inclusive('\n').take(LINES) {
            // What comes first is the notice, even if it begins like a boundary.
            if !lines.is_empty() && is_boundary(line) {
                break;
            }
            read += line.len();
            if !lines.is_empty() || !is_blank(line) {
                lines.push(line.trim_end());
            }
        }
        let delayed = words::is_delay(&lines.join(" ").to_lowercase());
        Self { lines, returned: &mail.text[read..], delayed }
    }

    /// Whether it says that something could not be delivered.
    pub(super) fn tells_failure(&self) -> bool {
        self.lines.iter().any(|line| words::is_failure(&crate::reading::lines::lower(line)))
    }

    /// Whether it names an address as one that was not reached.
    pub(super) fn names_somebody(&self) -> bool {
        let found = scan::found(&self.lines, "");
        !found.sure.is_empty() || !found.announced.is_empty()
    }

    /// The same, in a form that only servers write.
    pub(super) fn names_surely(&self) -> bool {
        !scan::found(&self.lines, "").sure.is_empty()
    }

    /// Whom the mail was for that came back.
    pub(super) fn failures(&self, mail: &Mail) -> Vec<Failure> {
        let sender = mail.from.first().map(|from| from.address.to_lowercase()).unwrap_or_default();
        let found = scan::found(&self.lines, &sender);
        let mut named = found.sure;
        named.extend(found.announced);
        for next in [found.refused, found.locals, found.alone, found.spoken, found.to] {
            if named.is_empty() {
                named = next;
            }
        }
        if named.is_empty() {
            named = self.returned_to(mail).into_iter().map(|address| (0, address)).collect();
        }
        named.sort_by_key(|(line, _)| *line);
        let mut out: Vec<Failure> = Vec::new();
        for (line, address) in named.into_iter().take(MOST) {
            if !out.iter().any(|known| known.address.eq_ignore_ascii_case(&address)) {
                out.push(self.failure_at(line, address));
            }
        }
        // Ours, beside others, is the sender who is told.
        let is_own = |address: &str| mail.to.iter().any(|to| to.address.eq_ignore_ascii_case(address));
        if out.iter().any(|failure| !is_own(&failure.address)) {
            out.retain(|failure| !is_own(&failure.address));
        }
        out
    }

    /// An address with what the notice says of it.
    pub(super) fn failure(&self, address: String) -> Failure {
        let lower = address.to_lowercase();
        let line = self.lines.iter().position(|line| line.to_lowercase().contains(&lower));
        self.failure_at(line.unwrap_or(self.lines.len()), address)
    }

    fn failure_at(&self, line: usize, address: String) -> Failure {
        let mut said = String::new();
        for (offset, line) in self.lines.iter().skip(line).take(8).enumerate() {
            // The reason may stand under an empty line; another address does not.
            let told = said.len() > address.len() + 4;
            if is_blank(line) {
                if told {
                    break;
                }
                continue;
            }
            let another = starts_with_address(line).is_some_and(|(other, _)| !other.eq_ignore_ascii_case(&address));
            if offset > 0 && another {
                break;
            }
            said.push_str(line.trim());
            said.push(' ');
            if said.len() > 2 * WORDS {
                break;
            }
        }
        let said = said.trim();
        let said = said.trim_start_matches(['<', '"', '\'']);
        let said = said.strip_prefix(address.as_str()).unwrap_or(said).trim_start_matches(['>', '"', '\'', ':', '.', ' ']);
        let status = status(said).unwrap_or_default();
        let permanent = is_permanent(&status, "", said) && !self.delayed;
        Failure { address, permanent, status, words: leadgate_core::text::cut(said, WORDS).to_owned() }
    }

    /// Message-ID of the mail that came back.
    pub(super) fn returned_id(&self) -> Option<String> {
        let mut lines = self.returned.lines().take(500).skip_while(|line| field(line, "message-id:").is_none());
        let value = field(lines.next()?, "message-id:")?;
        // Folded before a long id.
        let value = if value.is_empty() { lines.next()?.trim() } else { value };
        let id = value.trim_start_matches('<').split('>').next().unwrap_or_default().trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// To of the mail that came back, if it went to one address.
    fn returned_to(&self, mail: &Mail) -> Option<String> {
        if let Some(inside) = mail.inside.first() {
            return match inside.to.as_slice() {
                [one] if one.address.contains('@') => Some(one.address.clone()),
                _ => None,
            };
        }
        let to = self.returned.lines().take(500).find_map(|line| field(line, "to:"))?;
        let mut to = addresses(to).map(|(_, address)| address.to_owned());
        to.next().filter(|_| to.next().is_none())
    }
}

/// The value of a header's line, by its name in lower case with its colon.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim_start_matches(['>', ' ']);
    let start = line.get(..name.len())?;
    start.eq_ignore_ascii_case(name).then(|| line[name.len()..].trim())
}

/// Whether the mail that came back begins after this line.
fn is_boundary(line: &str) -> bool {
    let start = line.trim_start_matches(['>', ' ']);
    if field(start, "received: ").is_some() || field(start, "return-path:").is_some() {
        return true;
    }
    let lower = crate::reading::lines::lower(line);
    if lower.len() > 120 || !BOUNDARIES.iter().any(|words| lower.contains(words)) {
        return false;
    }
    if lower.starts_with(['-', '=', '|', '*', '_', '#']) {
        return true;
    }
    // "The following addresses did not receive a copy of your message:" announces addresses.
    let begins = || BOUNDARIES.iter().any(|words| lower.starts_with(words));
    words::announcement(&lower).is_none()
        && (lower.ends_with(':') || lower.contains("follow") || lower.contains("attached") && begins())
}
