//! Why what one of us answered is not passed on to the customer.

use jiff::Timestamp;
use leadgate_core::ids::LeadId;
use leadgate_core::language::Language;
use leadgate_core::onward::event;

use super::clean;
use super::letter::{Heading, Letter, LetterError, LetterKind};
use super::operation::View;
use super::page::Reader;
use super::templates::{Name, Templates};

/// Why an answer is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpassed {
    /// There is no address that can be written to.
    NoAddress,
    /// It says nothing, and has no files.
    Empty,
    /// Its files are too large.
    TooLarge,
    /// What it answers is on another lead by now.
    Moved,
    /// It was too large to be read whole, or one of its files could not be kept.
    Incomplete,
}

impl Unpassed {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::NoAddress, Self::Empty, Self::TooLarge, Self::Moved, Self::Incomplete];

    /// In words, as the outbox shows it.
    pub fn words(self) -> String {
        format!("not passed on: {}", self.because(Language::En))
    }

    /// Reads [`Self::words`] back.
    fn parse(words: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.words() == words)
    }

    fn because(self, language: Language) -> &'static str {
        let (ru, en) = match self {
            Self::NoAddress => {
                ("у клиента нет адреса, на который можно написать", "the customer has no address that can be written to")
            }
            Self::Empty => ("в письме нет ни текста, ни файлов", "it holds neither text nor files"),
            Self::TooLarge => (
                "файлы больше 20 МБ, отправьте ссылку на них или несколько писем",
                "its files are larger than 20 MB; send a link to them, or several mails",
            ),
            Self::Moved => {
                ("обращение, на которое вы ответили, теперь в другой заявке", "what you answered is on another lead by now")
            }
            Self::Incomplete => (
                "письмо слишком большое, или один из файлов не удалось сохранить",
                "it is too large, or one of its files could not be kept",
            ),
        };
        match language {
            Language::Ru => ru,
            Language::En => en,
        }
    }
}

/// To whoever wrote an answer: the customer does not have it.
#[derive(Clone, Copy, Debug)]
pub struct NotPassedOn<'a> {
    /// The lead's number.
    pub lead: LeadId,
    /// The customer, as far as they are known.
    pub who: &'a str,
    /// Why, as the outbox shows it.
    pub words: &'a str,
    /// When it was given up.
    pub at: Timestamp,
}

impl NotPassedOn<'_> {
    /// The letter.
    pub fn letter(&self, reader: &Reader, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let said = templates.say(Name::Alarm, reader.language, &self.view(reader))?;
        Ok(heading.letter(LetterKind::Notice, said))
    }

    fn view(&self, reader: &Reader) -> View {
        let language = reader.language;
        // What servers say is said as they say it.
        let why = Unpassed::parse(self.words).map_or(self.words, |why| why.because(language));
        let who = if self.who.is_empty() { String::new() } else { format!(" ({})", clean::line(self.who, 100)) };
        let (headline, advice) = match language {
            Language::Ru => (
                format!("Ваш ответ по заявке {}{who} не передан клиенту: {why}", self.lead),
                "Клиент его не получил: позвоните или напишите ему сами.",
            ),
            Language::En => (
                format!("Your answer on lead {}{who} did not reach the customer: {why}", self.lead),
                "The customer does not have it: call or write to them yourself.",
            ),
        };
        View {
            language,
            reader: clean::line(&reader.name, 100),
            event: event::MAIL_REFUSED.to_owned(),
            headline: clean::line(&headline, 1_000),
            when: reader.time(self.at),
            advice: advice.to_owned(),
            ..View::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn whoever_wrote_it_hears_why_in_their_language() {
        let say = |words: &str, language| {
            let told = NotPassedOn { lead: LeadId(12), who: "Вера\r\nBcc: x@y.ru", words, at: Timestamp::UNIX_EPOCH };
            told.view(&Reader { language, zone: TimeZone::UTC, name: "Анна".to_owned() }).headline
        };
        for why in Unpassed::ALL {
            let russian = say(&why.words(), Language::Ru);
            assert!(
                russian.contains("по заявке 12 (Вера Bcc: x@y.ru)") && russian.ends_with(why.because(Language::Ru)),
                "{russian}"
            );
            assert!(say(&why.words(), Language::En).ends_with(why.because(Language::En)));
        }
        assert!(say("mail.example.com:25 refuses the mail (554)", Language::Ru).ends_with("refuses the mail (554)"));
    }
}
