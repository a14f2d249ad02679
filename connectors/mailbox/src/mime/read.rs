//! The parts of a mail put together.

use std::ops::Range;

use bytes::Bytes;

use super::addresses;
use super::cards;
use super::charset::{self, Charsets};
use super::dates;
use super::fields::Head;
use super::files;
use super::html;
use super::keep;
use super::parts::{MOST_PARTS, Part, Tree};
use super::report;
use super::signed;
use super::text::{self, Texts};
use super::words;
use super::{Address, Attachment, Hints, Mail};

/// Mails inside of mails are not opened further down than this.
const DEEPEST_MAIL: usize = 5;
/// A subject is cut after this many characters (RFC 5322, 2.1.1).
const LONGEST_SUBJECT: usize = 998;

/// Where a mail's bytes are.
#[derive(Clone, Debug)]
enum Source<'a> {
    /// In the caller's hands: files that are sent as they are must be copied.
    Lent(&'a [u8]),
    /// In ours: they are shared.
    Held(Bytes),
}

impl Source<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Held(bytes) => bytes,
        }
    }

    fn share(&self, range: Range<usize>) -> Bytes {
        match self {
            Self::Lent(bytes) => Bytes::copy_from_slice(&bytes[range]),
            Self::Held(bytes) => bytes.slice(range),
        }
    }
}

/// Reads one mail and those inside.
struct Reader<'h> {
    hints: &'h Hints,
    /// How many parts may still be read.
    left: usize,
}

/// Reads a mail. Total.
pub(super) fn mail(raw: &[u8], hints: &Hints) -> Mail {
    let mut reader = Reader { hints, left: MOST_PARTS };
    reader.mail(&Source::Lent(raw), Some(0), 0)
}

/// Where a mail's first field begins: behind a byte order mark, empty lines and the line `From ..` of a mailbox file.
pub(super) fn start(bytes: &[u8]) -> usize {
    let mut at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    loop {
        let rest = &bytes[at..];
        let length = if rest.starts_with(b"From ") || rest.starts_with(b">From ") {
            memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)
        } else {
            rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
        };
        if length == 0 {
            return at;
        }
        at += length;
    }
}

impl Reader<'_> {
    /// `base`: where the source's first byte stands in the outermost mail, if it stands there as it is.
    fn mail(&mut self, source: &Source<'_>, base: Option<usize>, depth: usize) -> Mail {
        let bytes = source.bytes();
        let tree = Tree::read(bytes, start(bytes)..bytes.len(), &mut self.left);
        let mut charsets = Charsets::new(&self.hints.language);
        let texts = Texts::read(bytes, &tree, &mut charsets, evidence(bytes, &tree));
        let mut mail = Mail::default();
        head(bytes, &tree.parts[0].head, &charsets, &mut mail);
        let body = texts.body(&tree);
        (mail.text, mail.plain, mail.html) = (body.text, body.plain, body.html);
        mail.report = report::read(bytes, &tree, &charsets);
        let named = mail.html.as_deref().map(html::named_parts).unwrap_or_default();
        let mut seen_text = false;
        for number in tree.in_order() {
            let is_text = files::body_kind(&tree, number, seen_text).is_some();
            seen_text |= is_text;
            if !is_text && !files::is_nothing(&tree.parts[number]) {
                self.file(source, base, &tree.parts[number], &charsets, &named, depth, &mut mail);
            }
        }
        problems(&tree, &mut mail);
        if body.was_cut {
            mail.problems.push("its text is longer than 1 MB: the rest was left out".to_owned());
        }
        mail
    }

    #[expect(clippy::too_many_arguments, reason = "what is known of the mail so far; a struct for one call would say no more")]
    fn file(
        &mut self,
        source: &Source<'_>,
        base: Option<usize>,
        part: &Part,
        charsets: &Charsets,
        named: &[String],
        depth: usize,
        mail: &mut Mail,
    ) {
        let bytes = source.bytes();
        let kind = part.kind.value.as_str();
        let name = files::given_name(bytes, part, charsets);
        let is_mail = files::is_mail(part, name.as_deref().unwrap_or_default());
        let is_card = cards::is_card(kind, name.as_deref().unwrap_or_default());
        let is_calendar = cards::is_calendar(kind);
        // Only what stands in the mail as it is was looked through when it was kept.
        let mark = if self.hints.kept && base.is_some() { keep::mark(&bytes[part.body.clone()]) } else { None };
        let (file, body) = match mark {
            Some((file, rest)) => (file, part.body.end - rest.len()..part.body.end),
            None => (None, part.body.clone()),
        };
        let is_small = body.len() <= cards::LONGEST;
        let is_as_sent = part.transfer == super::parts::Transfer::Plain;
        let content = if is_as_sent {
            source.share(body.clone())
        } else {
            Bytes::from(text::decoded(part.transfer, &bytes[body.clone()]).into_owned())
        };
        if is_calendar && is_small {
            let declared = part.kind.plain("method").map(|method| cards::word(&method));
            let method = declared.unwrap_or_else(|| cards::method(&content));
            if mail.calendar.as_ref().is_none_or(String::is_empty) {
                mail.calendar = Some(method);
            }
        }
        if is_card && is_small && mail.cards.len() < cards::MOST_CARDS {
            mail.cards.extend(cards::read(&content, charsets));
            mail.cards.truncate(cards::MOST_CARDS);
        }
        let mut title = None;
        if is_mail {
            if depth < DEEPEST_MAIL && self.left > 0 {
                let base = base.filter(|_| is_as_sent).map(|base| base + body.start);
                let inside = self.mail(&Source::Held(content.clone()), base, depth + 1);
                title = files::shown(&inside.subject).map(|subject| subject + ".eml");
                mail.inside.push(inside);
            } else {
                mail.problems.push("mails are nested too deeply: those far within were not opened".to_owned());
            }
        }
        let is_signed = signed::is_signed(kind, name.as_deref().unwrap_or_default());
        let within = if is_signed && depth < DEEPEST_MAIL { signed::content(&content) } else { None };
        let id = part.head.value(bytes, "content-id").and_then(addresses::id);
        mail.attachments.push(Attachment {
            name: name.or(title).unwrap_or_else(|| files::made_up(kind)),
            content_type: kind.to_owned(),
            inline: kind.starts_with("image/") && id.is_some_and(|id| named.contains(&id)),
            bytes: if file.is_some() { Bytes::new() } else { content },
            file,
            stays: is_mail || within.is_some() || report::is_read(kind) || ((is_card || is_calendar) && is_small),
            place: base.map_or(0..0, |base| base + part.body.start..base + part.body.end),
        });
        if let Some(within) = within {
            let signed = self.mail(&Source::Held(Bytes::from(within)), None, depth + 1);
            adopt(mail, signed);
        }
    }
}

/// What was signed is the mail's own.
fn adopt(mail: &mut Mail, signed: Mail) {
    if mail.text.is_empty() {
        (mail.text, mail.plain, mail.html) = (signed.text, signed.plain, signed.html);
    }
    mail.attachments.extend(signed.attachments);
    mail.inside.extend(signed.inside);
    mail.cards.extend(signed.cards);
    mail.calendar = mail.calendar.take().or(signed.calendar);
    mail.report = mail.report.take().or(signed.report);
}

/// The raw 8-bit values of all heads.
fn evidence(bytes: &[u8], tree: &Tree) -> Vec<u8> {
    let mut evidence = Vec::new();
    for part in &tree.parts {
        for field in &part.head.fields {
            let value = &bytes[field.value.clone()];
            if Charsets::is_evidence(value) {
                charset::gather(&mut evidence, value);
            }
        }
    }
    evidence
}

/// The mail's own fields.
fn head(bytes: &[u8], head: &Head, charsets: &Charsets, mail: &mut Mail) {
    mail.headers =
        head.fields.iter().map(|field| (field.name.clone(), words::decode(&bytes[field.value.clone()], charsets))).collect();
    let first = |name: &str| -> Vec<Address> {
        head.values(bytes, name).map(|raw| addresses::read(raw, charsets)).find(|found| !found.is_empty()).unwrap_or_default()
    };
    let all = |name: &str| -> Vec<Address> {
        head.values(bytes, name).flat_map(|raw| addresses::read(raw, charsets)).take(addresses::MOST_RECIPIENTS).collect()
    };
    let ids = |name: &str| -> Vec<String> { addresses::some_of(head.values(bytes, name).flat_map(addresses::ids).collect()) };
    mail.from = first("from");
    mail.sender = first("sender").into_iter().next();
    mail.reply_to = first("reply-to");
    (mail.to, mail.cc, mail.bcc) = (all("to"), all("cc"), all("bcc"));
    mail.message_id = head.values(bytes, "message-id").find_map(addresses::id);
    mail.in_reply_to = ids("in-reply-to");
    mail.references = ids("references");
    mail.date = mail.header("date").and_then(dates::read);
    let subject = mail.header("subject").unwrap_or_default();
    mail.subject = subject.chars().take(LONGEST_SUBJECT).collect();
}

/// What was odd, for people.
fn problems(tree: &Tree, mail: &mut Mail) {
    let head = &tree.parts[0].head;
    let mut say = |problem: &str| {
        if !mail.problems.iter().any(|known| known == problem) {
            mail.problems.push(problem.to_owned());
        }
    };
    if head.fields.is_empty() {
        say("it has no head: all of it was read as text");
    }
    head.problem.iter().for_each(|problem| say(problem));
    for name in ["from", "subject", "message-id", "date"] {
        if head.fields.iter().filter(|field| field.name == name).count() > 1 {
            say(&format!("it has several fields {name}: the first was read"));
        }
    }
    tree.problems.iter().for_each(|problem| say(problem));
    if tree.parts.iter().any(Part::is_broken_multipart) {
        say("the boundary of its parts was not found: they were read as one text");
    }
    if mail.from.iter().all(|from| from.address.is_empty()) && !head.fields.is_empty() {
        mail.problems.push("it names no readable sender".to_owned());
    }
    if [&mail.to, &mail.cc, &mail.bcc].iter().any(|some| some.len() >= addresses::MOST_RECIPIENTS) {
        mail.problems.push(format!("it has more than {} recipients: the rest was not read", addresses::MOST_RECIPIENTS));
    }
}
