//! Mails that could not be delivered: what tells them, and whom they were for.
//!
//! First what machines wrote for machines (RFC 3464, `X-Failed-Recipients`), then the words of mail servers: there are as many
//! as there are servers, so what is looked for is what they have in common, an address beside words of failure.

mod address;
mod report;
mod scan;
mod text;
mod words;

use leadgate_core::submission::Failure;

use self::report::Outcome;
use crate::mime::Mail;

pub(super) use words::{Writer, writer};

/// How long the words of a server are kept, bytes.
const WORDS: usize = 300;

/// Addresses that could not be reached, as a bounce tells.
pub fn failures(mail: &Mail) -> Vec<Failure> {
    let (told, outcome) = report::failures(mail);
    if !told.is_empty() || outcome == Outcome::Delivered {
        return told;
    }
    let notice = text::Notice::of(mail);
    let named = named(mail, &notice);
    if !named.is_empty() {
        return named;
    }
    notice.failures(mail)
}

/// `X-Failed-Recipients`, as Exim and Gmail write it.
fn named(mail: &Mail, notice: &text::Notice<'_>) -> Vec<Failure> {
    let mut out: Vec<Failure> = Vec::new();
    let values = mail.headers.iter().filter(|(name, _)| name == "x-failed-recipients").flat_map(|(_, value)| value.split(','));
    for address in values.map(|value| value.trim().trim_matches(['<', '>'])).filter(|value| value.contains('@')) {
        if !out.iter().any(|known| known.address.eq_ignore_ascii_case(address)) {
            out.push(notice.failure(address.to_owned()));
        }
    }
    out
}

/// Why a mail is a bounce, in words; nothing if it is none.
pub(super) fn sign(mail: &Mail) -> Option<String> {
    match report::failures(mail).1 {
        Outcome::Delivered | Outcome::Other => return None,
        Outcome::Failed => return Some("it holds a report of a failed delivery (RFC 3464)".to_owned()),
        Outcome::Delayed => return Some("it holds a report of a delayed delivery (RFC 3464)".to_owned()),
        Outcome::Silent => return Some("it holds a report on a delivery that names nobody (RFC 3464)".to_owned()),
        Outcome::None => {}
    }
    if mail.header("x-failed-recipients").is_some() {
        return Some("X-Failed-Recipients names an address".to_owned());
    }
    let returned = null_return_path(mail);
    let titled = words::is_failure_subject(&mail.subject);
    let writer = writer(mail);
    if writer == Writer::Other && !titled {
        return None;
    }
    let notice = text::Notice::of(mail);
    let told = notice.tells_failure();
    let enough = match writer {
        Writer::Daemon => titled || told || notice.names_somebody(),
        // A person may write under this name.
        Writer::Postmaster => titled || returned && told || told && notice.names_surely(),
        Writer::Other => told && (returned || notice.names_somebody()),
    };
    enough.then(|| match writer {
        Writer::Other => "subject and text say that a mail could not be delivered".to_owned(),
        Writer::Daemon | Writer::Postmaster => format!("{} writes that a mail could not be delivered", shown_sender(mail)),
    })
}

/// Whether a report says that all went well: delivered, relayed, expanded.
pub(super) fn is_success(mail: &Mail) -> bool {
    report::failures(mail).1 == Outcome::Delivered
}

/// Return-Path is `<>`: nobody waits for an answer (RFC 5321, 4.5.5).
pub(super) fn null_return_path(mail: &Mail) -> bool {
    mail.header("return-path").is_some_and(|path| {
        let path = path.trim().trim_start_matches('<').trim_end_matches('>').trim();
        path.is_empty() || path.eq_ignore_ascii_case("mailer-daemon")
    })
}

fn shown_sender(mail: &Mail) -> String {
    mail.from.first().map_or_else(
        || "a mail server".to_owned(),
        |from| if from.address.is_empty() { from.name.clone() } else { from.address.clone() },
    )
}

/// Message-ID of the mail that a bounce or another report speaks of.
pub(super) fn original(mail: &Mail) -> Option<String> {
    let reported = mail.report.as_ref().and_then(|report| report.original_id.clone());
    if reported.is_some() {
        return reported;
    }
    if mail.report.is_none() && sign(mail).is_none() {
        return None;
    }
    let inside = || mail.inside.first().and_then(|inside| inside.message_id.clone());
    inside().or_else(|| text::Notice::of(mail).returned_id())
}
