//! What the bot says by itself.

use leadgate_core::language::Language;
use leadgate_wire::keys::Keys;

/// Characters of a text of one's own: with what is put around it, it fits into one message.
const MOST_TEXT: usize = 2_000;

/// What is asked, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The phone, by a button.
    Phone,
    /// The name.
    Name,
    /// What it is about.
    About,
}

/// What the customer is to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Which wording: it is kept as evidence.
    pub version: String,
    /// The wording.
    pub text: String,
}

/// What the bot says by itself. A text that is not given is the usual one of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue {
    /// In which language; `None`: in that of the customer's program, if it is one of ours, else the company's.
    pub language: Option<Language>,
    /// What the customer is to agree to before the phone is asked for.
    pub consent: Option<Consent>,
    /// What is asked.
    pub ask: Vec<Question>,
    /// What is said first.
    pub greeting: Option<String>,
    /// What is said first outside working hours.
    pub away: Option<String>,
    /// What is said last.
    pub thanks: Option<String>,
}

impl Dialogue {
    /// Takes its keys.
    pub(super) fn take(keys: &mut Keys) -> Self {
        let languages = [("ru", Some(Language::Ru)), ("en", Some(Language::En)), ("auto", None)];
        let language = keys.one_of("language", &languages).unwrap_or_default();
        let consent = keys.within("consent", |keys| {
            let given = keys.has("text");
            let (version, text) = (keys.text("version"), text(keys, "text"));
            if version.as_deref().is_none_or(|version| version.trim().is_empty() || version.len() > 100) {
                keys.problem("version", "which wording is it? write e.g. version = \"2026-01\": it is kept as evidence");
            }
            if !given {
                keys.problem("text", "write what the customer is to agree to");
            }
            Consent { version: version.unwrap_or_default(), text: text.unwrap_or_default() }
        });
        Self {
            language,
            consent,
            ask: ask(keys),
            greeting: text(keys, "greeting"),
            away: text(keys, "away"),
            thanks: text(keys, "thanks"),
        }
    }
}

fn ask(keys: &mut Keys) -> Vec<Question> {
    let known = [("phone", Question::Phone), ("name", Question::Name), ("about", Question::About)];
    let Some(texts) = keys.list("ask") else { return known.map(|(_, question)| question).to_vec() };
    let mut ask = Vec::new();
    for text in texts {
        match known.iter().find(|(name, _)| *name == text) {
            Some((_, question)) if !ask.contains(question) => ask.push(*question),
            Some(_) => keys.problem("ask", format!("{text:?} is asked twice")),
            None => keys.problem("ask", format!("{text:?} cannot be asked; there are phone, name, about")),
        }
    }
    ask
}

fn text(keys: &mut Keys, key: &'static str) -> Option<String> {
    let text = keys.text(key)?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MOST_TEXT {
        keys.problem(key, format!("it must have 1 to {MOST_TEXT} characters"));
        return None;
    }
    Some(text.to_owned())
}
