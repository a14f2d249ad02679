//! An alarm to the operator: what is wrong with the gateway or what it depends on, since when, what to do.

use jiff::Timestamp;
use leadgate_core::language::Language;
use leadgate_core::onward::{AlarmWords, Detail, alarm_words};
use serde::Serialize;

use super::clean;
use super::letter::{Heading, Letter, LetterError, LetterKind};
use super::page::{self, Link, LinkView, Reader};
use super::templates::{Name, Templates};

/// What an alarm is written from.
#[derive(Clone, Copy, Debug)]
pub struct AlarmNotice<'a> {
    /// The event's name.
    pub event: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What it tells.
    pub detail: &'a Detail,
    /// Where it is to be seen.
    pub links: &'a [Link<'a>],
}

/// What the templates see.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct View {
    pub(super) language: Language,
    pub(super) reader: String,
    pub(super) event: String,
    /// What is wrong, or well again: a sentence without its full stop.
    pub(super) headline: String,
    /// It is well again.
    pub(super) relief: bool,
    pub(super) when: String,
    pub(super) since: String,
    pub(super) lasted: String,
    pub(super) advice: String,
    pub(super) links: Vec<LinkView>,
}

impl AlarmNotice<'_> {
    /// The letter.
    pub fn letter(&self, reader: &Reader, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let said = templates.say(Name::Alarm, reader.language, &self.view(reader))?;
        Ok(heading.letter(LetterKind::Notice, said))
    }

    fn view(&self, reader: &Reader) -> View {
        let language = reader.language;
        // One of a newer gateway says what it says.
        let words = alarm_words(self.event, self.detail, language)
            .unwrap_or_else(|| AlarmWords { what: self.detail.words.clone(), advice: String::new() });
        View {
            language,
            reader: clean::line(&reader.name, 100),
            event: self.event.to_owned(),
            headline: clean::line(words.what.trim_end_matches('.'), 1_000),
            relief: words.advice.is_empty(),
            when: reader.time(self.at),
            since: self.detail.since.map(|since| reader.time(since)).unwrap_or_default(),
            lasted: self.detail.since.map(|since| reader.length(self.at.duration_since(since).as_secs())).unwrap_or_default(),
            advice: words.advice,
            links: page::links(self.links),
        }
    }
}

/// One that has everything, and one that has nothing.
pub(super) fn samples(language: Language) -> [View; 2] {
    let text = || "text".to_owned();
    let full = View {
        language,
        reader: text(),
        event: text(),
        headline: text(),
        relief: true,
        when: text(),
        since: text(),
        lasted: text(),
        advice: text(),
        links: page::links(&[Link { label: "text", url: "https://leads.zavod.ru/" }]),
    };
    [full, View { language, headline: text(), ..View::default() }]
}
