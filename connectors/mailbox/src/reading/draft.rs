//! Everything together: a mail to a draft.

use jiff::Timestamp;
use leadgate_core::submission::{ActivityKind, Draft, Field, MailClass, MailFacts, Purpose, Signal, Typed};
use leadgate_core::text;

use super::author::{self, Author, author};
use super::verdict::decide;
use super::{
    Authenticity, Cut, Forwarded, Notification, Reading, Verdict, Where, addresses, authenticity, cut, cut_mail, failures, form,
    forwarded, found, known_as, language, notification, refers_to, subject,
};
use crate::mime::{Address, Mail};
use crate::settings::{Action, Policy};

/// The most addressees taken from a mail we sent.
const MOST_ADDRESSEES: usize = 20;
/// The most values taken from the cards of a mail.
const MOST_OF_CARDS: usize = 4;
/// How many mails inside each other are looked through for the one that a customer wrote.
const DEEPEST: usize = 4;

/// Reads a mail. Total: whatever came becomes something.
pub fn read(mail: &Mail, at: Where<'_>, policy: &Policy) -> Reading {
    let said = authenticity(mail, policy);
    // Whoever forges our address is none of us.
    let from_us = !said.spoofed && mail.from.first().is_some_and(|from| addresses::is_ours(from, policy));
    let inside = from_us.then(|| forwarded(mail)).flatten();
    let mut form = None;
    let verdict = decide(mail, policy, || {
        if !at.sent && inside.is_none() {
            form = notification(mail, policy).filter(|form| !is_confirmation(form, mail, policy));
        }
        form.as_ref().map(|form| form.by.clone())
    });
    let mut reader = Reader { mail, at, policy, verdict, said, from_us, draft: Draft::default() };
    reader.fill(form, inside);
    reader.finish()
}

struct Reader<'m> {
    mail: &'m Mail,
    at: Where<'m>,
    policy: &'m Policy,
    verdict: Verdict,
    said: Authenticity,
    /// One of ours sent it.
    from_us: bool,
    draft: Draft,
}

impl Reader<'_> {
    fn fill(&mut self, form: Option<Notification>, inside: Option<Forwarded>) {
        let (mail, policy) = (self.mail, self.policy);
        let to_others = || addressees(mail, policy).next().is_some();
        if let Some(form) = form {
            self.notified(&form, mail);
        } else if matches!(self.verdict.class, MailClass::Bounce | MailClass::Report) {
            self.draft.failures = failures(mail);
            self.draft.message = text::present(&mail.text);
        } else if self.at.sent && !self.said.spoofed || self.from_us && to_others() {
            self.sent_by_us();
        } else if let Some(inside) = inside {
            self.passed_on(inside);
        } else {
            let author = author(mail, policy);
            self.written_by(&author, &cut_mail(mail));
        }
        let draft = &mut self.draft;
        draft.activity = ActivityKind::Email;
        draft.refers_to = refers_to(mail);
        draft.known_as = known_as(mail);
        draft.language = draft.language.take().or_else(|| language::of(mail, draft.message.as_deref().unwrap_or_default()));
        if draft.title.is_none() {
            draft.title = text::present(subject::split(&mail.subject).1);
        }
    }

    /// A form's notification: as if the form had called.
    fn notified(&mut self, form: &Notification, mail: &Mail) {
        let (policy, date) = (self.policy, self.mail.date.or(mail.date).unwrap_or(Timestamp::UNIX_EPOCH));
        let draft = &mut self.draft;
        *draft = form::draft(form, date);
        draft.notification = true;
        let answers = mail.reply_to.iter().chain(&mail.from);
        let person = answers
            .filter(|address| is_visitor(address, mail, policy))
            .find_map(|address| Some((address, addresses::key(&address.address)?)));
        if let Some((address, email)) = person {
            if draft.emails.is_empty() {
                draft.emails.push(Typed::new("Reply-To", email.address));
            }
            let same = draft.emails.iter().any(|typed| addresses::key(&typed.text).is_some_and(|known| known.key == email.key));
            if draft.name.is_none() && same {
                draft.name = author::name(address);
            }
        }
    }

    /// A mail that one of ours passed on.
    fn passed_on(&mut self, mut inside: Forwarded) {
        let policy = self.policy;
        let attached = self.mail.inside.first().filter(|inner| inner.from.first() == Some(&inside.from));
        for _ in 0..DEEPEST {
            if !addresses::is_ours(&inside.from, policy) {
                break;
            }
            // Passed on several times among us.
            let below =
                Mail { subject: inside.subject.clone().unwrap_or_default(), text: inside.text.clone(), ..Mail::default() };
            let Some(deeper) = forwarded(&below) else { break };
            inside = deeper;
        }
        let inner = match attached {
            Some(inner) if inner.from.first() == Some(&inside.from) => inner.clone(),
            _ => Mail {
                subject: inside.subject.clone().unwrap_or_default(),
                from: vec![inside.from.clone()],
                text: inside.text.clone(),
                date: self.mail.date,
                ..Mail::default()
            },
        };
        let by = self.mail.from.first().map(shown).unwrap_or_default();
        self.verdict.why.push(format!("{by} passed it on"));
        if let Some(form) = notification(&inner, policy) {
            self.verdict.class = MailClass::FormNotification;
            self.verdict.why.push(form.by.clone());
            self.notified(&form, &inner);
        } else {
            self.verdict.class = MailClass::Human;
            let cut = if inner.html.is_some() { cut_mail(&inner) } else { cut(&inner.text) };
            // The passed-on copy proves nothing: anybody of ours can be fooled.
            self.written_by(&Author { own_channel: false, ..author(&inner, policy) }, &cut);
        }
        self.verdict.may_answer = false;
        self.draft.title = text::present(subject::split(&inner.subject).1).or(self.draft.title.take());
        if let Some(above) = text::present(&inside.above) {
            self.draft.fields.push(Field { name: format!("passed on by {by}"), value: above });
        }
    }

    /// What a manager wrote from a mail program of their own.
    fn sent_by_us(&mut self) {
        let cut = cut_mail(self.mail);
        self.draft.outgoing = true;
        self.draft.message = text::present(&cut.new);
        for (field, email) in addressees(self.mail, self.policy).take(MOST_ADDRESSEES) {
            if !self.draft.emails.iter().any(|known| known.text == email) {
                self.draft.emails.push(Typed::new(field, email));
            }
        }
    }

    /// What somebody wrote.
    fn written_by(&mut self, author: &Author, cut: &Cut) {
        let draft = &mut self.draft;
        draft.message = text::present(&cut.new);
        draft.name.clone_from(&author.name);
        if let Some(address) = &author.address {
            let mut typed = Typed::new(author.field, address.clone());
            typed.proven = author.own_channel && !self.said.spoofed;
            draft.emails.push(typed);
        }
        // Among us, and from machines, what stands in the text is nobody's.
        if author.ours || !matches!(self.verdict.class, MailClass::Human) {
            return;
        }
        let ours = &self.policy.ours;
        let theirs = format!("{}\n{}", cut.new, cut.signature);
        let phones = found::phones(&theirs, self.policy.country, ours);
        draft.phones.extend(phones.into_iter().map(|text| weak("text", text)));
        draft.touch = found::touch(&cut.new, ours, true);
        draft.touch.fill_from(&found::touch(&cut.signature, ours, false));
        self.cards();
    }

    /// People of visiting cards: mostly the sender's own, but not surely.
    fn cards(&mut self) {
        let cards = &self.mail.cards;
        let phones = cards.iter().flat_map(|card| &card.phones).take(MOST_OF_CARDS);
        self.draft.phones.extend(phones.map(|phone| weak("vCard", phone.clone())));
        let emails = cards.iter().flat_map(|card| &card.emails).filter(|email| !self.policy.is_ours(email)).take(MOST_OF_CARDS);
        self.draft.emails.extend(emails.map(|email| weak("vCard", email.clone())));
        if self.draft.name.is_none() && cards.len() == 1 {
            self.draft.name.clone_from(&cards[0].name);
        }
    }

    fn finish(mut self) -> Reading {
        let (mail, at) = (self.mail, self.at);
        let mut signals = Vec::new();
        if self.said.spoofed {
            if self.draft.notification {
                // A form is open to anybody: nothing is won by forging its mail, and web servers seldom may send in the site's name.
                self.verdict.why.push("its sender's address failed the check, as it does for many web servers".to_owned());
            } else {
                let from = mail.from.first().map(shown).unwrap_or_default();
                signals.push(Signal::Spoof { detail: format!("the receiving server says that the mail is not from {from}") });
            }
        }
        let filtered = self.said.spam.take();
        let filtered = filtered.or_else(|| is_junk(at.folder).then(|| format!("it was sorted into the folder {:?}", at.folder)));
        signals.extend(filtered.map(|detail| Signal::Filter { detail }));
        let purpose = match self.policy.action(&self.verdict, mail) {
            Action::Lead => Purpose::Lead,
            Action::Note => Purpose::Note,
        };
        let whole = text::present(&mail.text).filter(|whole| self.draft.message.as_ref() != Some(whole));
        let facts = MailFacts {
            subject: mail.subject.clone(),
            from: mail.from.iter().map(shown).collect::<Vec<_>>().join(", "),
            to: mail.to.iter().map(shown).collect(),
            cc: mail.cc.iter().map(shown).collect(),
            message_id: known_as(mail).into_iter().next().map(|reference| reference.value),
            folder: at.folder.to_owned(),
            class: self.verdict.class,
            why: self.verdict.why.into_iter().chain(mail.problems.iter().cloned()).collect(),
            may_answer: self.verdict.may_answer && !self.draft.outgoing,
            whole,
            truncated: at.truncated,
        };
        self.draft.mail = Some(Box::new(facts));
        Reading { draft: self.draft, purpose, signals }
    }
}

fn weak(field: &str, text: String) -> Typed {
    Typed { found: true, ..Typed::new(field, text) }
}

/// An address as people see it.
fn shown(address: &Address) -> String {
    match (address.name.as_str(), address.address.as_str()) {
        ("", address) => address.to_owned(),
        (name, "") => name.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

/// Those to whom a mail went and who are not of the company, with the field they stand in.
fn addressees<'m>(mail: &'m Mail, policy: &'m Policy) -> impl Iterator<Item = (&'static str, String)> + 'm {
    let to = mail.to.iter().map(|address| ("To", address));
    let others = mail.cc.iter().map(|address| ("Cc", address)).chain(mail.bcc.iter().map(|address| ("Bcc", address)));
    to.chain(others).filter_map(|(field, address)| {
        let email = addresses::key(&address.address)?;
        (!addresses::is_our_email(&email, policy)).then_some((field, email.address))
    })
}

/// Whether a form's mail goes to the visitor it tells of, and not to us: "we have received your request".
fn is_confirmation(form: &Notification, mail: &Mail, policy: &Policy) -> bool {
    let values: Vec<String> = form.pairs.iter().filter_map(|(_, value)| addresses::key(value)).map(|email| email.key).collect();
    let mut to = addressees(mail, policy).peekable();
    let from_us = mail.from.first().is_some_and(|from| addresses::is_ours(from, policy) || addresses::is_no_reply_sender(mail));
    from_us && to.peek().is_some() && to.any(|(_, email)| addresses::key(&email).is_some_and(|email| values.contains(&email.key)))
}

/// Whether an address in the head of a form's mail may be the visitor's: not the site's, not the form's software's.
fn is_visitor(address: &Address, mail: &Mail, policy: &Policy) -> bool {
    let Some(email) = addresses::key(&address.address) else { return false };
    let site = mail.from.first().and_then(|from| addresses::key(&from.address)).is_some_and(|from| from.key == email.key);
    // In From stands the site, unless it is a mailbox of a person's.
    !addresses::takes_no_answers(&email)
        && !addresses::is_our_email(&email, policy)
        && !policy.is_form_sender(&email.address)
        && (!site || email.flags.free_mail)
}

/// Whether a folder is where a mail server puts what it takes for spam.
fn is_junk(folder: &str) -> bool {
    const NAMES: &[&str] = &[
        "junk",
        "junk email",
        "junk e-mail",
        "spam",
        "bulk",
        "bulk mail",
        "спам",
        "нежелательная почта",
        "небажана пошта",
        "junk-e-mail",
        "correo no deseado",
    ];
    let last = folder.rsplit(['/', '.', '|', '\\']).next().unwrap_or_default();
    NAMES.contains(&last.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests;
