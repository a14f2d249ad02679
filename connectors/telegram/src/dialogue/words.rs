//! The usual words of the bot, and what is understood of an answer.

use leadgate_core::language::Language::{self, En, Ru};

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

/// Whether a text is a phone and nothing else.
pub(super) fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c))
}
