//! What a provider is answered.

use std::time::Duration;

use bytes::Bytes;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{Known, Reply};
use leadgate_wire::keys::Keys;

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// A telephone rings meanwhile.
const WITHIN: Duration = Duration::from_millis(1500);

/// A fixed answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

impl Default for Answer {
    fn default() -> Self {
        Self::plain("ok".to_owned())
    }
}

impl Answer {
    /// A plain text.
    pub(super) fn plain(body: String) -> Self {
        Self { status: 200, content_type: PLAIN.to_owned(), body }
    }

    /// `{ status, type, body }`.
    pub(super) fn read(keys: &mut Keys) -> Self {
        // A failure would be tried again, and a redirect followed, for ever: what was kept is answered as kept.
        let status = keys.number("status", 200..=299).and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        let content_type = content_type(keys, PLAIN);
        Self { status, content_type, body: keys.text("body").unwrap_or_else(|| "ok".to_owned()) }
    }

    /// The answer to a delivery.
    pub(super) fn of(&self, id: SubmissionId) -> Reply {
        reply(self.status, &self.content_type, self.body.replace("{id}", &id.to_string()))
    }
}

fn content_type(keys: &mut Keys, usual: &str) -> String {
    let content_type = keys.text("type").unwrap_or_else(|| usual.to_owned());
    if !content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        keys.problem("type", "it is no content type; write e.g. \"application/json\"");
    }
    content_type
}

fn reply(status: u16, content_type: &str, body: String) -> Reply {
    let headers = vec![("content-type", content_type.to_owned()), ("x-content-type-options", "nosniff".to_owned())];
    Reply { status, headers, body: Bytes::from(body) }
}

/// The answer to who calls.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    /// How long there is to answer.
    pub within: Duration,
    content_type: String,
    body: String,
    unknown: String,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            within: WITHIN,
            content_type: JSON.to_owned(),
            body: "{\"name\":\"{name}\",\"extension\":\"{extension}\"}".to_owned(),
            unknown: "{}".to_owned(),
        }
    }
}

impl Lookup {
    /// `{ within, type, body, unknown }`.
    pub(super) fn read(keys: &mut Keys) -> Self {
        let usual = Self::default();
        Self {
            within: keys.duration("within", Duration::from_millis(100)..=Duration::from_secs(10)).unwrap_or(usual.within),
            content_type: content_type(keys, JSON),
            body: keys.text("body").unwrap_or(usual.body),
            unknown: keys.text("unknown").unwrap_or(usual.unknown),
        }
    }

    /// The answer, about somebody who is known or nobody.
    pub(super) fn of(&self, known: Option<&Known>) -> Reply {
        // A reply that names nobody would be shown as an empty name.
        let body = known.filter(|known| !known.name.trim().is_empty() || !self.body.contains("{name}"));
        let body = body.map_or_else(|| self.unknown.clone(), |known| self.filled(known));
        reply(200, &self.content_type, body)
    }

    fn filled(&self, known: &Known) -> String {
        let value = |name: &str| match name {
            "name" => Some(known.name.clone()),
            "extension" => Some(known.extension.clone().unwrap_or_default()),
            "contact" => Some(known.contact.to_string()),
            "lead" => Some(known.lead.map(|lead| lead.to_string()).unwrap_or_default()),
            "responsible" => Some(known.responsible.as_ref().map(|manager| manager.0.clone()).unwrap_or_default()),
            _ => None,
        };
        // In one pass, so that a name which reads like a placeholder stays a name.
        let mut out = String::with_capacity(self.body.len() + 64);
        let mut rest = self.body.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let filled = after.split_once('}').and_then(|(name, behind)| Some((value(name)?, behind)));
            if let Some((text, behind)) = filled {
                out.push_str(&self.escaped(&text));
                rest = behind;
            } else {
                out.push('{');
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    /// A value as it may stand in an answer of this type.
    fn escaped(&self, text: &str) -> String {
        let kind = self.content_type.to_ascii_lowercase();
        if kind.contains("json") {
            let quoted = serde_json::to_string(text).unwrap_or_default();
            return quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned();
        }
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        if kind.contains("xml") || kind.contains("html") {
            return text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use leadgate_core::ids::{ContactId, ManagerId};

    use super::*;

    fn known(name: &str) -> Known {
        Known {
            contact: ContactId(5),
            name: name.to_owned(),
            lead: None,
            responsible: Some(ManagerId("anna".to_owned())),
            extension: Some("101".to_owned()),
        }
    }

    fn lookup(text: &str) -> Lookup {
        let mut keys = Keys::new(text.parse().unwrap());
        let lookup = Lookup::read(&mut keys);
        assert_eq!(keys.finish(), []);
        lookup
    }

    #[test]
    fn an_answer_is_filled_in_and_escaped() {
        let usual = Lookup::default();
        assert_eq!(usual.of(Some(&known("Анна"))).body, r#"{"name":"Анна","extension":"101"}"#);
        assert_eq!(usual.of(Some(&known(r#""a"{extension}\"#))).body, r#"{"name":"\"a\"{extension}\\","extension":"101"}"#);
        assert_eq!(usual.of(None).body, "{}");
        assert_eq!(usual.of(Some(&known(" "))).body, "{}");
        assert_eq!(usual.of(None).headers[0], ("content-type", "application/json".to_owned()));
        let xml = lookup("type = \"text/xml\"\nbody = \"<n to='{responsible}'>{name}</n>{x}\"\nunknown = \"<n/>\"");
        assert_eq!(xml.of(Some(&known("A<b>&"))).body, "<n to='anna'>A&lt;b&gt;&amp;</n>{x}");
        assert_eq!(xml.of(None).body, "<n/>");
        let text = lookup("type = \"text/plain\"\nbody = \"{name} {lead}\"");
        assert_eq!(text.of(Some(&known("A\nb"))).body, "Ab ");
    }
}
