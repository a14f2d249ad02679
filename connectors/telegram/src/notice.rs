//! A lead as a message with buttons, for managers and staff chats. Pure; whatever visitors typed may stand in it.

use leadgate_core::language::Language::{self, En, Ru};
use leadgate_core::onward::{ActivityBrief, Brief, event};
use leadgate_core::prepare::IdentityKind;

use crate::api::text::{MESSAGE, block, line, units};
use crate::api::{Button, Does};

/// Characters of a name, a title.
const SHORT: usize = 150;
/// Characters of what a call was.
const CALL: usize = 300;
/// Phones, addresses, fields, files, tags.
const MOST: usize = 8;
/// Characters of what was written, and of a field: the first that fit into a message.
const LENGTHS: [(usize, usize); 4] = [(1_500, 200), (800, 100), (300, 40), (0, 0)];

/// How a lead stands for those who read of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stand<'a> {
    /// Nobody has it.
    #[default]
    Free,
    /// Somebody has it.
    Taken(&'a str),
    /// Somebody closed it as junk, which can be undone.
    Junk(&'a str),
    /// It is closed otherwise.
    Closed,
}

/// How a lead is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// In which language.
    pub language: Language,
    /// Because of which event.
    pub event: &'a str,
    /// What its source is called; empty: its id says enough.
    pub source: &'a str,
    /// How it stands.
    pub stand: Stand<'a>,
    /// Where it is to be seen, if anywhere.
    pub url: Option<&'a str>,
}

/// A message about a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In Telegram's HTML, of at most 4,096 characters.
    pub html: String,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
}

/// What a button says to the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// `t:<lead>`: takes it.
    Take(i64),
    /// `j:<lead>`: closes it as junk.
    Junk(i64),
    /// `u:<lead>`: undoes that.
    Undo(i64),
    /// `c:<lead>`: wants its phone.
    Call(i64),
}

impl Press {
    /// Reads what a button said.
    pub fn parse(data: &str) -> Option<Self> {
        let (what, lead) = data.split_once(':')?;
        let lead = lead.parse().ok().filter(|lead| *lead > 0)?;
        match what {
            "t" => Some(Self::Take(lead)),
            "j" => Some(Self::Junk(lead)),
            "u" => Some(Self::Undo(lead)),
            "c" => Some(Self::Call(lead)),
            _ => None,
        }
    }

    fn data(self) -> String {
        match self {
            Self::Take(lead) => format!("t:{lead}"),
            Self::Junk(lead) => format!("j:{lead}"),
            Self::Undo(lead) => format!("u:{lead}"),
            Self::Call(lead) => format!("c:{lead}"),
        }
    }
}

/// Tells of a lead, or of a contact without one.
pub fn tell(brief: &Brief, telling: &Telling<'_>) -> Told {
    let written = LENGTHS.iter().map(|lengths| html(brief, telling, *lengths));
    // What stands for `<` counts as more than it is: on the safe side.
    let html = written.into_iter().find(|html| units(html) <= MESSAGE).unwrap_or_else(|| headline(telling).to_owned());
    Told { html, buttons: buttons(brief, telling) }
}

/// A line that names a lead: a topic's name.
pub fn topic(brief: &Brief) -> String {
    let number = brief.lead.as_ref().map(|lead| format!("№{} ", lead.number)).unwrap_or_default();
    let name = name(brief).or_else(|| brief.lead.as_ref().map(|lead| lead.title.clone())).unwrap_or_default();
    leadgate_core::text::printable(&format!("{number}{name}"), true).chars().take(120).collect()
}

/// The phone to call, if there is one: E.164, with what is shown.
pub fn phone(brief: &Brief) -> Option<&str> {
    let held = brief.contact.as_ref()?.identities.iter().find(|held| held.kind == IdentityKind::PHONE)?;
    Some(held.value.split(';').next().unwrap_or(&held.value))
}

fn html(brief: &Brief, telling: &Telling<'_>, (message, field): (usize, usize)) -> String {
    let language = telling.language;
    let mut lines = vec![head(brief, telling)];
    if let Some(name) = name(brief) {
        lines.push(format!("<b>{}</b>", line(&name, SHORT)));
    }
    let identities = brief.contact.iter().flat_map(|contact| &contact.identities).take(MOST);
    lines.extend(identities.map(|held| line(&held.display, SHORT)).filter(|shown| !shown.is_empty()));
    let lead = brief.lead.as_ref();
    if let Some(title) = lead.map(|lead| line(&lead.title, SHORT)).filter(|title| !title.is_empty() && *title != telling.source) {
        lines.push(format!("<i>{title}</i>"));
    }
    if let Some(activity) = &brief.activity {
        said(&mut lines, activity, language, message, field);
    }
    let touch = brief.activity.as_ref().map(|activity| &activity.touch).filter(|touch| !touch.values.is_empty());
    if let Some(touch) = touch.or(lead.map(|lead| &lead.last_touch)).filter(|_| field > 0) {
        let tags = touch.values.iter().filter(|value| value.key.starts_with("utm_")).take(5);
        let tags: Vec<String> = tags.map(|value| line(&value.value, 60)).collect();
        if !tags.is_empty() {
            lines.push(tags.join(" / "));
        }
    }
    let stand = stand(telling);
    if !stand.is_empty() {
        lines.push(format!("\n<b>{stand}</b>"));
    }
    lines.join("\n")
}

fn head(brief: &Brief, telling: &Telling<'_>) -> String {
    let number = brief.lead.as_ref().map(|lead| format!(" №{}", lead.number)).unwrap_or_default();
    let source = Some(line(telling.source, 60)).filter(|source| !source.is_empty()).map(|source| format!(" · {source}"));
    format!("{}{number}{}", headline(telling), source.unwrap_or_default())
}

fn name(brief: &Brief) -> Option<String> {
    let contact = brief.contact.as_ref().map(|contact| contact.name.clone());
    contact
        .filter(|name| !name.is_empty())
        .or_else(|| brief.lead.as_ref().map(|lead| lead.name.clone()))
        .filter(|name| !name.is_empty())
}

fn said(lines: &mut Vec<String>, activity: &ActivityBrief, language: Language, message: usize, field: usize) {
    let content = &activity.content;
    if let Some(call) = &content.call {
        lines.push(line(&call.view().sentence(language), CALL));
    }
    if let Some(typed) = content.message.as_deref().filter(|_| message > 0) {
        lines.push(format!("<blockquote>{}</blockquote>", block(typed, message)));
    }
    if field > 0 {
        let fields = content.fields.iter().filter(|field| !field.value.trim().is_empty()).take(MOST);
        lines.extend(fields.map(|pair| format!("{}: {}", line(&pair.name, 40), line(&pair.value, field))));
    }
    let files = content.files.len()
        + content.offered.iter().filter(|file| !content.files.iter().any(|kept| kept.field == file.unique)).count();
    if files > 0 {
        lines.push(match (language, content.call.is_some()) {
            (Ru, true) => format!("Записей: {files}"),
            (En, true) => format!("Recordings: {files}"),
            (Ru, false) => format!("Файлов: {files}"),
            (En, false) => format!("Files: {files}"),
        });
    }
}

fn stand(telling: &Telling<'_>) -> String {
    match (telling.stand, telling.language) {
        (Stand::Free, _) => String::new(),
        (Stand::Taken(by), Ru) => format!("В работе: {}", line(by, SHORT)),
        (Stand::Taken(by), En) => format!("Taken by {}", line(by, SHORT)),
        (Stand::Junk(by), Ru) => format!("Мусор: {}", line(by, SHORT)),
        (Stand::Junk(by), En) => format!("Junk, says {}", line(by, SHORT)),
        (Stand::Closed, Ru) => "Закрыта".to_owned(),
        (Stand::Closed, En) => "Closed".to_owned(),
    }
}

fn buttons(brief: &Brief, telling: &Telling<'_>) -> Vec<Vec<Button>> {
    let says = |ru: &str, en: &str, press: Press| {
        let text = if telling.language == Ru { ru } else { en };
        Button { text: text.to_owned(), does: Does::Says(press.data()) }
    };
    let mut rows = Vec::new();
    let mut further = Vec::new();
    if let Some(lead) = brief.lead.as_ref().map(|lead| lead.number.0) {
        match telling.stand {
            Stand::Free => rows.push(vec![says("Взять", "Take", Press::Take(lead)), says("Мусор", "Junk", Press::Junk(lead))]),
            Stand::Junk(_) => rows.push(vec![says("Вернуть", "Undo", Press::Undo(lead))]),
            Stand::Taken(_) | Stand::Closed => {}
        }
        if phone(brief).is_some() {
            further.push(says("Позвонить", "Call", Press::Call(lead)));
        }
    }
    if let Some(url) = telling.url {
        let text = if telling.language == Ru { "Открыть" } else { "Open" };
        further.push(Button { text: text.to_owned(), does: Does::Opens(url.to_owned()) });
    }
    if !further.is_empty() {
        rows.push(further);
    }
    rows
}

fn headline(telling: &Telling<'_>) -> &'static str {
    let (ru, en) = match telling.event {
        event::LEAD_CREATED => ("Новая заявка", "A new lead"),
        event::LEAD_ATTACHED => ("Новое в заявке", "News on a lead"),
        event::LEAD_WAITING => ("Никто не взял заявку", "Nobody has taken a lead"),
        event::LEAD_REOPENED => ("Заявка снова открыта", "A lead is open again"),
        event::LEAD_CLOSED => ("Заявка закрыта", "A lead was closed"),
        event::CONTACT_RETURNED => ("Снова на связи", "Somebody came back"),
        event::CONTACT_WAITING => ("Никто не ответил клиенту", "Nobody has taken a returned customer"),
        event::CALL_MISSED => ("Пропущенный звонок", "A missed call"),
        event::CALL_UNRETURNED => ("Клиенту не перезвонили", "Nobody has called back"),
        event::CALL_MADE => ("Клиенту звонили", "A customer was called"),
        event::MESSAGE_FAILED => ("Ответ не доставлен", "An answer did not arrive"),
        _ => ("Заявка", "A lead"),
    };
    if telling.language == Ru { ru } else { en }
}

#[cfg(test)]
mod tests;
