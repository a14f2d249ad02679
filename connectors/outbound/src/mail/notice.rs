//! A notice to a manager: of a lead, or of a contact without one.

use jiff::Timestamp;
use leadgate_core::attribution::Touch;
use leadgate_core::language::Language;
use leadgate_core::onward::event;
use leadgate_core::prepare::{Content, IdentityKind};
use leadgate_core::receipt::IdentityState;
use leadgate_core::views::{ActivityView, ContactDetail, LeadDetail};
use serde::Serialize;

use super::letter::{Heading, Letter, LetterError, LetterKind};
use super::mailbox::Mailbox;
use super::page::{self, Link, LinkView, Reader};
use super::templates::{Name, Templates};
use super::{clean, words};

/// Characters of a message. Who wants to read on opens the lead.
const MESSAGE: usize = 8_000;
/// Characters of a field's value.
const FIELD: usize = 1_000;
/// Fields, files, phones and the like.
const MOST: usize = 40;
/// Activities before this one.
const HISTORY: usize = 5;
/// Characters of each.
const EXCERPT: usize = 200;
/// Characters of a name, a title, an address.
const SHORT: usize = 200;

/// What a notice is written from. Whatever visitors typed may stand in it.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// The event's name.
    pub event: &'a str,
    /// When it is written.
    pub now: Timestamp,
    /// The lead, if there is one.
    pub lead: Option<&'a LeadDetail>,
    /// The person; `None`: the lead's.
    pub person: Option<&'a ContactDetail>,
    /// What happened, if something did.
    pub activity: Option<&'a ActivityView>,
    /// What the source is called; empty: its id says enough.
    pub source: &'a str,
    /// What may be done, and where it is to be seen; the first is meant most.
    pub links: &'a [Link<'a>],
    /// An answer to this mail goes to the customer.
    pub answers: bool,
}

/// Something shown, with where it leads.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Shown {
    text: String,
    href: Option<String>,
    /// Mails to it come back.
    unreachable: bool,
    /// It was only said of the person, by a channel that proves nothing.
    claimed: bool,
}

/// A name and a value.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Pair {
    name: String,
    value: String,
}

/// An activity before this one.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Past {
    when: String,
    what: String,
    text: String,
}

/// What the templates see.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct View {
    language: Language,
    reader: String,
    event: String,
    headline: String,
    urgent: bool,
    who: String,
    name: String,
    number: Option<i64>,
    title: String,
    source: String,
    stage: String,
    responsible: String,
    when: String,
    waiting: String,
    phones: Vec<Shown>,
    emails: Vec<Shown>,
    others: Vec<Pair>,
    what: String,
    call: String,
    subject: String,
    message: String,
    message_goes_on: bool,
    fields: Vec<Pair>,
    order: Vec<Pair>,
    files: Vec<Pair>,
    page: String,
    tags: Vec<Pair>,
    history: Vec<Past>,
    reasons: Vec<String>,
    suspect: bool,
    return_customer: bool,
    test: bool,
    ambiguous: bool,
    answers: bool,
    links: Vec<LinkView>,
}

impl Notice<'_> {
    /// The letter.
    pub fn letter(&self, reader: &Reader, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let said = templates.say(Name::Notice, reader.language, &self.view(reader))?;
        Ok(heading.letter(LetterKind::Notice, said))
    }

    fn view(&self, reader: &Reader) -> View {
        let language = reader.language;
        let person = self.person.or_else(|| self.lead.and_then(|lead| lead.person.as_ref()));
        let activity = self.activity;
        let content = activity.map(|activity| &activity.content);
        let lead = self.lead.map(|lead| &lead.lead);
        let typed = content.and_then(|content| content.name.as_deref());
        let known = person.map(|person| person.contact.name.as_str()).or(lead.map(|lead| lead.name.as_str()));
        let name = clean::line(known.filter(|name| !name.is_empty()).or(typed).unwrap_or_default(), SHORT);
        let (phones, emails, others) = values(person, content);
        let first = |shown: &[Shown]| shown.first().map(|shown| shown.text.clone());
        let who = Some(name.clone()).filter(|name| !name.is_empty()).or_else(|| first(&phones)).or_else(|| first(&emails));
        let touch = activity.map(|activity| &activity.touch).filter(|touch| !touch.is_empty());
        let touch = touch.or_else(|| self.lead.map(|lead| &lead.last_touch));
        let waits = matches!(self.event, event::LEAD_WAITING | event::CONTACT_WAITING | event::CALL_UNRETURNED);
        let since = match self.event {
            event::CONTACT_WAITING => person.and_then(|person| person.contact.waiting_since),
            event::CALL_UNRETURNED => activity.map(|activity| activity.occurred_at),
            _ => None,
        };
        let since = since.or(lead.map(|lead| lead.created_at)).filter(|_| waits);
        let source_id = activity.and_then(|activity| activity.source.as_ref()).or(lead.map(|lead| &lead.source));
        let source =
            if self.source.is_empty() { source_id.map(ToString::to_string).unwrap_or_default() } else { self.source.to_owned() };
        let (message, message_goes_on) =
            clean::block(content.and_then(|content| content.message.as_deref()).unwrap_or_default(), MESSAGE);
        View {
            language,
            reader: clean::line(&reader.name, SHORT),
            event: self.event.to_owned(),
            headline: headline(self.event, content, language).to_owned(),
            urgent: waits,
            who: who.unwrap_or_else(|| nobody(language).to_owned()),
            name,
            number: lead.map(|lead| lead.id.0),
            title: clean::line(lead.map(|lead| lead.title.as_str()).unwrap_or_default(), SHORT),
            source: clean::line(&source, SHORT),
            stage: lead.map(|lead| words::stage(lead.stage, language).to_owned()).unwrap_or_default(),
            responsible: clean::line(
                lead.and_then(|lead| lead.responsible.as_deref())
                    .or(person.and_then(|person| person.contact.responsible.as_deref()))
                    .unwrap_or_default(),
                SHORT,
            ),
            when: reader
                .time(activity.map(|activity| activity.occurred_at).or(lead.map(|lead| lead.created_at)).unwrap_or(self.now)),
            waiting: since.map(|since| reader.length(self.now.duration_since(since).as_secs())).unwrap_or_default(),
            phones,
            emails,
            others,
            what: activity
                .map(|activity| words::activity(activity.kind, activity.content.outgoing, language).to_owned())
                .unwrap_or_default(),
            call: content
                .and_then(|content| content.call.as_ref())
                .map(|call| clean::line(&call.view().sentence(language), FIELD))
                .unwrap_or_default(),
            subject: clean::line(
                content.and_then(|content| content.mail.as_ref()).map(|mail| mail.subject.as_str()).unwrap_or_default(),
                SHORT,
            ),
            message,
            message_goes_on,
            fields: content.map(fields).unwrap_or_default(),
            order: content.map(order).unwrap_or_default(),
            files: content.map(|content| files(content, language)).unwrap_or_default(),
            page: clean::line(
                touch.and_then(|touch| touch.page.as_deref().or(touch.landing.as_deref())).unwrap_or_default(),
                FIELD,
            ),
            tags: touch.map(|touch| tags(touch, language)).unwrap_or_default(),
            history: self.history(person, reader),
            reasons: activity.map(|activity| reasons(activity, language)).unwrap_or_default(),
            suspect: lead.is_some_and(|lead| lead.suspect) || activity.is_some_and(|activity| activity.suspect),
            return_customer: lead.is_some_and(|lead| lead.return_customer),
            test: lead.is_some_and(|lead| lead.test),
            ambiguous: activity.is_some_and(|activity| activity.ambiguous),
            answers: self.answers,
            links: page::links(self.links),
        }
    }

    /// What happened before, newest first.
    fn history(&self, person: Option<&ContactDetail>, reader: &Reader) -> Vec<Past> {
        let of_lead = self.lead.map(|lead| lead.timeline.as_slice()).unwrap_or_default();
        let of_person = person.map(|person| person.timeline.as_slice()).unwrap_or_default();
        let mut past: Vec<&ActivityView> =
            of_lead.iter().chain(of_person).filter(|past| self.activity.is_none_or(|now| now.id != past.id)).collect();
        past.sort_by_key(|past| std::cmp::Reverse((past.occurred_at, past.id.0)));
        past.dedup_by_key(|past| past.id);
        let told = past.into_iter().take(HISTORY).map(|past| {
            let content = &past.content;
            let subject = content.mail.as_ref().map(|mail| mail.subject.as_str()).filter(|subject| !subject.is_empty());
            let form = content.form.as_ref().and_then(|form| form.name.as_deref());
            let text = content.message.as_deref().or(subject).or(form).unwrap_or_default();
            let kind = words::activity(past.kind, content.outgoing, reader.language);
            let call = content.call.as_ref().map(|call| clean::line(&call.view().words(reader.language), EXCERPT));
            Past {
                when: reader.time(past.occurred_at),
                what: call.unwrap_or_else(|| kind.to_owned()),
                text: clean::line(text, EXCERPT),
            }
        });
        told.collect()
    }
}

fn nobody(language: Language) -> &'static str {
    match language {
        Language::Ru => "без имени и телефона",
        Language::En => "no name, no number",
    }
}

/// Phones, e-mails and the rest of a person; what the activity tells beside them.
fn values(person: Option<&ContactDetail>, content: Option<&Content>) -> (Vec<Shown>, Vec<Shown>, Vec<Pair>) {
    let (mut phones, mut emails, mut others): (Vec<Shown>, Vec<Shown>, Vec<Pair>) = Default::default();
    let mut seen: Vec<(&IdentityKind, &str)> = Vec::new();
    for held in person.map(|person| person.identities.as_slice()).unwrap_or_default().iter().take(MOST) {
        seen.push((&held.kind, &held.value));
        let text = clean::line(&held.display, SHORT);
        let (unreachable, claimed) = (held.unreachable.is_some(), held.state == IdentityState::Claimed);
        if held.kind == IdentityKind::PHONE {
            phones.push(Shown { text, href: clean::tel(&held.value), unreachable, claimed });
        } else if held.kind == IdentityKind::EMAIL {
            emails.push(Shown {
                text,
                href: Mailbox::new("", &held.display).map(|mailbox| mailbox.href()),
                unreachable,
                claimed,
            });
        } else {
            others.push(Pair { name: clean::line(held.kind.as_str(), 40), value: text });
        }
    }
    for value in content.map(|content| content.values.as_slice()).unwrap_or_default().iter().take(MOST) {
        let known = value.value.as_deref().is_some_and(|canonical| seen.contains(&(&value.kind, canonical)));
        if known || value.flags.iter().any(|flag| flag == "ours") {
            continue;
        }
        let text = clean::line(&value.typed, SHORT);
        if value.kind == IdentityKind::PHONE {
            let href = value.value.as_deref().and_then(clean::tel);
            phones.push(Shown { text, href, ..Shown::default() });
        } else if value.kind == IdentityKind::EMAIL {
            let href = value.value.as_ref().and_then(|_| Mailbox::new("", &value.typed)).map(|mailbox| mailbox.href());
            emails.push(Shown { text, href, ..Shown::default() });
        }
    }
    (phones, emails, others)
}

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: clean::line(name, 80), value: clean::block(value, FIELD).0 }
}

fn fields(content: &Content) -> Vec<Pair> {
    let form = content.form.as_ref().and_then(|form| form.name.as_deref()).map(|name| pair("form", name));
    let fields = content.fields.iter().filter(|field| !field.value.trim().is_empty());
    form.into_iter().chain(fields.map(|field| pair(&field.name, &field.value))).take(MOST).collect()
}

/// An order's lines, as they were bought.
fn order(content: &Content) -> Vec<Pair> {
    let Some(order) = &content.order else { return Vec::new() };
    let currency = order.currency.as_deref().unwrap_or_default();
    let money = |minor: Option<i64>| {
        minor.map(|minor| format!("{}.{:02} {currency}", minor / 100, minor.unsigned_abs() % 100).trim_end().to_owned())
    };
    let head = pair(order.id.as_deref().unwrap_or("#"), &money(order.amount).unwrap_or_default());
    let lines = order.lines.iter().map(|line| {
        let worth = [line.quantity.as_deref().map(|quantity| format!("× {quantity}")), money(line.amount)];
        pair(&line.name, &worth.into_iter().flatten().collect::<Vec<_>>().join(", "))
    });
    let details = order.details.iter().map(|detail| pair(&detail.name, &detail.value));
    std::iter::once(head).chain(lines).chain(details).take(MOST).collect()
}

/// Its files. Recordings that lie elsewhere are named, too: their links are the lead's page to show, not an open letter.
fn files(content: &Content, language: Language) -> Vec<Pair> {
    let elsewhere = if language == Language::Ru { "в заявке" } else { "in the lead" };
    let kept = content.files.iter().map(|file| pair(&clean::line(&file.name, 120), &clean::size(file.size)));
    let offered = content.offered.iter().filter(|file| content.call.is_some() && file.problem.is_empty());
    let offered = offered.filter(|file| !content.files.iter().any(|kept| kept.field == file.unique));
    kept.chain(offered.map(|file| pair(&clean::line(&file.name, 120), elsewhere))).take(MOST).collect()
}

/// What happened. Who calls does not write.
fn headline(name: &str, content: Option<&Content>, language: Language) -> &'static str {
    match (name, content.is_some_and(|content| content.call.is_some()), language) {
        (event::LEAD_ATTACHED, true, Language::Ru) => "Клиент позвонил снова",
        (event::LEAD_ATTACHED, true, Language::En) => "The customer called again",
        _ => words::headline(name, language),
    }
}

fn tags(touch: &Touch, language: Language) -> Vec<Pair> {
    touch.values.iter().take(MOST).map(|value| pair(words::tag(&value.key, language), &value.value)).collect()
}

fn reasons(activity: &ActivityView, language: Language) -> Vec<String> {
    let told: Vec<String> = match &activity.receipt {
        Some(receipt) => receipt.reasons.iter().filter_map(|reason| words::reason(reason, language)).collect(),
        None => activity.reasons.clone(),
    };
    told.iter().take(MOST).map(|reason| clean::line(reason, 300)).collect()
}

/// One that has everything, and one that has nothing.
pub(super) fn samples(language: Language) -> [View; 2] {
    let text = || "text".to_owned();
    let pairs = || vec![Pair { name: text(), value: text() }];
    let shown = |href: &str| {
        vec![Shown { text: text(), href: Some(href.to_owned()), unreachable: true, claimed: true }, Shown::default()]
    };
    let full = View {
        language,
        reader: text(),
        event: event::LEAD_CREATED.to_owned(),
        headline: text(),
        urgent: true,
        who: text(),
        name: text(),
        number: Some(1),
        title: text(),
        source: text(),
        stage: text(),
        responsible: text(),
        when: text(),
        waiting: text(),
        phones: shown("tel:+79161234567"),
        emails: shown("mailto:anna@mail.ru"),
        others: pairs(),
        what: text(),
        call: text(),
        subject: text(),
        message: text(),
        message_goes_on: true,
        fields: pairs(),
        order: pairs(),
        files: pairs(),
        page: text(),
        tags: pairs(),
        history: vec![Past { when: text(), what: text(), text: text() }],
        reasons: vec![text()],
        suspect: true,
        return_customer: true,
        test: true,
        ambiguous: true,
        answers: true,
        links: page::links(&[Link { label: "text", url: "https://leads.zavod.ru/" }; 2]),
    };
    [full, View { language, who: text(), headline: text(), ..View::default() }]
}
