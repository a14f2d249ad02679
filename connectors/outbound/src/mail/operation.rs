//! An alarm to the operator: what is wrong with the gateway or what it depends on, since when, what to do.

use jiff::Timestamp;
use leadgate_core::onward::Detail;
use serde::Serialize;

use super::letter::{Heading, Letter, LetterError, LetterKind};
use super::page::{self, Language, Link, LinkView, Reader};
use super::templates::{Name, Templates};
use super::{clean, words};

/// What an alarm is written from.
#[derive(Clone, Copy, Debug)]
pub struct AlarmNotice<'a> {
    /// The event's name.
    pub event: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What it tells.
    pub detail: &'a Detail,
    /// What the source is called, if it is about one; empty: its id says enough.
    pub source: &'a str,
    /// Where it is to be seen.
    pub links: &'a [Link<'a>],
}

/// What the templates see.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct View {
    language: Language,
    reader: String,
    event: String,
    headline: String,
    /// It is well again.
    relief: bool,
    /// Of which source or target.
    what: String,
    words: String,
    when: String,
    since: String,
    lasted: String,
    count: Option<u64>,
    advice: String,
    links: Vec<LinkView>,
}

impl AlarmNotice<'_> {
    /// The letter.
    pub fn letter(&self, reader: &Reader, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let said = templates.say(Name::Alarm, reader.language, &self.view(reader))?;
        Ok(heading.letter(LetterKind::Notice, said))
    }

    fn view(&self, reader: &Reader) -> View {
        let language = reader.language;
        let of = self.detail.source.as_ref().map(ToString::to_string).or_else(|| self.detail.target.clone()).unwrap_or_default();
        View {
            language,
            reader: clean::line(&reader.name, 100),
            event: self.event.to_owned(),
            headline: words::headline(self.event, language).to_owned(),
            relief: words::is_relief(self.event),
            what: clean::line(if self.source.is_empty() { &of } else { self.source }, 200),
            words: clean::block(&self.detail.words, 2_000).0,
            when: reader.time(self.at),
            since: self.detail.since.map(|since| reader.time(since)).unwrap_or_default(),
            lasted: self.detail.since.map(|since| reader.length(self.at.duration_since(since).as_secs())).unwrap_or_default(),
            count: self.detail.count,
            advice: words::advice(self.event, language).to_owned(),
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
        what: text(),
        words: text(),
        when: text(),
        since: text(),
        lasted: text(),
        count: Some(1),
        advice: text(),
        links: page::links(&[Link { label: "text", url: "https://leads.zavod.ru/" }]),
    };
    [full, View { language, headline: text(), ..View::default() }]
}
