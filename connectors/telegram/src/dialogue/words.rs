//! The usual words of the bot, and what is understood of an answer.

use leadgate_core::language::Language::{self, En, Ru};
use leadgate_core::name;

/// Characters of a name.
const LONGEST_NAME: usize = 60;
/// Words of a name.
const MOST_WORDS: usize = 4;
/// What stands before a name.
const INTRODUCTIONS: [&str; 7] = ["меня зовут ", "моё имя ", "мое имя ", "это ", "my name is ", "i am ", "i'm "];
/// What people say instead of their name.
const NO_NAMES: [&str; 24] = [
    "да",
    "нет",
    "не",
    "ок",
    "ладно",
    "хорошо",
    "потом",
    "никак",
    "зачем",
    "пропустить",
    "привет",
    "здравствуйте",
    "спасибо",
    "yes",
    "no",
    "ok",
    "okay",
    "later",
    "skip",
    "why",
    "hi",
    "hello",
    "thanks",
    "none",
];

pub(super) fn greeting(language: Language) -> &'static str {
    match language {
        Ru => "Здравствуйте! Напишите, что вас интересует, и мы ответим здесь же.",
        En => "Hello! Write what it is about, and we will answer right here.",
    }
}

pub(super) fn away(language: Language) -> &'static str {
    match language {
        Ru => "Сейчас мы не на работе. Ответим, как только начнётся рабочий день.",
        En => "We are not at work right now. We will answer as soon as the working day begins.",
    }
}

pub(super) fn phone(language: Language) -> &'static str {
    match language {
        Ru => "По какому номеру вам позвонить? Нажмите кнопку ниже или напишите номер.",
        En => "Which number may we call? Press the button below, or write the number.",
    }
}

pub(super) fn share(language: Language) -> &'static str {
    match language {
        Ru => "Отправить мой номер",
        En => "Share my phone number",
    }
}

pub(super) fn skip(language: Language) -> &'static str {
    match language {
        Ru => "Ответьте здесь",
        En => "Answer here",
    }
}

pub(super) fn name(language: Language) -> &'static str {
    match language {
        Ru => "Как к вам обращаться?",
        En => "What is your name?",
    }
}

pub(super) fn about(language: Language) -> &'static str {
    match language {
        Ru => "Что вас интересует?",
        En => "What is it about?",
    }
}

pub(super) fn thanks(language: Language) -> &'static str {
    match language {
        Ru => "Спасибо! Мы скоро ответим. Можете писать сюда и дальше.",
        En => "Thank you! We will answer soon. You can go on writing here.",
    }
}

pub(super) fn stopped(language: Language) -> &'static str {
    match language {
        Ru => "Хорошо, бот больше ничего не спрашивает. Вернуться: /start",
        En => "All right, the bot asks nothing any more. To come back: /start",
    }
}

/// Whether somebody pressed the button that shares no phone.
pub(super) fn is_skip(text: &str) -> bool {
    Language::ALL.into_iter().any(|language| skip(language) == text.trim())
}

/// The name in an answer to the question for it, as typed; `None`: it is rather something else. Several words are a name where each begins
/// with a capital letter.
pub(super) fn own_name(text: &str) -> Option<String> {
    let said = text.trim().trim_end_matches(['.', '!', ',']);
    let lower = said.to_lowercase();
    let before = INTRODUCTIONS.iter().find(|words| lower.starts_with(**words)).map_or(0, |words| words.chars().count());
    let own: String = said.chars().skip(before).collect();
    let own = own.trim();
    let words: Vec<&str> = own.split_whitespace().collect();
    let capital = |word: &&str| word.chars().next().is_some_and(char::is_uppercase);
    let fits = own.chars().count() <= LONGEST_NAME
        && !own.contains(['\n', '?', ':', '/'])
        && !own.contains(|c: char| c.is_ascii_digit());
    let is_name = match words.as_slice() {
        [one] => !NO_NAMES.contains(&one.to_lowercase().as_str()),
        several => (2..=MOST_WORDS).contains(&several.len()) && several.iter().all(capital),
    };
    (fits && is_name && name::read(own).is_real()).then(|| own.to_owned())
}

/// Whether a text is a phone and nothing else.
pub(super) fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c))
}
