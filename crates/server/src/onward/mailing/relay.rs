//! What one of us answered to a notice goes on to the customer, with its files; whoever wrote it hears if it cannot.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use leadgate_core::email;
use leadgate_core::ids::{ActivityId, LeadId};
use leadgate_core::mail::{MailClass, MailFacts};
use leadgate_core::onward::{Detail, EventData, Job, News, Pattern, Recipient, Route, Routes, event};
use leadgate_core::ports::{DeliverError, Delivered, Parcel};
use leadgate_core::prepare::{Content, IdentityKind};
use leadgate_mailbox::watch::ATTACHMENT;
use leadgate_outbound::mail::{self, Attached, Heading, Letter, LetterKind, Mailbox, NotPassedOn, Unpassed};

use super::{Mailing, Person, activity, moot, trouble};
use crate::app::Gateway;

/// Bytes of the files of one answer. On the way they are a third more, and many servers take no mail over 25 to 35 MB.
const FILES: u64 = 20_000_000;

fn refused(why: Unpassed) -> DeliverError {
    DeliverError::Refused { words: why.words() }
}

impl Mailing {
    /// What one of us answered to a notice goes to the customer.
    pub(super) async fn relay(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let Some(id) = parcel.job.data.lead else { return Ok(moot("not passed on: it is of no lead")) };
        let Some(lead) = store.lead(id).await.map_err(|error| trouble(&error))? else {
            return Ok(moot("not passed on: the lead does not exist any more"));
        };
        let Some(answer) = activity(Some(&lead), None, parcel) else {
            return Ok(moot("not passed on: there is nothing to pass on any more"));
        };
        let Some(written) = &answer.content.mail else { return Ok(moot("not passed on: it is no mail")) };
        let Some((of, noticed)) = self.notice_of(written).await?.filter(|_| !answer.suspect) else {
            return Ok(moot("not passed on: it was not sent to the address of a notice"));
        };
        if of != id {
            return Err(refused(Unpassed::Moved));
        }
        // The notice that is answered told of that; of former ones it is not known.
        let mut others = lead.timeline.iter().rev().filter(|other| other.id != answer.id && !other.content.outgoing);
        let given = match noticed {
            Some(noticed) => others.find(|other| other.id == noticed),
            None => others.find(|other| other.source.is_some()),
        };
        let Some(to) = mail::customer_address(lead.person.as_ref(), given, &self.rules.ours) else {
            return Err(refused(Unpassed::NoAddress));
        };
        if is_among(&to, &answer.content) {
            return Ok(moot("not passed on: it went to the customer itself"));
        }
        let files = self.files(&answer.content).await?.map_err(refused)?;
        let text = answer.content.message.as_deref().map(str::trim).unwrap_or_default();
        if text.is_empty() && files.is_empty() {
            return Err(refused(Unpassed::Empty));
        }
        let before = given.and_then(|given| given.content.mail.as_ref());
        let subject = subject(&written.subject, before.map(|mail| mail.subject.as_str()), &self.people.company);
        let letter = self.passed_on(self.heading(parcel, to), before, (subject, text), files);
        self.mailer.send(&letter).await
    }

    /// The notice to whose address a mail of a person's was sent: of which lead, and of which activity.
    async fn notice_of(&self, written: &MailFacts) -> Result<Option<(LeadId, Option<ActivityId>)>, DeliverError> {
        let Some(signer) = self.gateway.signer().await else {
            return Err(DeliverError::Later { words: "the key of links cannot be read".to_owned(), after: None });
        };
        let addressed: Vec<String> = written.to.iter().chain(&written.cc).cloned().collect();
        let own = self.mailer.settings().from.email();
        Ok(signer.read_reply(own, &addressed).filter(|_| written.class == MailClass::Human))
    }

    /// The letter a customer gets: from the company, in the thread of their own mail if they wrote one.
    fn passed_on(
        &self,
        heading: Heading,
        before: Option<&MailFacts>,
        (subject, text): (String, &str),
        files: Vec<Attached>,
    ) -> Letter {
        let name = if heading.from.name().is_empty() { self.people.company.as_str() } else { heading.from.name() };
        let in_reply_to = before.and_then(|mail| mail.message_id.clone());
        Letter {
            from: Mailbox::new(name, heading.from.email()).unwrap_or_else(|| heading.from.clone()),
            to: heading.to,
            reply_to: None,
            subject,
            text: format!("{text}\n"),
            html: None,
            files,
            message_id: heading.message_id,
            references: in_reply_to.iter().cloned().collect(),
            in_reply_to,
            envelope_from: heading.envelope_from,
            kind: LetterKind::Written,
            date: heading.date,
            canary: None,
        }
    }

    /// Whoever wrote an answer hears that the customer does not have it; at once, for they are at work.
    pub(super) async fn not_passed_on(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let (Some(lead), _) = self.about(parcel).await? else { return Ok(moot("the lead does not exist any more")) };
        let answer = activity(Some(&lead), None, parcel);
        let Some(written) = answer.and_then(|answer| answer.content.mail.as_ref()) else {
            return Ok(moot("the answer does not exist any more"));
        };
        let Some(author) = email::read(&written.from).emails.into_iter().next() else { return Ok(moot("nobody wrote it")) };
        let is_theirs = |person: &&Person| person.keys().any(|key| key == author.key);
        let (name, reader) = match self.people.managers.values().find(is_theirs) {
            Some(person) => (person.reader.name.as_str(), person.reader.clone()),
            None if self.rules.ours.email(&author.key, &author.domain) => ("", self.reader("")),
            None => return Ok(moot("whoever wrote it is none of the company")),
        };
        let Some(to) = Mailbox::new(name, &author.address) else { return Ok(moot("whoever wrote it cannot be written to")) };
        let words = parcel.job.data.detail.as_ref().map(|detail| detail.words.as_str()).unwrap_or_default();
        let who = lead.person.as_ref().map_or(lead.lead.name.as_str(), |person| person.contact.name.as_str());
        let told = NotPassedOn { lead: lead.lead.id, who, words, at: parcel.job.at };
        let mut heading = self.heading(parcel, to);
        heading.references.extend(written.message_id.clone());
        heading.in_reply_to.clone_from(&written.message_id);
        self.send(told.letter(&reader, &self.mailer.settings().templates, heading)).await
    }

    /// The files of an answer, all of them or none.
    async fn files(&self, of: &Content) -> Result<Result<Vec<Attached>, Unpassed>, DeliverError> {
        let unread = |words: String| DeliverError::Later { words: format!("a file cannot be read: {words}"), after: None };
        let cut = of.mail.as_ref().is_some_and(|mail| mail.truncated.is_some());
        if cut || of.fields.iter().any(|field| field.name == ATTACHMENT) {
            return Ok(Err(Unpassed::Incomplete));
        }
        if of.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size)) > FILES {
            return Ok(Err(Unpassed::TooLarge));
        }
        let mut files = Vec::with_capacity(of.files.len());
        for file in &of.files {
            let found = self.gateway.attachments.read(&file.sha256).await.map_err(|error| unread(error.to_string()))?;
            // It has the size that was counted, for it has that hash.
            let Some((_, mut stream)) = found else { return Ok(Err(Unpassed::Incomplete)) };
            let mut bytes = Vec::new();
            while let Some(piece) = stream.try_next().await.map_err(|error| unread(error.to_string()))? {
                bytes.extend_from_slice(&piece);
            }
            files.push(Attached { name: file.name.clone(), content_type: file.content_type.clone(), bytes });
        }
        Ok(Ok(files))
    }
}

/// An answer that did not reach the customer: who wrote it hears of it, whoever else does.
pub(in crate::onward) fn not_passed_on(gateway: &Gateway, job: &Job, words: &str, now: Timestamp) -> News {
    let mut routes: Vec<Route> = gateway.live().rules.routes.iter().cloned().collect();
    routes.push(Route {
        target: job.target.as_str().into(),
        recipient: Recipient::Author,
        events: vec![Pattern::One(event::MAIL_REFUSED.to_owned())],
        sources: None,
        ordered: false,
    });
    let detail = Some(Detail { words: words.to_owned(), ..Detail::default() });
    News {
        id: gateway.clock.event(),
        name: event::MAIL_REFUSED,
        at: now,
        source: None,
        data: EventData { detail, by: None, ..job.data.clone() },
        routes: Arc::new(Routes::new(routes)),
    }
}

/// Whether a mail was sent to this address as well.
fn is_among(to: &Mailbox, content: &Content) -> bool {
    let Some(to) = email::read(to.email()).emails.into_iter().next() else { return false };
    let sent_to = content.values.iter().filter(|value| value.kind == IdentityKind::EMAIL);
    sent_to.filter_map(|value| value.value.as_deref()).any(|key| key == to.key)
}

/// The subject that a customer sees. That of an answer to a notice is the notice's, which is for the company alone.
fn subject(answer: &str, customers: Option<&str>, company: &str) -> String {
    let marked = |subject: &str| {
        let mark = |mark: &str| (2..=8).contains(&mark.chars().count()) && mark.chars().next().is_some_and(char::is_alphabetic);
        subject.split_once(':').is_some_and(|(before, _)| mark(before.trim()))
    };
    let customers = customers.map(str::trim).filter(|subject| !subject.is_empty());
    match (answer.trim(), customers) {
        (own, _) if !own.is_empty() && !marked(own) => own.to_owned(),
        (_, Some(theirs)) if marked(theirs) => theirs.to_owned(),
        (_, Some(theirs)) => format!("Re: {theirs}"),
        (_, None) => company.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_sees_their_own_subject_or_the_manager_s_and_never_a_notice_s() {
        for (answer, customers, shown) in [
            ("Re: New lead: Vera (site)", Some("A fence"), "Re: A fence"),
            ("Ответ: Новая заявка", Some("RE: Забор"), "RE: Забор"),
            ("Re[2]: New lead", None, "Zavod"),
            ("AW: New lead", Some(" "), "Zavod"),
            ("Your fence", Some("A fence"), "Your fence"),
            ("", None, "Zavod"),
        ] {
            assert_eq!(subject(answer, customers, "Zavod"), shown, "{answer}");
        }
    }
}
