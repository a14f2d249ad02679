//! Notifications of forms: a site's own mail about what a visitor typed. Read by their structure, before any quote is cut: what
//! they hold looks like a quoted header and a signature.

mod html;
mod lines;
mod marks;
mod walk;
mod words;

use leadgate_core::phone::{self, Hints};
use leadgate_wire::fields::{self, Kind};

use super::subject::{self, Prefix};
use super::{Notification, addresses, forwarded};
use crate::mime::Mail;
use crate::settings::Policy;
use walk::{Walked, is_reaching};

/// A form's notification, if it is one: at least two labelled fields, one of which names a customer, reaches them or is what they
/// wrote, and nothing that a person's letter has.
pub fn notification(mail: &Mail, policy: &Policy) -> Option<Notification> {
    let configured = addresses::is_form_sender(mail, policy);
    if mail.report.is_some() || mail.calendar.is_some() || (!configured && (answers(mail) || forwarded(mail).is_some())) {
        return None;
    }
    let best = best(mail);
    let by = recognised(mail, policy, configured, &best)?;
    Some(Notification { pairs: pairs(best), by })
}

/// The part of a mail that tells more. The plain part of a mail with both is often made by a machine that glues cells together.
fn best(mail: &Mail) -> Walked {
    let html = || mail.html.as_deref().map(|source| walk::walk(&html::html(source)));
    let Some(plain) = &mail.plain else { return html().unwrap_or_else(|| walk::walk(&lines::plain(&mail.text))) };
    let plain = walk::walk(&lines::plain(plain));
    // Enough to reach somebody: not worth another look.
    if plain.telling() > 2 {
        return plain;
    }
    html().filter(|html| rank(html) > rank(&plain)).unwrap_or(plain)
}

/// Whether a mail answers another: a notification answers nothing.
fn answers(mail: &Mail) -> bool {
    subject::split(&mail.subject).0 == Some(Prefix::Reply)
        || !mail.in_reply_to.is_empty()
        || mail.header("auto-submitted").is_some_and(|said| said.trim().to_ascii_lowercase().starts_with("auto-replied"))
}

fn rank(walked: &Walked) -> (usize, usize, std::cmp::Reverse<usize>) {
    (walked.telling(), walked.pairs.len(), std::cmp::Reverse(walked.stray))
}

/// What recognises a notification, in words; `None`: it is none.
fn recognised(mail: &Mail, policy: &Policy, configured: bool, walked: &Walked) -> Option<String> {
    let known = walked.pairs.iter().filter(|pair| pair.known).count();
    let telling = walked.telling();
    if telling == 0 {
        return None;
    }
    if configured {
        return Some("its sender is a form's, by the configuration".to_owned());
    }
    if is_forwarded(walked) || is_about_us(walked, policy) {
        return None;
    }
    let fields = || format!("{} labelled fields", walked.pairs.len());
    let reached = walked.pairs.iter().any(|pair| is_reaching(pair.kind));
    let person = is_person(mail, policy, walked);
    if walked.pairs.len() < 2 || known < 2 {
        // "Call me": a form of one field, if everything else says that it is one.
        let said = says_form(mail, walked).filter(|_| reached && !person && looks_like_form(walked, true));
        return said.map(|said| format!("a labelled field, and it says {said:?}"));
    }
    if let Some(header) = generator(mail) {
        return (!person || !walked.closed).then(|| format!("{}, and its header {header}", fields()));
    }
    let automatic = addresses::is_no_reply_sender(mail) || from_server(mail);
    if let Some(said) = says_form(mail, walked) {
        // People write "new request" into a subject, too; sites end the visitor's letter with the visitor's phone.
        let from_us = mail.from.first().is_some_and(|from| addresses::is_ours(from, policy));
        let fits = looks_like_form(walked, person) && (automatic || from_us || !walked.closed);
        return fits.then(|| format!("{}, and it says {said:?}", fields()));
    }
    let newsletter = mail.header("list-unsubscribe").is_some();
    if automatic && !walked.closed && looks_like_form(walked, newsletter) {
        return Some(format!("{}, from a sender that takes no answers", fields()));
    }
    let whole = reached || telling >= 2 && walked.pairs.len() >= 3;
    (whole && !person && looks_like_form(walked, true)).then(|| format!("{} and little else", fields()))
}

/// Whether every phone and e-mail is the company's own: somebody's mail about us, such as an invoice.
fn is_about_us(walked: &Walked, policy: &Policy) -> bool {
    let mut reaching = walked.pairs.iter().filter(|pair| is_reaching(pair.kind)).peekable();
    let hints = Hints { configured: policy.country, ..Hints::default() };
    reaching.peek().is_some()
        && reaching.all(|pair| match pair.kind {
            Kind::Email => addresses::key(&pair.value).is_some_and(|email| addresses::is_our_email(&email, policy)),
            _ => phone::read(&pair.value, &hints).phones.first().is_some_and(|phone| policy.ours.phone(&phone.key())),
        })
}

/// The head of a mail that stands below: `From:`, `Sent:`, `To:` in a row, or fields that only machines write.
fn is_forwarded(walked: &Walked) -> bool {
    const MACHINES: &[&str] = &["message-id", "mime-version", "content-type", "content-transfer-encoding", "return-path"];
    if walked.pairs.iter().any(|pair| MACHINES.contains(&pair.label.to_ascii_lowercase().as_str())) {
        return true;
    }
    let headers = walked.pairs.iter().take(6).filter(|pair| words::is_mail_header(&pair.label)).count();
    let from = walked.pairs.first().is_some_and(|pair| pair.kind == Kind::Name || pair.kind == Kind::Email);
    from && headers >= 2 && walked.pairs.len() <= headers + 4
}

/// Whether it comes from a mailbox of a person's, or from the very address it tells of.
fn is_person(mail: &Mail, policy: &Policy, walked: &Walked) -> bool {
    let Some(from) = mail.from.first().and_then(|from| addresses::key(&from.address)) else { return false };
    let itself = walked
        .pairs
        .iter()
        .any(|pair| pair.kind == Kind::Email && addresses::key(&pair.value).is_some_and(|email| email.key == from.key));
    (itself || from.flags.free_mail) && !addresses::is_our_email(&from, policy)
}

/// Whether fields are what the text is made of.
fn looks_like_form(walked: &Walked, strict: bool) -> bool {
    let prose = walked.before.iter().map(|line| line.chars().count()).sum::<usize>();
    if walked.stray > 2 + walked.pairs.len() / 2 || walked.before.iter().any(|line| words::is_closing(line)) {
        return false;
    }
    // A phone and an e-mail below a few words are a signature.
    let announced = walked.before.iter().any(|line| words::says_form(line).is_some());
    let signature =
        !announced && walked.pairs.iter().all(|pair| is_reaching(pair.kind) || pair.kind == Kind::Messenger || !pair.known);
    if !strict {
        return walked.before.is_empty() || (!signature && walked.before.len() <= 12 && prose <= 1200);
    }
    let greets = walked.before.iter().any(|line| words::is_greeting(line) && words::says_form(line).is_none());
    let quiet = walked.before.is_empty() || (!greets && !signature && walked.before.len() <= 4 && prose <= 300);
    quiet && !walked.closed
}

/// A header that only the software of forms writes.
fn generator(mail: &Mail) -> Option<&str> {
    const NAMES: &[&str] =
        &["x-wpcf7", "x-wpforms", "x-ninja", "x-gravity", "x-tilda", "x-bitrix", "x-form", "x-jotform", "x-typeform"];
    let found = mail.headers.iter().find(|(name, _)| NAMES.iter().any(|known| name.starts_with(known)));
    found.map(|(name, _)| name.as_str())
}

/// Whether a program on a web server wrote it (PHP's `mail.add_x_header`, libraries that name themselves).
fn from_server(mail: &Mail) -> bool {
    let mailer = mail.header("x-mailer").map(str::to_ascii_lowercase).unwrap_or_default();
    mail.header("x-php-originating-script").is_some()
        || mail.header("x-php-script").is_some()
        || mailer.starts_with("php")
        || mailer.contains("swiftmailer")
        || mailer.contains("bitrix")
        || mailer.contains("wordpress")
        || mailer.contains("drupal")
}

/// The words of a form in the subject, above the fields or below them.
fn says_form(mail: &Mail, walked: &Walked) -> Option<&'static str> {
    let around = walked.before.iter().rev().take(6).chain(walked.footer.iter().take(6)).map(String::as_str);
    let labels = walked.pairs.iter().filter(|pair| pair.kind != Kind::Message).map(|pair| pair.label.as_str());
    [mail.subject.as_str()].into_iter().chain(around).chain(labels).find_map(words::says_form)
}

/// The pairs, with the page that stands outside of them.
fn pairs(walked: Walked) -> Vec<(String, String)> {
    let paged = walked.pairs.iter().any(|pair| pair.kind == Kind::Page && fields::looks_like_url(&pair.value));
    let mut pairs: Vec<(String, String)> = walked.pairs.into_iter().map(|pair| (pair.label, pair.value)).collect();
    // Of several addresses the one with a query is the page; links for the site's owner have one, too, but lead to its back rooms.
    let pages: Vec<String> = walked.links.into_iter().filter(|link| !is_back_room(link)).collect();
    let page = pages.iter().find(|link| link.contains('?')).or(pages.first());
    if let Some(page) = page.filter(|_| !paged) {
        pairs.push(("Page URL".to_owned(), page.clone()));
    }
    pairs
}

/// Whether a link leads to where only the site's owner goes.
fn is_back_room(link: &str) -> bool {
    ["/admin", "wp-admin", "/bitrix/", "unsubscribe", "/edit", "/responses", "/settings", "/manage", "/dashboard"]
        .iter()
        .any(|part| link.contains(part))
}

#[cfg(test)]
mod tests;
