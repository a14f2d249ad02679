//! Templates: the gateway's own, and those of a folder that take their place.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use leadgate_core::language::Language;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use super::letter::LetterError;
use super::{auto_reply, clean, digest, notice, operation};

/// The longest template of a folder, in bytes.
const LONGEST: u64 = 256 << 10;
/// Characters of a text that a template makes. Mail programs cut what is longer.
const MOST_TEXT: usize = 100_000;

/// A template: a text and its HTML, in each language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// To a manager, of a lead or a contact.
    Notice,
    /// To the operator, of the gateway itself.
    Alarm,
    /// To the operator, every day.
    OperatorDigest,
    /// To a manager, every day.
    ManagerDigest,
    /// To a customer.
    AutoReply,
}

impl Name {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Notice, Self::Alarm, Self::OperatorDigest, Self::ManagerDigest, Self::AutoReply];

    /// The name of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Alarm => "alarm",
            Self::OperatorDigest => "operator_digest",
            Self::ManagerDigest => "manager_digest",
            Self::AutoReply => "auto_reply",
        }
    }

    fn file(self, language: Language, end: &str) -> String {
        format!("{}/{}.{end}", language.as_str(), self.as_str())
    }

    /// Contexts that show everything a template may use, and as little as there may be.
    fn samples(self, language: Language) -> Vec<Value> {
        match self {
            Self::Notice => notice::samples(language).iter().map(Value::from_serialize).collect(),
            Self::Alarm => operation::samples(language).iter().map(Value::from_serialize).collect(),
            Self::OperatorDigest => digest::operator_samples(language).iter().map(Value::from_serialize).collect(),
            Self::ManagerDigest => digest::manager_samples(language).iter().map(Value::from_serialize).collect(),
            Self::AutoReply => auto_reply::samples(language).iter().map(Value::from_serialize).collect(),
        }
    }
}

macro_rules! embedded {
    ($($file:literal),+ $(,)?) => {
        const EMBEDDED: &[(&str, &str)] = &[$(($file, include_str!(concat!("../../templates/", $file)))),+];
    };
}

embedded!(
    "base.html",
    "en/notice.txt",
    "en/notice.html",
    "en/alarm.txt",
    "en/alarm.html",
    "en/operator_digest.txt",
    "en/operator_digest.html",
    "en/manager_digest.txt",
    "en/manager_digest.html",
    "en/auto_reply.txt",
    "en/auto_reply.html",
    "ru/notice.txt",
    "ru/notice.html",
    "ru/alarm.txt",
    "ru/alarm.html",
    "ru/operator_digest.txt",
    "ru/operator_digest.html",
    "ru/manager_digest.txt",
    "ru/manager_digest.html",
    "ru/auto_reply.txt",
    "ru/auto_reply.html",
);

/// What a letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

/// The templates. Clones share them.
#[derive(Clone)]
pub struct Templates {
    /// With those of the folder.
    own: Arc<Environment<'static>>,
    /// Without, for when one of the folder fails on what no sample had.
    embedded: Arc<Environment<'static>>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

impl Templates {
    /// The gateway's own, with what a folder has in place of them (`ru/notice.html` and so on) and a text below every letter. What is
    /// wrong with them is told: which file, which line, what.
    pub fn new(folder: Option<&Path>, footer: &str) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let embedded = environment(footer);
        let mut own = embedded.clone();
        for (file, text) in folder.map(|folder| files(folder, &mut problems)).unwrap_or_default() {
            if let Err(error) = own.add_template_owned(file.clone(), text) {
                problems.push(told(&file, &error));
            }
        }
        let templates = Self { own: Arc::new(own), embedded: Arc::new(embedded) };
        if folder.is_some() && problems.is_empty() {
            problems = templates.problems();
        }
        (templates, problems)
    }

    /// The files that a folder may hold.
    pub fn files() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(file, _)| *file)
    }

    /// A template of the gateway's own, to begin one's own with.
    pub fn source(file: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for name in Name::ALL {
            for language in Language::ALL {
                for sample in name.samples(language) {
                    if let Err(error) = fill(&self.own, name, language, &sample) {
                        problems.push(error.to_string());
                    }
                }
            }
        }
        problems.dedup();
        problems
    }

    pub(super) fn say(&self, name: Name, language: Language, view: &impl Serialize) -> Result<Said, LetterError> {
        let view = Value::from_serialize(view);
        fill(&self.own, name, language, &view).or_else(|error| {
            tracing::warn!(%error, "a template of the folder cannot be filled in: the gateway's own is used");
            fill(&self.embedded, name, language, &view)
        })
    }
}

fn fill(environment: &Environment<'_>, name: Name, language: Language, view: &Value) -> Result<Said, LetterError> {
    let render = |end: &str| {
        let file = name.file(language, end);
        let template = environment.get_template(&file);
        template.and_then(|template| template.render(view)).map_err(|error| LetterError::Template(told(&file, &error)))
    };
    let whole = render("txt")?;
    let subject =
        |line: &str| line.strip_prefix("Subject:").map(|subject| clean::line(subject, 200)).filter(|text| !text.is_empty());
    let (first, text) = whole.split_once('\n').unwrap_or((&whole, ""));
    let Some(subject) = subject(first) else {
        let file = name.file(language, "txt");
        return Err(LetterError::Template(format!("{file}, line 1: it must begin with \"Subject: ...\", the mail's subject")));
    };
    let (text, _) = clean::block(&squeezed(text), MOST_TEXT);
    Ok(Said { subject, text: text + "\n", html: Some(render("html")?) })
}

/// Without lines that are empty twice in a row, as left by what a template leaves out.
fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            out.push_str(line);
            out.push('\n');
        }
        empty = line.is_empty();
    }
    out
}

fn environment(footer: &str) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|name| match Path::new(name).extension() {
        Some(end) if end == "html" => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.set_formatter(write);
    environment.add_filter("br", br);
    environment.add_global("footer", clean::block(footer, 1_000).0);
    for (file, text) in EMBEDDED {
        if let Err(error) = environment.add_template(file, text) {
            tracing::error!(%error, file, "a template of the gateway's own cannot be read");
        }
    }
    environment
}

/// A text with its lines kept in HTML. Programs that know no `white-space` keep them, too.
fn br(text: &str) -> Value {
    let lines: Vec<String> = text.lines().map(escaped).collect();
    Value::from_safe_string(lines.join("<br>"))
}

/// A value in its place: escaped in HTML, unless a template made it.
fn write(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() => {
            out.write_str(&escaped(text)).map_err(|error| minijinja::Error::new(ErrorKind::BadEscape, error.to_string()))
        }
        _ => escape_formatter(out, state, value),
    }
}

/// A text in HTML, between tags or in a quoted attribute. Slashes stay, unlike by minijinja's own hand: programs that look for links in
/// mails do not all read `&#x2f;`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The templates of a folder.
fn files(folder: &Path, problems: &mut Vec<String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        problems.push(format!("{} is no folder", folder.display()));
        return found;
    }
    let places = [("", folder.to_path_buf())]
        .into_iter()
        .chain(Language::ALL.map(|language| (language.as_str(), folder.join(language.as_str()))));
    for (below, path) in places {
        let Ok(entries) = std::fs::read_dir(&path) else { continue };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        for name in names {
            let file = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let is_template = Path::new(&name).extension().is_some_and(|end| end == "txt" || end == "html");
            if !is_template {
                continue;
            }
            if !EMBEDDED.iter().any(|(known, _)| *known == file) {
                let known: Vec<&str> = Templates::files().collect();
                problems.push(format!("{file}: there is no such template; there are: {}", known.join(", ")));
                continue;
            }
            match read(&path.join(&name)) {
                Ok(text) => found.push((file, text)),
                Err(why) => problems.push(format!("{file}: {why}")),
            }
        }
    }
    found
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
    if std::fs::metadata(path).map_err(cannot)?.len() > LONGEST {
        return Err(format!("it is longer than {} KB", LONGEST >> 10));
    }
    std::fs::read_to_string(path).map_err(cannot)
}

/// An error with its place. What a visitor typed is not in it: values are named, not shown.
fn told(file: &str, error: &minijinja::Error) -> String {
    let file = error.name().unwrap_or(file);
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{file}{line}: {}{detail}", error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_own_can_be_filled_in() {
        let (templates, problems) = Templates::new(None, "Завод");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(templates.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_folder_takes_the_place_of_some_and_its_mistakes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("ru")).unwrap();
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        write("ru/auto_reply.txt", "Subject: Мы получили\n\n{{ company }} ответит\n\n\n\n{{ footer }}");
        write("README.md", "{{ not a template");
        let (templates, problems) = Templates::new(Some(folder.path()), "до встречи");
        assert_eq!(problems, Vec::<String>::new());
        let said = templates.say(Name::AutoReply, Language::Ru, &auto_reply::samples(Language::Ru)[0]).unwrap();
        assert_eq!(said.subject, "Мы получили");
        assert!(said.text.ends_with(" ответит\n\nдо встречи\n"), "{:?}", said.text);

        for (text, told) in [
            ("Subject: x\n{{ compny }}", "ru/auto_reply.txt, line 2: undefined value"),
            ("Subject: x\n\n{% if %}", "ru/auto_reply.txt, line 3: syntax error"),
            ("no subject", "ru/auto_reply.txt, line 1: it must begin with"),
        ] {
            write("ru/auto_reply.txt", text);
            let (_, problems) = Templates::new(Some(folder.path()), "");
            assert!(problems.len() == 1 && problems[0].starts_with(told), "{problems:?}");
        }
        write("ru/notise.txt", "Subject: x");
        let (_, problems) = Templates::new(Some(folder.path()), "");
        assert!(problems.iter().any(|problem| problem.starts_with("ru/notise.txt: there is no such template")), "{problems:?}");
    }

    #[test]
    fn a_template_that_fails_later_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("en")).unwrap();
        let text = "Subject: x\n{% if company == 'Odd' %}{{ nothing }}{% endif %}";
        std::fs::write(folder.path().join("en/auto_reply.txt"), text).unwrap();
        let (templates, problems) = Templates::new(Some(folder.path()), "");
        assert_eq!(problems, Vec::<String>::new());
        let view =
            |company: &str| auto_reply::View { company: company.to_owned(), ..auto_reply::samples(Language::En)[0].clone() };
        assert_eq!(templates.say(Name::AutoReply, Language::En, &view("Even")).unwrap().subject, "x");
        assert_ne!(templates.say(Name::AutoReply, Language::En, &view("Odd")).unwrap().subject, "x");
    }
}
