//! Bodies as another system wants them: a template, whose values are put in as its type of content demands.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::onward::Envelope;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, HtmlEscape, Output, State, UndefinedBehavior, Value, escape_formatter,
};

use super::escape;
use super::variables::{NAMES, variables};

/// The longest body a template may make, in bytes.
const LONGEST: usize = 256 << 10;
/// Steps a template may take.
const FUEL: u64 = 200_000;
/// The one template of an environment.
const NAME: &str = "template";
/// What minijinja itself defines, beside our own [`NAMES`].
const FUNCTIONS: &[&str] = &["debug", "dict", "namespace", "range"];
/// Filters that would put a value in as it is, or as another type of content wants it.
const UNSAFE: &[&str] = &["safe", "escape", "e"];

/// How values are put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Each is a whole JSON value, with its quotes.
    Json,
    /// As in a query: `%20`.
    Form,
    /// As in HTML and XML.
    Markup,
    /// As they are.
    Text,
}

impl Content {
    /// By a content type; `None`: no template makes that.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let bare = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match bare.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "application/xml" | "text/xml" | "text/html" => Self::Markup,
            "text/plain" | "text/markdown" => Self::Text,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Markup,
            _ => return None,
        })
    }

    fn put(self, out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
        match self {
            // What a block of the template has made is escaped already.
            Self::Json | Self::Markup if value.is_safe() => escape_formatter(out, state, value),
            Self::Json => {
                let json = serde_json::to_string(value);
                let json = json.map_err(|_| Error::new(ErrorKind::BadSerialization, "this value is nothing JSON knows"))?;
                out.write_str(&json).map_err(Error::from)
            }
            Self::Form => {
                let text = text_of(value);
                url::form_urlencoded::byte_serialize(text.as_bytes())
                    .try_for_each(|piece| out.write_str(piece))
                    .map_err(Error::from)
            }
            Self::Markup => write!(out, "{}", HtmlEscape(&text_of(value))).map_err(Error::from),
            Self::Text => out.write_str(&text_of(value)).map_err(Error::from),
        }
    }
}

/// Why a template makes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// For logs and the outbox: nobody's data.
    pub words: String,
    /// For whoever writes the template: also what was in the way, which may be somebody's data.
    pub whole: String,
}

impl Fault {
    fn of(error: &Error) -> Self {
        let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        let kind = error.kind().to_string();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        Self { words: format!("{line}{kind}"), whole: format!("{line}{kind}{detail}") }
    }

    fn plain(words: String) -> Self {
        Self { whole: words.clone(), words }
    }
}

/// A template, read.
pub(super) struct Template {
    environment: Environment<'static>,
    content: Content,
    language: String,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("content", &self.content).finish_non_exhaustive()
    }
}

impl Template {
    /// Reads a template; `language` is what it knows by that name.
    pub(super) fn read(source: String, content: Content, language: &str) -> Result<Self, Fault> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(50);
        environment.set_auto_escape_callback(move |_| match content {
            Content::Json => AutoEscape::Json,
            Content::Markup => AutoEscape::Html,
            Content::Form | Content::Text => AutoEscape::None,
        });
        environment.set_formatter(move |out, state, value| content.put(out, state, value));
        for name in UNSAFE {
            environment.remove_filter(name);
        }
        filters(&mut environment);
        environment.add_template_owned(NAME, source).map_err(|error| Fault::of(&error))?;
        let template = environment.get_template(NAME).map_err(|error| Fault::of(&error))?;
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !NAMES.contains(&name.as_str()) && !FUNCTIONS.contains(&name.as_str()))
            .collect();
        unknown.sort_unstable();
        if !unknown.is_empty() {
            return Err(Fault::plain(format!(
                "it names {}, which does not exist; there are: {}",
                unknown.join(", "),
                NAMES.join(", ")
            )));
        }
        Ok(Self { environment, content, language: language.to_owned() })
    }

    /// The body for an event; `None`: the template says nothing of it.
    pub(super) fn render(&self, envelope: &Envelope<'_>) -> Result<Option<Vec<u8>>, Fault> {
        let variables =
            variables(envelope, &self.language).map_err(|_| Fault::plain("the event is nothing JSON knows".to_owned()))?;
        let template = self.environment.get_template(NAME).map_err(|error| Fault::of(&error))?;
        let mut body = Bounded(Vec::new());
        let made = template.render_captured_to(&variables, &mut body).map(|_| ());
        if body.0.len() >= LONGEST {
            return Err(Fault::plain(format!("it makes more than {LONGEST} bytes")));
        }
        made.map_err(|error| Fault::of(&error))?;
        let body = body.0;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        if self.content == Content::Json {
            let _: serde::de::IgnoredAny = serde_json::from_slice(&body).map_err(|error| {
                Fault::plain(format!(
                    "what it makes is no JSON: {error} of it; {{{{ .. }}}} writes a whole value, with its quotes"
                ))
            })?;
        }
        Ok(Some(body))
    }
}

/// A body that is not longer than it may be.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LONGEST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value as text; of nothing, none.
fn text_of(value: &Value) -> String {
    if value.is_undefined() || value.is_none() { String::new() } else { value.to_string() }
}

fn wrong(words: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, words)
}

/// What templates can do beside what minijinja brings along.
fn filters(environment: &mut Environment<'static>) {
    let most = |most: Option<usize>| most.unwrap_or(usize::MAX);
    environment.add_filter("cut", |value: &Value, most: usize| escape::cut(&text_of(value), most));
    environment.add_filter("slack", move |value: &Value, limit: Option<usize>| escape::slack(&text_of(value), most(limit)));
    environment.add_filter("markdown", move |value: &Value, limit: Option<usize>| escape::markdown(&text_of(value), most(limit)));
    environment.add_filter("slack_link", |url: &Value, text: &Value| escape::slack_link(&text_of(url), &text_of(text)));
    environment.add_filter("markdown_link", |url: &Value, text: &Value| escape::markdown_link(&text_of(url), &text_of(text)));
    environment.add_filter("tel", |value: &Value| escape::tel(&text_of(value)));
    environment.add_filter("mailto", |value: &Value| escape::mailto(&text_of(value)));
    environment.add_filter("joined", joined);
    environment.add_filter("present", present);
    environment.add_filter("money", |value: &Value| -> Result<String, Error> {
        Ok(minor(value)?.map_or_else(String::new, |minor| {
            let sign = if minor < 0 { "-" } else { "" };
            format!("{sign}{}.{:02}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
        }))
    });
    environment.add_filter("whole", |value: &Value| -> Result<Value, Error> {
        Ok(minor(value)?.map_or(Value::UNDEFINED, |minor| Value::from((minor / 100) + (minor % 100) / 50)))
    });
    environment.add_filter("unix", |value: &Value| -> Result<Value, Error> {
        Ok(moment(value)?.map_or(Value::UNDEFINED, |at| Value::from(at.as_second())))
    });
    environment.add_filter("local", local);
}

/// The texts of a list that are not empty, one after the other.
fn joined(list: &Value, between: Option<&str>) -> Result<String, Error> {
    let texts: Vec<String> = list.try_iter()?.map(|one| text_of(&one)).filter(|text| !text.is_empty()).collect();
    Ok(texts.join(between.unwrap_or("\n")))
}

/// A list or a map without what is not known: nothing, an empty text, an empty list or map; at every depth.
fn present(value: &Value) -> Result<Value, Error> {
    let json = serde_json::to_value(value).map_err(|_| wrong("this value is nothing JSON knows"))?;
    Ok(Value::from_serialize(known(json)))
}

fn known(value: serde_json::Value) -> Option<serde_json::Value> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text.is_empty() => None,
        serde_json::Value::Array(list) => {
            let list: Vec<_> = list.into_iter().filter_map(known).collect();
            (!list.is_empty()).then_some(serde_json::Value::Array(list))
        }
        serde_json::Value::Object(map) => {
            let map: serde_json::Map<_, _> = map.into_iter().filter_map(|(key, value)| Some((key, known(value)?))).collect();
            (!map.is_empty()).then_some(serde_json::Value::Object(map))
        }
        other => Some(other),
    }
}

/// Hundredths, as amounts are told.
fn minor(value: &Value) -> Result<Option<i64>, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(None);
    }
    value.as_i64().map(Some).ok_or_else(|| wrong("this is no amount"))
}

fn moment(value: &Value) -> Result<Option<Timestamp>, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(None);
    }
    text_of(value).parse().map(Some).map_err(|_| wrong("this is no time"))
}

/// A time where somebody is: `{{ timestamp | local("Europe/Moscow") }}`; the second argument is what `strftime` knows.
fn local(value: &Value, zone: &str, format: Option<&str>) -> Result<String, Error> {
    let zone = TimeZone::get(zone).map_err(|_| wrong("there is no such time zone; write e.g. Europe/Moscow"))?;
    let Some(at) = moment(value)? else { return Ok(String::new()) };
    let told = jiff::fmt::strtime::format(format.unwrap_or("%Y-%m-%d %H:%M"), &at.to_zoned(zone));
    told.map_err(|_| wrong("this is no format of a time; write e.g. %d.%m.%Y %H:%M"))
}
