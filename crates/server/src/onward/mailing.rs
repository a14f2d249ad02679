//! What is owed by mail: whom it goes to now, and what it says.

mod relay;
mod replying;

pub(super) use self::relay::not_passed_on;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::change::Stage;
use leadgate_core::email;
use leadgate_core::ids::SourceId;
use leadgate_core::language::Language;
use leadgate_core::onward::{AlarmView, EVENTS, JobState, Quiet, Recipient, Subject, event, of_address};
use leadgate_core::ports::{Deliver, DeliverError, Delivered, Parcel, Store, StoreError};
use leadgate_core::receipt::Outcome;
use leadgate_core::rules::Rules;
use leadgate_core::submission::Reference;
use leadgate_core::views::{
    ActivityView, ContactDetail, LeadDetail, LeadFilter, LeadSummary, PageAt, SubmissionFilter, SubmissionSummary,
};
use leadgate_outbound::mail::{
    self, AlarmNotice, AutoReply, Heading, Health, Kept, Letter, LetterError, LetterKind, Link as Button, Mailbox, Mailer,
    ManagerDigest, Notice, OperatorDigest, Reader, ReplyVia, Row, Silent,
};

use super::canary::{self, Flight};
use super::links::Deed;
use super::managers;
use crate::app::Gateway;
use crate::config::{self, Road};

/// Rows of a list in a digest.
const ROWS: u32 = 20;
/// What a digest tells of.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Whom mails go to, and how they read.
pub struct People {
    /// The company's name.
    pub company: String,
    /// Its language.
    pub language: Language,
    /// Where it is.
    pub zone: TimeZone,
    /// The operator's addresses.
    pub operator: Vec<String>,
    /// Managers by id.
    pub managers: BTreeMap<String, Person>,
    /// What customers are answered, by source.
    pub auto_replies: BTreeMap<SourceId, config::AutoReply>,
    /// The address under which people reach the gateway, without a trailing slash.
    pub base_url: String,
}

/// A manager, as mails see them.
pub struct Person {
    /// Their address, if they have one.
    pub email: Option<String>,
    /// How they read.
    pub reader: Reader,
    /// When they are not to be disturbed.
    pub quiet: Option<Quiet>,
    /// Whether they are told of leads by mail; digests are mails in any case.
    pub noticed: bool,
}

/// Delivers mails.
pub struct Mailing {
    mailer: Mailer,
    people: People,
    rules: Arc<Rules>,
    gateway: Arc<Gateway>,
}

/// One who gets a mail.
struct To<'a> {
    mailbox: Mailbox,
    reader: Reader,
    /// By what they are known when they follow a link.
    by: &'a str,
}

impl Person {
    /// Their addresses in canonical form: one, or none.
    fn keys(&self) -> impl Iterator<Item = String> {
        let read = self.email.as_deref().map(|address| email::read(address).emails).unwrap_or_default();
        read.into_iter().map(|email| email.key)
    }
}

/// Nothing is to be delivered.
fn moot(words: &str) -> Delivered {
    Delivered { refs: Vec::new(), words: words.to_owned() }
}

fn trouble(error: &StoreError) -> DeliverError {
    DeliverError::Later { words: format!("what is to be told cannot be read: {error}"), after: None }
}

fn unwritten(error: &LetterError) -> DeliverError {
    DeliverError::Refused { words: format!("the mail cannot be written: {error}") }
}

/// The manager it is for now.
fn whose(parcel: &Parcel) -> Option<&str> {
    match &parcel.job.recipient {
        Recipient::Manager(id) => Some(id),
        Recipient::Responsible => {
            let lead = parcel.brief.lead.as_ref().and_then(|lead| lead.responsible.as_deref());
            lead.or_else(|| parcel.brief.contact.as_ref().and_then(|contact| contact.responsible.as_deref()))
        }
        _ => None,
    }
}

impl Mailing {
    /// By this mailer, to these people.
    pub fn new(mailer: Mailer, people: People, rules: Arc<Rules>, gateway: Arc<Gateway>) -> Self {
        Self { mailer, people, rules, gateway }
    }

    async fn store(&self) -> Result<&Arc<dyn Store>, DeliverError> {
        let closed = || DeliverError::Later { words: "the database is not open".to_owned(), after: None };
        self.gateway.store().await.ok_or_else(closed)
    }

    fn reader(&self, name: &str) -> Reader {
        Reader { language: self.people.language, zone: self.people.zone.clone(), name: name.to_owned() }
    }

    fn heading(&self, parcel: &Parcel, to: Mailbox) -> Heading {
        // The same at every attempt, as the Message-ID is.
        self.mailer.settings().heading(parcel.job.id, to, parcel.job.at)
    }

    /// Whom it goes to now; nobody: why.
    fn to<'a>(&'a self, parcel: &'a Parcel) -> Result<Result<To<'a>, Delivered>, DeliverError> {
        match &parcel.job.recipient {
            Recipient::Manager(_) | Recipient::Responsible => match whose(parcel) {
                Some(id) => self.manager(id, parcel),
                None => Ok(Err(moot("nobody works on it"))),
            },
            Recipient::Address(address) => {
                let refused = || DeliverError::Refused { words: "nobody can be written to at this address".to_owned() };
                Ok(Ok(self.address(address).ok_or_else(refused)?))
            }
            Recipient::Target
            | Recipient::Customer
            | Recipient::Relay
            | Recipient::Author
            | Recipient::Canary(_)
            | Recipient::Reply
            | Recipient::Chat(_) => Ok(Err(moot("nobody is written to"))),
        }
    }

    fn address<'a>(&self, address: &'a str) -> Option<To<'a>> {
        Some(To { mailbox: Mailbox::new("", address)?, reader: self.reader(""), by: address })
    }

    fn manager<'a>(&'a self, id: &'a str, parcel: &Parcel) -> Result<Result<To<'a>, Delivered>, DeliverError> {
        let Some(person) = self.people.managers.get(id) else { return Ok(Err(moot("there is no such manager any more"))) };
        if !person.noticed && parcel.job.name != event::DIGEST_DUE {
            return Ok(Err(moot("the manager is not told by mail")));
        }
        let name = person.reader.name.as_str();
        let Some(mailbox) = person.email.as_deref().and_then(|email| Mailbox::new(name, email)) else {
            return Ok(Err(moot("the manager has no address")));
        };
        let until = person.quiet.as_ref().map_or(parcel.now, |quiet| quiet.free_at(parcel.now));
        if until > parcel.now {
            return Err(DeliverError::Quiet { until });
        }
        Ok(Ok(To { mailbox, reader: person.reader.clone(), by: id }))
    }

    /// What it is about, as it stands now: a lead with its person, or a person without one.
    async fn about(&self, parcel: &Parcel) -> Result<(Option<LeadDetail>, Option<ContactDetail>), DeliverError> {
        let (store, data) = (self.store().await?, &parcel.job.data);
        let lead = match data.lead {
            Some(id) => store.lead(id).await.map_err(|error| trouble(&error))?,
            None => None,
        };
        let person = match (&lead, data.contact) {
            (None, Some(id)) => store.contact(id).await.map_err(|error| trouble(&error))?,
            _ => None,
        };
        Ok((lead, person))
    }

    async fn send(&self, letter: Result<Letter, LetterError>) -> Result<Delivered, DeliverError> {
        let letter = letter.map_err(|error| unwritten(&error))?;
        self.mailer.send(&letter).await
    }

    /// A link that acts, if one can be made.
    async fn link(&self, deed: Deed, by: &str, now: Timestamp) -> Option<String> {
        let signer = self.gateway.signer().await?;
        signer.path(deed, by, now).map(|path| format!("{}{path}", self.people.base_url))
    }

    // ----------------------------------------------------------------------------------------------------------- notices

    async fn notice(&self, parcel: &Parcel, to: To<'_>) -> Result<Delivered, DeliverError> {
        let (lead, person) = self.about(parcel).await?;
        if lead.is_none() && person.is_none() && parcel.job.data.submission.is_none() {
            return Ok(moot("it does not exist any more"));
        }
        let activity = activity(lead.as_ref(), person.as_ref(), parcel);
        let whose = lead.as_ref().and_then(|lead| lead.person.as_ref()).or(person.as_ref());
        let answers = mail::customer_address(whose, activity, &self.rules.ours);
        let urls = self.deeds(parcel, lead.as_ref(), person.as_ref(), &to).await;
        let links: Vec<Button<'_>> = urls.iter().map(|(label, url)| Button { label, url }).collect();
        let notice = Notice {
            event: &parcel.job.name,
            now: parcel.now,
            lead: lead.as_ref(),
            person: person.as_ref(),
            activity,
            source: "",
            links: &links,
            answers: answers.is_some(),
        };
        let mut heading = self.heading(parcel, to.mailbox);
        heading.reply_to = self.reply_to(answers, lead.as_ref(), activity).await;
        let about = lead.as_ref().map(|lead| lead.uuid).or_else(|| person.as_ref().map(|person| person.uuid));
        heading.references.extend(about.map(|about| self.mailer.settings().thread(about)));
        let token = heading.reply_to.as_ref().map(|to| to.email().to_owned()).filter(|_| self.answers_come_here());
        let letter = notice.letter(&to.reader, &self.mailer.settings().templates, heading);
        let mut delivered = self.send(letter).await?;
        // A mail to the address of a notice answers it, even if its program does not say so.
        delivered.refs.extend(token.map(|token| (Reference::MESSAGE_ID.to_owned(), token)));
        Ok(delivered)
    }

    /// What the reader may do, with the links that do it.
    async fn deeds(
        &self,
        parcel: &Parcel,
        lead: Option<&LeadDetail>,
        person: Option<&ContactDetail>,
        to: &To<'_>,
    ) -> Vec<(&'static str, String)> {
        let russian = to.reader.language == Language::Ru;
        let (take, junk, release, open) = if russian {
            ("Взять в работу", "Это спам", "Принять заявку", "Открыть")
        } else {
            ("Take it", "It is junk", "Let it in", "Open")
        };
        let is_manager = self.people.managers.contains_key(to.by);
        let mut deeds = Vec::new();
        match (lead, person) {
            (Some(lead), _) if lead.lead.stage == Stage::New => {
                let id = lead.lead.id;
                if is_manager && lead.lead.responsible.is_none() {
                    deeds.push((take, Deed::Take(id)));
                }
                deeds.push((junk, Deed::Junk(id)));
            }
            (None, Some(person)) if person.contact.waiting_since.is_some() && is_manager => {
                deeds.push((take, Deed::TakeContact(person.contact.id)));
            }
            _ => {}
        }
        if parcel.job.name == event::SUBMISSION_QUARANTINED || parcel.job.name == event::SUBMISSION_SPAM {
            deeds.extend(parcel.job.data.submission.map(|id| (release, Deed::Release(id))));
        }
        let mut links = Vec::with_capacity(deeds.len());
        for (label, deed) in deeds {
            links.extend(self.link(deed, to.by, parcel.now).await.map(|url| (label, url)));
        }
        if let Some(lead) = lead {
            links.extend(self.gateway.open_url(lead.lead.id, to.by, parcel.now).await.map(|url| (open, url)));
        }
        links
    }

    fn answers_come_here(&self) -> bool {
        self.mailer.settings().reply_via == ReplyVia::Gateway
    }

    /// Where an answer to a notice goes: to the customer, or to the gateway, which passes it on.
    async fn reply_to(
        &self,
        customer: Option<Mailbox>,
        lead: Option<&LeadDetail>,
        activity: Option<&ActivityView>,
    ) -> Option<Mailbox> {
        let settings = self.mailer.settings();
        let customer = customer?;
        match lead {
            Some(lead) if self.answers_come_here() => {
                let address =
                    self.gateway.signer().await?.reply_address(settings.from.email(), lead.lead.id, activity.map(|it| it.id))?;
                Mailbox::new(customer.name(), &address)
            }
            _ => Some(customer),
        }
    }

    // ---------------------------------------------------------------------------------------------------------- canaries

    /// A mail to one of our own mailboxes, which its watcher finds.
    async fn canary(&self, parcel: &Parcel, source: &str) -> Result<Delivered, DeliverError> {
        let Flight { road, mark } = match canary::begin(&self.gateway, parcel, source).await? {
            Ok(flight) => flight,
            Err(moot) => return Ok(moot),
        };
        let Road::Mailbox(address) = &road else { return Ok(moot("it does not go by mail any more")) };
        let refused = || DeliverError::Refused { words: "nobody can be written to at the address of the mailbox".to_owned() };
        let to = Mailbox::new("", address).ok_or_else(refused)?;
        let Heading { from, to, message_id, envelope_from, date, .. } = self.heading(parcel, to);
        let text = match self.people.language {
            Language::Ru => {
                "Это письмо шлюз отправил сам себе, чтобы проверить дорогу. Делать ничего не нужно, письмо можно удалить."
            }
            Language::En => "The gateway sent this mail to itself to try the way. Nothing is to be done; it may be deleted.",
        };
        let letter = Letter {
            from,
            to,
            reply_to: None,
            subject: "Leadgate canary".to_owned(),
            text: format!("{text}\n"),
            html: None,
            files: Vec::new(),
            message_id,
            in_reply_to: None,
            references: Vec::new(),
            envelope_from,
            kind: LetterKind::Notice,
            date,
            canary: Some(mark),
        };
        self.mailer.send(&letter).await
    }

    // ----------------------------------------------------------------------------------------------------------- answers

    async fn answer(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let (lead, person) = self.about(parcel).await?;
        let Some(activity) = activity(lead.as_ref(), person.as_ref(), parcel) else {
            return Ok(moot("not answered: there is nothing to answer any more"));
        };
        let configured = activity.source.as_ref().and_then(|source| Some((source, self.people.auto_replies.get(source)?)));
        let Some((source, reply)) = configured else { return Ok(moot("not answered: the source answers nobody any more")) };
        let whose = lead.as_ref().and_then(|lead| lead.person.as_ref()).or(person.as_ref());
        let summary = lead.as_ref().map(|lead| &lead.lead);
        let mailbox = match mail::may_be_answered(activity, summary, whose, &self.rules.ours) {
            Ok(mailbox) => mailbox,
            Err(why) => {
                let why: Vec<String> = why.into_iter().map(mail::Unanswered::words).collect();
                return Ok(moot(&format!("not answered: {}", why.join("; "))));
            }
        };
        let key =
            email::read(mailbox.email()).emails.into_iter().next().map_or_else(|| mailbox.email().to_owned(), |email| email.key);
        let store = self.store().await?;
        let may = store.may_answer(parcel.job.id, of_address(&key), source.clone(), reply.per_hour, parcel.now).await;
        if !may.map_err(|error| trouble(&error))? {
            return Ok(moot(
                "not answered: the address was answered within a day, or the source has answered enough in this hour",
            ));
        }
        let answer = AutoReply {
            language: self.people.language,
            company: &self.people.company,
            expect: "",
            subject: reply.subject.as_deref().unwrap_or_default(),
            text: reply.text.as_deref().unwrap_or_default(),
        };
        let mut heading = self.heading(parcel, mailbox);
        heading.in_reply_to = activity.content.mail.as_ref().and_then(|mail| mail.message_id.clone());
        heading.references.extend(heading.in_reply_to.clone());
        let letter = answer.letter(&self.mailer.settings().templates, heading);
        self.send(letter).await
    }

    // ------------------------------------------------------------------------------------------------------------ alarms

    async fn alarm(&self, parcel: &Parcel, to: To<'_>) -> Result<Delivered, DeliverError> {
        let detail = parcel.job.data.detail.clone().unwrap_or_default();
        let notice = AlarmNotice { event: &parcel.job.name, at: parcel.job.at, detail: &detail, links: &[] };
        let heading = self.heading(parcel, to.mailbox);
        let token = heading.reply_to.as_ref().map(|to| to.email().to_owned()).filter(|_| self.answers_come_here());
        let letter = notice.letter(&to.reader, &self.mailer.settings().templates, heading);
        let mut delivered = self.send(letter).await?;
        // A mail to the address of a notice answers it, even if its program does not say so.
        delivered.refs.extend(token.map(|token| (Reference::MESSAGE_ID.to_owned(), token)));
        Ok(delivered)
    }

    // ----------------------------------------------------------------------------------------------------------- digests

    async fn digest(&self, parcel: &Parcel, to: To<'_>) -> Result<Delivered, DeliverError> {
        match &parcel.job.recipient {
            Recipient::Manager(id) => self.managers_digest(parcel, id, to).await,
            _ => self.operators_digest(parcel, to).await,
        }
    }

    async fn managers_digest(&self, parcel: &Parcel, id: &str, to: To<'_>) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let page = || PageAt { after: None, limit: ROWS };
        let since = parcel.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let list = async |filter: LeadFilter| -> Result<Vec<LeadSummary>, DeliverError> {
            Ok(store.leads(filter, page()).await.map_err(|error| trouble(&error))?.items)
        };
        let new = list(LeadFilter { since: Some(since), ..LeadFilter::default() }).await?;
        let waiting = LeadFilter { stage: Some(Stage::New), responsible: Some(String::new()), ..LeadFilter::default() };
        let mut waiting = list(waiting).await?;
        waiting.sort_by_key(|lead| lead.created_at);
        let own = LeadFilter { open: Some(true), responsible: Some(id.to_owned()), ..LeadFilter::default() };
        let mut open = list(own).await?;
        open.sort_by_key(|lead| lead.touched_at);
        let row = |lead| Row { lead, url: "" };
        let (new, waiting, open): (Vec<Row<'_>>, Vec<Row<'_>>, Vec<Row<'_>>) =
            (new.iter().map(row).collect(), waiting.iter().map(row).collect(), open.iter().map(row).collect());
        let digest = ManagerDigest { now: parcel.now, new: &new, waiting: &waiting, open: &open, links: &[] };
        if digest.is_empty() {
            return Ok(moot("there is nothing to tell"));
        }
        let heading = self.heading(parcel, to.mailbox);
        let letter = digest.letter(&to.reader, &self.mailer.settings().templates, heading);
        self.send(letter).await
    }

    fn health(&self, alarms: &[AlarmView]) -> Health {
        let free = self.gateway.disk_free.load(Ordering::Relaxed);
        let clock = alarms.iter().find(|alarm| alarm.name == event::CLOCK_WRONG).and_then(|alarm| alarm.detail.count);
        Health {
            disk_free: (free != u64::MAX).then_some(free),
            disk_low: self.gateway.space.is_low(),
            certificate_until: self.gateway.certificate().map(|certificate| certificate.expires_at),
            clock_off: clock.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs),
        }
    }

    async fn operators_digest(&self, parcel: &Parcel, to: To<'_>) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let since = parcel.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let kept = async |outcome: Outcome, since: Option<Timestamp>| -> Result<Vec<SubmissionSummary>, DeliverError> {
            let filter = SubmissionFilter { outcomes: vec![outcome], since, ..SubmissionFilter::default() };
            let at = PageAt { after: None, limit: 500 };
            Ok(store.submissions(filter, at).await.map_err(|error| trouble(&error))?.items)
        };
        let (quarantined, spam) = (kept(Outcome::Quarantined, None).await?, kept(Outcome::Spam, Some(since)).await?);
        let mut urls = Vec::new();
        for one in quarantined.iter().take(ROWS as usize).chain(spam.iter().take(ROWS as usize)) {
            urls.push(self.link(Deed::Release(one.id), to.by, parcel.now).await.unwrap_or_default());
        }
        let label = if to.reader.language == Language::Ru { "Принять заявку" } else { "Let it in" };
        let buttons: Vec<[Button<'_>; 1]> = urls.iter().map(|url| [Button { label, url }]).collect();
        let shown = |items: &'_ [SubmissionSummary]| items.len().min(ROWS as usize);
        let (of_quarantine, of_spam) = buttons.split_at(shown(&quarantined));
        let quarantine: Vec<Kept<'_>> =
            quarantined.iter().zip(of_quarantine).map(|(submission, links)| Kept { submission, who: "", links }).collect();
        let spams: Vec<Kept<'_>> =
            spam.iter().zip(of_spam).map(|(submission, links)| Kept { submission, who: "", links }).collect();
        let leads = LeadFilter { since: Some(since), ..LeadFilter::default() };
        let leads =
            store.leads(leads, PageAt { after: None, limit: 500 }).await.map_err(|error| trouble(&error))?.items.len() as u64;
        let counts = store.job_counts().await.map_err(|error| trouble(&error))?;
        let dead: Vec<(&str, u64)> =
            counts.iter().filter(|(_, state, _)| *state == JobState::Dead).map(|(target, _, n)| (target.as_str(), *n)).collect();
        let alarms = store.alarms().await.map_err(|error| trouble(&error))?;
        let silent: Vec<Silent<'_>> = alarms
            .iter()
            .filter(|alarm| alarm.name == event::SOURCE_SILENT)
            .map(|alarm| Silent { source: &alarm.key, since: Some(alarm.since) })
            .collect();
        let digest = OperatorDigest {
            now: parcel.now,
            leads,
            alarms: &alarms,
            quarantined: quarantined.len() as u64,
            quarantine: &quarantine,
            spam: spam.len() as u64,
            spams: &spams,
            dead: &dead,
            silent: &silent,
            health: self.health(&alarms),
            links: &[],
        };
        let heading = self.heading(parcel, to.mailbox);
        let letter = digest.letter(&to.reader, &self.mailer.settings().templates, heading);
        self.send(letter).await
    }
}

impl Mailing {
    /// Tells a manager; while mails to them come back, the operator. A digest tries whether they still do.
    async fn to_manager(&self, parcel: &Parcel, (id, address): (&str, &str)) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let alarm = managers::standing(&**store, id, address).await.map_err(|error| trouble(&error))?;
        let is_digest = parcel.job.name == event::DIGEST_DUE;
        let operator = || self.people.operator.iter().filter(|operator| *operator != address).find_map(|to| self.address(to));
        if let Some(operator) = operator().filter(|_| alarm.is_some() && !is_digest) {
            return self.told(parcel, operator).await;
        }
        let to = match self.to(parcel)? {
            Ok(to) => to,
            Err(moot) => return Ok(moot),
        };
        match self.told(parcel, to).await {
            Err(DeliverError::NoRecipient { words }) => {
                let noted = managers::unreachable(&self.gateway, &**store, (id, address), &words).await;
                noted.map_err(|error| trouble(&error))?;
                match operator() {
                    _ if is_digest => Ok(moot(&words)),
                    Some(operator) => self.told(parcel, operator).await,
                    None => Err(DeliverError::NoRecipient { words }),
                }
            }
            Ok(delivered) if alarm.is_some() && !delivered.refs.is_empty() => {
                managers::reachable(&**store, id).await.map_err(|error| trouble(&error))?;
                Ok(delivered)
            }
            otherwise => otherwise,
        }
    }

    async fn told(&self, parcel: &Parcel, to: To<'_>) -> Result<Delivered, DeliverError> {
        let subject = EVENTS.iter().find(|kind| kind.name == parcel.job.name).map(|kind| kind.subject);
        match subject {
            _ if parcel.job.name == event::DIGEST_DUE => self.digest(parcel, to).await,
            Some(Subject::Operation) => self.alarm(parcel, to).await,
            _ => self.notice(parcel, to).await,
        }
    }
}

/// What happened, as it stands now.
fn activity<'a>(lead: Option<&'a LeadDetail>, person: Option<&'a ContactDetail>, parcel: &Parcel) -> Option<&'a ActivityView> {
    let timeline = lead.map(|lead| lead.timeline.as_slice()).or_else(|| person.map(|person| person.timeline.as_slice()))?;
    match parcel.job.data.activity {
        Some(id) => timeline.iter().find(|activity| activity.id == id),
        // Whoever waits has written something.
        None => timeline.last(),
    }
}

#[async_trait]
impl Deliver for Mailing {
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        if parcel.job.recipient == Recipient::Customer {
            return self.answer(parcel).await;
        }
        if parcel.job.recipient == Recipient::Relay {
            return self.relay(parcel).await;
        }
        if parcel.job.recipient == Recipient::Reply {
            return self.reply(parcel).await;
        }
        if let Recipient::Canary(source) = &parcel.job.recipient {
            return self.canary(parcel, source).await;
        }
        if parcel.job.recipient == Recipient::Author {
            return self.not_passed_on(parcel).await;
        }
        let told = |person: &&Person| person.noticed || parcel.job.name == event::DIGEST_DUE;
        let address = |id: &str| self.people.managers.get(id).filter(told).and_then(|person| person.email.as_deref());
        match whose(parcel).and_then(|id| Some((id, address(id)?))) {
            Some(manager) => self.to_manager(parcel, manager).await,
            None => match self.to(parcel)? {
                Ok(to) => self.told(parcel, to).await,
                Err(moot) => Ok(moot),
            },
        }
    }
}
