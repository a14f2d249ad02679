//! A lead as a message with buttons.

use leadgate_core::ids::LeadId;
use leadgate_core::onward::event;
use leadgate_core::views::{ActivityView, LeadDetail};
use leadgate_telegram::api::{Button, Does, text};

use super::words::Words;

/// Characters of a name, a phone.
const SHORT: usize = 60;
/// Characters of what the customer wrote: with everything around it, it fits into one message, even if each counts twice.
const TEXT: usize = 1_200;
/// Names of files that are shown.
const FILES: usize = 5;
/// Campaign tags that are shown.
const TAGS: [&str; 3] = ["utm_source", "utm_medium", "utm_campaign"];

/// What a button below a notice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    /// Takes the lead.
    Take(LeadId),
    /// Closes it as junk.
    Junk(LeadId),
    /// Opens it again.
    Undo(LeadId),
    /// Sends the customer's phone.
    Call(LeadId),
    /// Says who has it.
    Who(LeadId),
}

impl Press {
    /// What a button carries.
    fn data(self) -> String {
        match self {
            Self::Take(lead) => format!("take:{lead}"),
            Self::Junk(lead) => format!("junk:{lead}"),
            Self::Undo(lead) => format!("undo:{lead}"),
            Self::Call(lead) => format!("call:{lead}"),
            Self::Who(lead) => format!("who:{lead}"),
        }
    }

    /// Reads what a button carried; `None`: it is none of these.
    pub fn parse(data: &str) -> Option<Self> {
        let (verb, lead) = data.split_once(':')?;
        let lead = lead.parse().ok()?;
        Some(match verb {
            "take" => Self::Take(lead),
            "junk" => Self::Junk(lead),
            "undo" => Self::Undo(lead),
            "call" => Self::Call(lead),
            "who" => Self::Who(lead),
            _ => return None,
        })
    }

    /// About which lead.
    pub fn lead(self) -> LeadId {
        match self {
            Self::Take(lead) | Self::Junk(lead) | Self::Undo(lead) | Self::Call(lead) | Self::Who(lead) => lead,
        }
    }
}

/// What is told of a lead.
pub(super) struct Sheet<'a> {
    pub event: &'a str,
    pub lead: &'a LeadDetail,
    pub activity: Option<&'a ActivityView>,
    pub words: Words,
}

impl Sheet<'_> {
    /// As Telegram shows it. Everything a customer typed is data.
    pub fn html(&self) -> String {
        let lead = &self.lead.lead;
        let heading = heading(self.event, self.words);
        let mut html = format!("<b>{heading} #{}</b>", lead.id);
        let title = text::line(&lead.title, SHORT);
        let name = text::line(&lead.name, SHORT);
        for line in [&name, &title] {
            if !line.is_empty() {
                html.push('\n');
                html.push_str(line);
            }
        }
        for value in [&lead.phone, &lead.email].into_iter().flatten() {
            html.push('\n');
            html.push_str(&text::line(value, SHORT));
        }
        if let Some(activity) = self.activity {
            self.told(activity, &mut html);
        }
        let touch = &self.lead.last_touch;
        let tags: Vec<&str> = TAGS.iter().filter_map(|tag| touch.get(tag)).collect();
        let mut from = vec![text::line(lead.source.as_str(), SHORT)];
        from.extend(tags.iter().map(|tag| text::line(tag, SHORT)));
        html.push_str(&format!("\n<i>{}</i>", from.join(" · ")));
        html
    }

    fn told(&self, activity: &ActivityView, html: &mut String) {
        let content = &activity.content;
        if let Some(message) = &content.message {
            html.push_str(&format!("\n<blockquote>{}</blockquote>", text::block(message, TEXT)));
        }
        let files = content.files.iter().map(|file| &file.name).chain(content.offered.iter().map(|file| &file.name));
        for name in files.take(FILES) {
            html.push_str(&format!("\n📎 {}", text::line(name, SHORT)));
        }
        if let Some(sending) = content.sending.as_ref().filter(|sending| !sending.words.is_empty()) {
            html.push_str(&format!("\n{}", text::block(&sending.words, 400)));
        }
    }
}

/// What the customer wrote, as messages of their own, if it is longer than what the notice shows of it.
pub(super) fn whole(activity: Option<&ActivityView>) -> Vec<String> {
    let message = activity.and_then(|activity| activity.content.message.as_deref());
    let long = message.filter(|message| message.trim().chars().count() > TEXT);
    long.map(text::messages).unwrap_or_default()
}

/// What happened, in a few words.
pub(super) fn heading(name: &str, words: Words) -> &'static str {
    match name {
        event::LEAD_CREATED => words.or("Новый лид", "New lead"),
        event::LEAD_ATTACHED => words.or("Снова пишет", "Wrote again"),
        event::CONTACT_RETURNED => words.or("Вернулся клиент", "A customer came back"),
        event::LEAD_WAITING | event::CONTACT_WAITING => words.or("Ждёт ответа", "Still waits"),
        event::MESSAGE_FAILED => words.or("Ответ не дошёл", "The answer did not arrive"),
        event::SUBMISSION_QUARANTINED | event::SUBMISSION_SPAM => words.or("Ждёт решения", "Waits for a look"),
        _ => words.or("Лид", "Lead"),
    }
}

/// What a topic is called.
pub(super) fn topic_name(lead: &LeadDetail) -> String {
    let whose = if lead.lead.name.is_empty() { &lead.lead.title } else { &lead.lead.name };
    format!("#{} {whose}", lead.lead.id).trim_end().to_owned()
}

/// What may be done with a lead as it stands. `name`: what a manager is called.
pub(super) fn buttons(lead: &LeadDetail, words: Words, name: impl Fn(&str) -> String) -> Vec<Vec<Button>> {
    let id = lead.lead.id;
    let says = |label: String, press: Press| Button { text: label, does: Does::Says(press.data()) };
    if !lead.lead.stage.is_open() {
        let label = format!("{} {}", words.or("Закрыт:", "Closed:"), lead.lead.stage);
        return vec![vec![says(label, Press::Who(id)), says(words.or("Вернуть", "Undo").to_owned(), Press::Undo(id))]];
    }
    let first = match lead.lead.responsible.as_deref() {
        Some(manager) => says(format!("✓ {}", name(manager)), Press::Who(id)),
        None => says(words.or("Взять", "Take").to_owned(), Press::Take(id)),
    };
    let mut row = vec![first];
    if lead.lead.phone.is_some() {
        row.push(says(words.or("Позвонить", "Call").to_owned(), Press::Call(id)));
    }
    row.push(says(words.or("Спам", "Junk").to_owned(), Press::Junk(id)));
    vec![row]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_read_as_they_were_made() {
        let lead = LeadId(12);
        for press in [Press::Take(lead), Press::Junk(lead), Press::Undo(lead), Press::Call(lead), Press::Who(lead)] {
            assert_eq!(Press::parse(&press.data()), Some(press));
            assert_eq!(press.lead(), lead);
        }
        for bad in ["", "take", "take:", "take:x", "drop:12", "take:12:13"] {
            assert_eq!(Press::parse(bad), None, "{bad}");
        }
    }
}
