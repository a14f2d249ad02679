//! The answer that a customer gets at once. Nothing that anybody typed into a form is in it: it could be sent to a stranger in our
//! name.

use leadgate_core::language::Language;
use serde::Serialize;

use super::clean;
use super::letter::{Heading, Letter, LetterError, LetterKind};
use super::templates::{Name, Templates};

/// What an automatic answer is written from: the configuration alone.
#[derive(Clone, Copy, Debug)]
pub struct AutoReply<'a> {
    /// In which language.
    pub language: Language,
    /// The company.
    pub company: &'a str,
    /// When somebody will answer, such as `within an hour, on working days from 9 to 18`; empty: that is not said.
    pub expect: &'a str,
    /// The source's own subject; empty: the template's.
    pub subject: &'a str,
    /// The source's own text; empty: the template's.
    pub text: &'a str,
}

/// What the templates see.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct View {
    pub(super) language: Language,
    pub(super) company: String,
    pub(super) expect: String,
    pub(super) subject: String,
    pub(super) text: String,
}

impl AutoReply<'_> {
    /// The letter. It comes from nobody (the null sender), so that nothing answers it.
    pub fn letter(&self, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let view = View {
            language: self.language,
            company: clean::line(self.company, 200),
            expect: clean::line(self.expect, 300),
            subject: clean::line(self.subject, 200),
            text: clean::block(self.text, 5_000).0,
        };
        let said = templates.say(Name::AutoReply, self.language, &view)?;
        Ok(Heading { envelope_from: None, ..heading }.letter(LetterKind::AutoReply, said))
    }
}

/// One that has everything, and one that has as little as there may be.
pub(super) fn samples(language: Language) -> [View; 2] {
    let text = || "text".to_owned();
    let full = View { language, company: text(), expect: text(), subject: text(), text: text() };
    [full, View { language, ..View::default() }]
}
