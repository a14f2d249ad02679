//! Calls that are put through to a telephone of the company: what a provider is told that asks what to do with a call.

use std::time::Duration;

use bytes::Bytes;
use leadgate_core::ports::{Known, Reply};
use leadgate_wire::keys::Keys;

/// How long a telephone rings unless the configuration says otherwise.
const RINGS: Duration = Duration::from_secs(30);
/// Bytes of a greeting.
const MOST_SAID: usize = 1000;

/// Where calls are put through to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    /// With its plus, digits only.
    number: String,
    greeting: Option<String>,
    rings_s: u64,
    russian: bool,
    /// Whoever is known is put through to the manager who works with them first.
    to_responsible: bool,
}

/// A telephone of a manager, as `TwiML` calls one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telephone {
    verb: &'static str,
    /// As written.
    pub address: String,
}

impl Telephone {
    /// What a manager's `extension` names: a number with its plus, `sip:...` or `client:...`. An extension of a PBX is none.
    pub fn read(extension: &str) -> Option<Self> {
        let extension = extension.trim();
        if let Some(number) = international(extension) {
            return Some(Self { verb: "Number", address: number });
        }
        let (scheme, name) = extension.split_once(':').filter(|(_, name)| !name.is_empty())?;
        let verb = match scheme.to_ascii_lowercase().as_str() {
            "sip" | "sips" => "Sip",
            "client" => "Client",
            _ => return None,
        };
        Some(Self { verb, address: if verb == "Client" { name } else { extension }.to_owned() })
    }
}

/// A number with its plus, digits only.
fn international(typed: &str) -> Option<String> {
    let number: String = typed.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    ((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

impl Forward {
    /// Reads `forward`, `greeting` and `forward_timeout`.
    pub fn read(keys: &mut Keys, language: &str) -> Option<Self> {
        let typed = keys.text("forward");
        let said = keys.text("greeting");
        let rings = keys.duration("forward_timeout", Duration::from_secs(5)..=Duration::from_mins(2));
        let Some(typed) = typed else {
            let orphans = [("greeting", said.is_some()), ("forward_timeout", rings.is_some())];
            for (key, _) in orphans.iter().filter(|(_, there)| *there) {
                keys.problem(key, "it says how calls are put through; write forward = \"+7...\" as well");
            }
            return None;
        };
        let Some(number) = international(&typed) else {
            keys.problem("forward", format!("{typed:?} is no number in international form; write e.g. \"+74951234567\""));
            return None;
        };
        let greeting = said.as_deref().and_then(leadgate_core::text::present);
        if greeting.as_ref().is_some_and(|text| text.len() > MOST_SAID) {
            keys.problem("greeting", format!("it is longer than {MOST_SAID} bytes: nobody listens that long"));
        }
        let rings_s = rings.unwrap_or(RINGS).as_secs();
        Some(Self { number, greeting, rings_s, russian: language == "ru", to_responsible: false })
    }

    /// The telephone of the manager who works with a caller, if such calls are to go there first.
    pub fn responsible(&self, known: Option<&Known>) -> Option<Telephone> {
        let extension = known?.extension.as_deref().filter(|_| self.to_responsible)?;
        Telephone::read(extension).filter(|telephone| telephone.address != self.number)
    }

    /// Reads `to_responsible`, for providers that can be told what to do next.
    pub fn read_responsible(forward: &mut Option<Self>, keys: &mut Keys) {
        let wanted = keys.yes("to_responsible").unwrap_or(false);
        match forward {
            Some(forward) => forward.to_responsible = wanted,
            None if wanted => {
                keys.problem("to_responsible", "it says to whom calls are put through first; write forward = \"+7...\" as well");
            }
            None => {}
        }
    }

    /// The number, with its plus.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Whether a party, however it is written, is that number.
    pub fn is_to(&self, party: &str) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        digits(party) == digits(&self.number)
    }

    /// The greeting, in the verb that speaks; empty if there is none.
    fn said(&self, verb: &str) -> String {
        let speak = |text: &String| format!("<{verb} language=\"{}\">{}</{verb}>", self.language(), escaped(text));
        self.greeting.as_ref().map(speak).unwrap_or_default()
    }

    /// The verbs of `TwiML` that put a call through.
    fn dial(&self, to: &Telephone, greets: bool, action: &str) -> String {
        let said = if greets { self.said("Say") } else { String::new() };
        // Without a greeting the caller hears the telephone ring, and the call is not answered before somebody does.
        let bridged = if self.greeting.is_none() { " answerOnBridge=\"true\"" } else { "" };
        let Telephone { verb, address } = to;
        format!(
            "{said}<Dial timeout=\"{}\"{bridged} action=\"{}\" method=\"POST\"><{verb}>{}</{verb}></Dial>",
            self.rings_s,
            escaped(action),
            escaped(address),
        )
    }

    fn language(&self) -> &'static str {
        if self.russian { "ru-RU" } else { "en-US" }
    }
}

/// What Twilio and those like it are told: `action` hears how it went.
pub(crate) fn twiml(forward: Option<&Forward>, action: &str) -> Reply {
    let Some(forward) = forward else { return xml(NOT_CONFIGURED) };
    let usual = Telephone { verb: "Number", address: forward.number.clone() };
    xml(&forward.dial(&usual, true, action))
}

/// The same, but the telephone of a manager rings first.
pub(crate) fn twiml_to(forward: &Forward, telephone: &Telephone, action: &str) -> Reply {
    xml(&forward.dial(telephone, true, action))
}

/// The same once a manager's telephone has rung in vain: the caller was greeted already.
pub(crate) fn twiml_next(forward: Option<&Forward>, action: &str) -> Reply {
    let Some(forward) = forward else { return enough() };
    let usual = Telephone { verb: "Number", address: forward.number.clone() };
    xml(&forward.dial(&usual, false, action))
}

/// What Plivo is told: `action` hears how it went, `events` what happens meanwhile.
pub(crate) fn plivo(forward: Option<&Forward>, action: &str, events: &str) -> Reply {
    let Some(forward) = forward else { return xml(NOT_CONFIGURED) };
    xml(&format!(
        "{}<Dial timeout=\"{}\" action=\"{}\" method=\"POST\" callbackUrl=\"{}\" callbackMethod=\"POST\"><Number>{}</Number></Dial>",
        forward.said("Speak"),
        forward.rings_s,
        escaped(action),
        escaped(events),
        forward.number.trim_start_matches('+'),
    ))
}

/// What Vonage is told: `line` is the number that was called, `events` hears how it goes. Without a number to put calls through to it
/// is an empty list, with which the call ends.
pub(crate) fn ncco(forward: Option<&Forward>, line: Option<&str>, events: &str) -> Reply {
    let mut actions = Vec::new();
    if let Some(forward) = forward {
        if let Some(greeting) = &forward.greeting {
            actions.push(serde_json::json!({ "action": "talk", "text": greeting, "language": forward.language() }));
        }
        let mut connect = serde_json::json!({
            "action": "connect",
            "timeout": forward.rings_s,
            "eventUrl": [events],
            "endpoint": [{ "type": "phone", "number": forward.number.trim_start_matches('+') }],
        });
        if let Some(line) = line {
            connect["from"] = line.into();
        }
        actions.push(connect);
    }
    Reply {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Bytes::from(serde_json::Value::Array(actions).to_string()),
    }
}

/// Nothing more is to be done with a call.
pub(crate) fn enough() -> Reply {
    xml("")
}

/// Received, without a word.
pub(crate) fn received() -> Reply {
    Reply { status: 204, headers: Vec::new(), body: Bytes::new() }
}

const NOT_CONFIGURED: &str = "<!-- This source puts no calls through: forward is not configured -->";

fn xml(inner: &str) -> Reply {
    let response = if inner.is_empty() { "<Response/>".to_owned() } else { format!("<Response>{inner}</Response>") };
    Reply {
        status: 200,
        headers: vec![("content-type", "text/xml; charset=utf-8".to_owned())],
        body: Bytes::from(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{response}")),
    }
}

/// A text within XML; characters that XML does not know are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// What examples say of the key that goes with it where a provider can be told what to do next.
macro_rules! responsible_keys {
    () => {
        r#"# Whoever is known is put through to the manager who works with them first, if their extension is "+7...", "sip:..." or "client:...".
# to_responsible = false
"#
    };
}
pub(crate) use responsible_keys;

/// What examples say of the keys of a forward.
macro_rules! forward_keys {
    () => {
        r#"# Puts calls through to this number, for numbers that have nobody else to answer them; the greeting is spoken first.
# forward = "+74951234567"
# forward_timeout = "30 s"
# greeting = "Please hold the line"
"#
    };
}
pub(crate) use forward_keys;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Forward>, Vec<String>) {
        let mut keys = Keys::new(text.parse().unwrap());
        let found = Forward::read(&mut keys, "ru");
        (found, keys.finish().into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
    }

    fn text(reply: &Reply) -> &str {
        std::str::from_utf8(&reply.body).unwrap()
    }

    #[test]
    fn what_is_read() {
        let (forward, problems) = read("forward = \"+7 (495) 123-45-67\"\nforward_timeout = \"20 s\"");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(forward.as_ref().map(Forward::number), Some("+74951234567"));
        assert!(forward.is_some_and(|forward| forward.is_to("74951234567") && !forward.is_to("74951234568")));
        for wrong in ["84951234567", "+7495", "sip:101@pbx", ""] {
            assert_eq!(read(&format!("forward = {wrong:?}")).1.len(), 1, "{wrong}");
        }
        assert_eq!(read("greeting = \"Алло\"").1.len(), 1);
        assert_eq!(read(""), (None, Vec::new()));
    }

    #[test]
    fn what_a_provider_is_told() {
        let forward = read("forward = \"+74951234567\"\ngreeting = \"Окна <&> \\\"двери\\\"\"").0.unwrap();
        assert_eq!(
            text(&twiml(Some(&forward), "https://gw.example.com/in/calls/T/voice/dial?a=1&b=2")),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"ru-RU\">Окна &lt;&amp;&gt; &quot;двери&quot;</Say>\
             <Dial timeout=\"30\" action=\"https://gw.example.com/in/calls/T/voice/dial?a=1&amp;b=2\" method=\"POST\">\
             <Number>+74951234567</Number></Dial></Response>"
        );
        assert_eq!(
            text(&plivo(Some(&forward), "https://x/a", "https://x/b")),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Speak language=\"ru-RU\">Окна &lt;&amp;&gt; &quot;двери&quot;</Speak>\
             <Dial timeout=\"30\" action=\"https://x/a\" method=\"POST\" callbackUrl=\"https://x/b\" callbackMethod=\"POST\">\
             <Number>74951234567</Number></Dial></Response>"
        );
        let told: serde_json::Value =
            serde_json::from_slice(&ncco(Some(&forward), Some("74950000000"), "https://x/b").body).unwrap();
        assert_eq!(
            told,
            serde_json::json!([
                { "action": "talk", "text": "Окна <&> \"двери\"", "language": "ru-RU" },
                { "action": "connect", "from": "74950000000", "timeout": 30, "eventUrl": ["https://x/b"],
                  "endpoint": [{ "type": "phone", "number": "74951234567" }] },
            ])
        );
        assert_eq!(text(&ncco(None, None, "https://x/b")), "[]");
        assert_eq!(text(&enough()), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
        assert!(text(&twiml(None, "x")).contains("forward is not configured"));
        let silent = Forward { greeting: None, ..forward };
        assert!(text(&twiml(Some(&silent), "x")).contains("<Response><Dial timeout=\"30\" answerOnBridge=\"true\" action=\"x\""));
    }
}
