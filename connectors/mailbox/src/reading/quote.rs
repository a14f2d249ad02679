//! What of a text its author wrote, and what they quoted.

use super::html;
use super::lines::{bare, flat, is_blank, is_prefixed, is_rule, lower, tidy};
use super::subject::{self, Prefix};
use super::{Cut, signature};
use crate::mime::Mail;

/// Lines that an attribution is folded over at most.
const FOLDED: usize = 4;
/// Lines that a block of headers has at most, folded ones among them.
const BLOCK: usize = 30;

/// Words of writing as they stand in "On Monday, Jane wrote:".
const WRITES: &[&str] = &[
    "wrote",
    "writes",
    "schrieb",
    "schreibt",
    "geschrieben",
    "écrit",
    "ecrit",
    "escribió",
    "escribio",
    "escribe",
    "escreveu",
    "scritto",
    "scrisse",
    "schreef",
    "napisał",
    "napisała",
    "napisał(a",
    "napsal",
    "napsala",
    "пишет",
    "писал",
    "писала",
    "писал(а",
    "писали",
    "написал",
    "написала",
    "написал(а",
    "написали",
    "пише",
    "писав",
    "писав(ла",
    "написав",
    "написав(ла",
];
/// "From", before the sender at the end of the line: "3 марта 2025, 12:00 +03:00 от Jane <jane@example.com>:".
const BY: &[&str] = &["от", "від", "from", "von", "de"];
/// How an attribution that is folded begins, beside a number or a weekday.
const BEGINNINGS: &[&str] = &[
    "on ",
    "am ",
    "le ",
    "el ",
    "il ",
    "op ",
    "em ",
    "den ",
    "dnia ",
    "w dniu ",
    "в ",
    "у ",
    "at ",
    "in article",
    "in message",
    "on\u{a0}",
    "вы писали",
    "ви писали",
    "you wrote",
];
/// Weekdays by their first letters.
const WEEKDAYS: &[&str] = &[
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "пн",
    "вт",
    "ср",
    "чт",
    "пт",
    "сб",
    "вс",
    "нд",
    "понед",
    "втор",
    "сред",
    "четв",
    "пятн",
    "субб",
    "воскр",
    "понеділ",
    "вівт",
    "серед",
    "п'ят",
    "неділ",
    "lun",
    "mar",
    "mié",
    "jue",
    "vie",
    "sáb",
    "dom",
    "mer",
    "jeu",
    "ven",
    "sam",
    "dim",
    "mo.",
    "di.",
    "mi.",
    "do.",
    "fr.",
    "sa.",
    "so.",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
];
/// What stands between the dashes above a quoted mail.
const ORIGINALS: &[&str] = &[
    "original message",
    "original appointment",
    "reply message",
    "reply separator",
    "исходное сообщение",
    "оригинальное сообщение",
    "исходное письмо",
    "вихідне повідомлення",
    "оригінальне повідомлення",
    "оригінал повідомлення",
    "ursprüngliche nachricht",
    "originalnachricht",
    "original-nachricht",
    "mensaje original",
    "message original",
    "message d'origine",
    "message d’origine",
    "messaggio originale",
    "messaggio originario",
    "mensagem original",
    "oorspronkelijk bericht",
    "wiadomość oryginalna",
    "oryginalna wiadomość",
    "původní zpráva",
];
/// What stands between the dashes above a forwarded mail.
const FORWARDS: &[&str] = &[
    "forwarded message",
    "forwarded email",
    "forwarded mail",
    "пересылаемое сообщение",
    "пересланное сообщение",
    "перенаправленное сообщение",
    "пересылаемое письмо",
    "пересланное письмо",
    "переадресованное сообщение",
    "переслане повідомлення",
    "перенаправлене повідомлення",
    "переадресоване повідомлення",
    "пересланий лист",
    "weitergeleitete nachricht",
    "weitergeleitete e-mail",
    "mensaje reenviado",
    "message transféré",
    "messaggio inoltrato",
    "mensagem encaminhada",
    "doorgestuurd bericht",
    "wiadomość przekazana",
    "přeposlaná zpráva",
];
/// The same, without dashes, as Apple Mail writes it.
const FORWARDS_BEGIN: &[&str] = &[
    "begin forwarded message",
    "начало переадресованного сообщения",
    "начало пересылаемого сообщения",
    "начало пересланного сообщения",
    "початок листа, що пересилається",
    "початок переспрямованого повідомлення",
    "початок переадресованого повідомлення",
    "початок пересланого повідомлення",
    "anfang der weitergeleiteten nachricht",
    "anfang der weitergeleiteten e-mail",
    "début du message réexpédié",
    "début du message transféré",
    "inicio del mensaje reenviado",
    "inizio messaggio inoltrato",
    "início da mensagem reencaminhada",
    "begin doorgestuurd bericht",
];
/// A label of a quoted mail's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Who wrote it.
    From,
    /// When.
    Date,
    /// To whom.
    To,
    /// To whom else.
    Cc,
    /// About what.
    Subject,
}

/// The labels mail programs write above a quoted or forwarded mail.
const LABELS: &[(Label, &[&str])] = &[
    (
        Label::From,
        &[
            "from",
            "от",
            "от кого",
            "отправитель",
            "від",
            "від кого",
            "відправник",
            "von",
            "absender",
            "de",
            "remitente",
            "expéditeur",
            "da",
            "van",
            "od",
            "från",
        ],
    ),
    (
        Label::Date,
        &[
            "sent",
            "date",
            "sent at",
            "отправлено",
            "отправлен",
            "дата",
            "дата отправки",
            "надіслано",
            "відправлено",
            "gesendet",
            "gesendet am",
            "datum",
            "envoyé",
            "envoyé le",
            "enviado",
            "enviado el",
            "enviada em",
            "enviado em",
            "fecha",
            "data",
            "inviato",
            "verzonden",
            "wysłano",
            "skickat",
        ],
    ),
    (Label::To, &["to", "кому", "получатель", "одержувач", "an", "à", "a", "para", "aan", "do", "till", "destinataire"]),
    (Label::Cc, &["cc", "копия", "копія", "kopie", "copie", "copia", "bcc", "reply-to", "ответить"]),
    (
        Label::Subject,
        &["subject", "тема", "betreff", "objet", "sujet", "asunto", "assunto", "oggetto", "onderwerp", "temat", "ämne"],
    ),
];

/// Cuts quotes and signature off a plain text.
pub fn cut(text: &str) -> Cut {
    cut_of(text, None, false)
}

/// Cuts quotes and signature off a mail: by its plain text where quotes are to be seen in it, else by the structure of its HTML.
/// What was forwarded is no quote.
pub fn cut_mail(mail: &Mail) -> Cut {
    let sender = mail.from.first().map(|from| from.name.as_str());
    if subject::split(&mail.subject).0 == Some(Prefix::Forward) {
        return cut_of(&mail.text, sender, true);
    }
    let by_text = cut_of(&mail.text, sender, false);
    let Some(markup) = &mail.html else { return by_text };
    if mail.plain.is_some() && !by_text.quoted.is_empty() {
        return by_text;
    }
    let by_html = cut_of(&html::text(markup), sender, false);
    let better = !by_html.new.is_empty() && !by_html.quoted.is_empty();
    if better { by_html } else { by_text }
}

/// Whether a line stands above a mail forwarded by a person.
pub(super) fn is_forward_marker(line: &str) -> bool {
    let line = lower(line.trim_start_matches(['>', ' ']));
    match within_dashes(&line) {
        Some(inner) => FORWARDS.iter().any(|words| inner.starts_with(words)),
        None => line.ends_with(':') && FORWARDS_BEGIN.iter().any(|words| line.starts_with(words)),
    }
}

/// What stands between dashes, if a line begins with some.
fn within_dashes(line: &str) -> Option<&str> {
    let is_dash = |c: char| matches!(c, '-' | '_' | '=' | '*' | '\u{2014}' | '\u{2013}');
    let inner = line.trim_start_matches(is_dash);
    let dashes = line.len() - inner.len();
    (dashes >= 2).then(|| inner.trim_end_matches(|c| is_dash(c) || c == ':').trim())
}

fn is_original_marker(line: &str) -> bool {
    let line = lower(line);
    within_dashes(&line).is_some_and(|inner| ORIGINALS.contains(&inner))
}

fn cut_of(text: &str, sender: Option<&str>, forward: bool) -> Cut {
    let lines: Vec<&str> = text.lines().collect();
    let quoted = mark(&lines, forward);
    let of = |wanted: bool| tidy(lines.iter().zip(&quoted).filter(|(_, mark)| **mark == wanted).map(|(line, _)| *line));
    let new = of(false);
    if new.is_empty() {
        // Nothing but a quote, or what looked like one: their text, then.
        return Cut { new: tidy(lines), ..Cut::default() };
    }
    let (new, signature) = signature::split(&new, sender);
    Cut { new, signature, quoted: of(true) }
}

/// Which lines are quoted.
fn mark(lines: &[&str], forward: bool) -> Vec<bool> {
    let mut quoted = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if is_blank(line) {
            at += 1;
            continue;
        }
        if is_prefixed(line) {
            quoted[at] = true;
            at += 1;
            continue;
        }
        if is_forward_marker(line) {
            break;
        }
        let heading = match heading(lines, at, forward) {
            Ok(heading) => heading,
            Err(none) => {
                at += none;
                continue;
            }
        };
        let next = (at + heading.lines..lines.len()).find(|next| !is_blank(lines[*next]));
        let end = match next {
            // The quote is marked by itself; what is not may be the answer.
            Some(next) if is_prefixed(lines[next]) => next,
            None => lines.len(),
            Some(_) if heading.sure => lines.len(),
            Some(_) => {
                at += heading.lines;
                continue;
            }
        };
        let start = above(lines, at);
        quoted[start..end].fill(true);
        at = end;
    }
    quoted
}

/// Where the lines across and the empty lines above a heading begin.
fn above(lines: &[&str], at: usize) -> usize {
    lines[..at].iter().rposition(|line| !is_blank(line) && !is_rule(line)).map_or(0, |last| last + 1)
}

/// What stands above a quoted mail.
struct Heading {
    /// How many lines.
    lines: usize,
    /// What follows is quoted even if nothing marks it.
    sure: bool,
}

/// What begins at a line above a quoted mail; else how many lines hold nothing of the kind.
fn heading(lines: &[&str], at: usize, forward: bool) -> Result<Heading, usize> {
    if let Some(found) = attribution(lines, at) {
        return Ok(found);
    }
    if forward {
        return Err(1);
    }
    if is_original_marker(lines[at]) {
        let after = block(lines, at + 1).map_or(0, |block| block.lines);
        return Ok(Heading { lines: 1 + after, sure: true });
    }
    let block = block(lines, at).ok_or(1_usize)?;
    if block.has(Label::From) {
        // A part of what is too little is less.
        return if block.kinds.len() >= 3 { Ok(Heading { lines: block.lines, sure: true }) } else { Err(block.lines) };
    }
    // Yandex writes to whom and about what above the line that says who wrote.
    match attribution(lines, at + block.lines) {
        Some(after) if block.has(Label::To) && block.has(Label::Subject) => {
            Ok(Heading { lines: block.lines + after.lines, sure: after.sure })
        }
        _ => Err(block.lines),
    }
}

/// "On Monday, Jane wrote:", perhaps folded.
fn attribution(lines: &[&str], at: usize) -> Option<Heading> {
    let mut joined = String::new();
    for folded in 0..FOLDED {
        let line = lines.get(at + folded).filter(|line| !is_blank(line) && !is_prefixed(line))?;
        if folded == 1 && !begins_attribution(&joined) {
            return None;
        }
        if folded > 0 {
            joined.push(' ');
        }
        joined.push_str(&lower(line));
        if let Some(sure) = is_attribution(&joined) {
            return Some(Heading { lines: folded + 1, sure });
        }
    }
    None
}

fn begins_attribution(line: &str) -> bool {
    let line = line.trim_start_matches(['-', '*', '"', ' ']);
    line.starts_with(|c: char| c.is_ascii_digit())
        || BEGINNINGS.iter().any(|start| line.starts_with(start.trim_end()))
        || WEEKDAYS.iter().any(|day| line.starts_with(day))
        || line.contains('@')
}

/// Whether a line (in lower case) says who wrote what follows; `Some(true)` if nobody would write it otherwise.
fn is_attribution(line: &str) -> Option<bool> {
    let line = line.trim_end_matches(['-', '*', '_', ' ']);
    let colon = line.ends_with(':');
    let line = line.trim_end_matches([':', ' ']);
    let last = line.split_whitespace().next_back().map(bare);
    if !colon && !last.is_some_and(|word| WRITES.contains(&word)) {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect();
    let written = words.iter().any(|word| WRITES.contains(word));
    let addressed = line.contains('@');
    let dated = has_date(line);
    if written {
        // "On Monday I wrote:" is somebody telling, not a mail program.
        let tells = words.iter().any(|word| matches!(*word, "i" | "я" | "ich" | "je"));
        return (!tells).then_some(colon && (addressed || dated) || dated && addressed);
    }
    let ends_addressed = addressed && line.ends_with(['>', ']', ')']);
    let by = words.iter().any(|word| BY.contains(word));
    let begins_dated = line.starts_with(|c: char| c.is_ascii_digit()) || WEEKDAYS.iter().any(|day| line.starts_with(day));
    (dated && ends_addressed && begins_dated && (by || line.contains(','))).then_some(true)
}

/// A whole date: with a year, or three numbers with dots, dashes or slashes between.
fn has_date(line: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"')).any(|word| {
        let numbers: Vec<&str> = word.split(['.', '-', '/']).filter(|part| !part.is_empty()).collect();
        let is_number = |part: &&str| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        let is_year = |part: &&str| part.len() == 4 && is_number(part) && (part.starts_with("19") || part.starts_with("20"));
        match numbers.as_slice() {
            [one] => is_year(one) || one.strip_suffix('г').is_some_and(|one| is_year(&one)),
            three => three.len() >= 3 && three.iter().take(3).all(is_number),
        }
    })
}

/// Headers of a quoted mail as a mail program shows them.
struct Block {
    lines: usize,
    kinds: Vec<Label>,
}

impl Block {
    fn has(&self, label: Label) -> bool {
        self.kinds.contains(&label)
    }
}

/// The headers that begin at a line, if some do.
fn block(lines: &[&str], at: usize) -> Option<Block> {
    label(lines.get(at)?)?;
    let mut block = Block { lines: 0, kinds: Vec::new() };
    let mut unknown = 0;
    for (offset, line) in lines.iter().skip(at).take(BLOCK).enumerate() {
        if let Some((label, _)) = label(line) {
            if !block.kinds.contains(&label) {
                block.kinds.push(label);
            }
            block.lines = offset + 1;
            unknown = 0;
            continue;
        }
        // One empty line between labels, or a label's folded value.
        unknown += 1;
        if is_prefixed(line) || line.trim_start().starts_with("--") || unknown > if block.has(Label::To) { 4 } else { 2 } {
            break;
        }
    }
    Some(block)
}

/// A line of a quoted mail's headers: what it is, and its value.
pub(super) fn label(line: &str) -> Option<(Label, &str)> {
    let start = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '\u{200e}' | '\u{200f}'));
    let colon = leadgate_core::text::cut(start, 60).find(':')?;
    let name = flat(&start[..colon]).trim_end_matches(['*', '_', ' ']).to_lowercase();
    let label = LABELS.iter().find(|(_, names)| names.contains(&name.as_str()))?.0;
    let value = start[colon + 1..].trim_start_matches(|c: char| c.is_whitespace() || c == '*').trim_end();
    Some((label, value))
}
