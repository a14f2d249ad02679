//! `FreeSWITCH`: `mod_json_cdr` posts a record of each leg after it hung up.
//!
//! It appends `?uuid=..` to whatever address it is given, so the token stands in the path; and its header does not tell what its body
//! is, so the body does.

mod cdr;

#[cfg(test)]
mod tests;

use data_encoding::BASE64;
use leadgate_core::attribution::percent_decode;
use leadgate_core::call::{CallFacts, CallTelling};
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Refusal, Request, Secrets, SourceKind};
use leadgate_wire::auth::{Auth, Call};
use leadgate_wire::body::Limits;
use leadgate_wire::json::Json;

use crate::basic;
use crate::provider::{Event, Heard, Incoming, Proof, Provider, Unproven};
use crate::settings::{self, Usual, usual_keys};

use cdr::{Cdr, Leg};

/// `kind = "freeswitch"`.
pub const KIND: SourceKind =
    SourceKind { name: "freeswitch", about: "FreeSWITCH: call records of mod_json_cdr", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "freeswitch"
# The name and the password of "cred" in json_cdr.conf.xml; with them every record must have them.
# user = "freeswitch"
# password = { env = "FREESWITCH_PASSWORD" }   # or { file = "..." }; a list while it is being changed
# Where the records of calls lie for Leadgate; the name of the file is put behind it. Without it its path is kept as a field.
# recording_url = "https://pbx.example.com/recordings/"
"#,
    usual_keys!()
);

/// Values of a record are more than those of a form, and one of them may be the record itself.
const LIMITS: Limits = Limits { fields: 5000, depth: 7, value: 256 * 1024 };

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В autoload_configs/json_cdr.conf.xml укажите url = {url}, encode = false и retries = 3; log-b-leg оставьте включённым.\n\
         2. Если нужен пароль, задайте cred = имя:пароль и те же user и password у источника.\n\
         3. Загрузите модуль (mod_json_cdr в modules.conf.xml) и сделайте звонок: leadgate leads list."
    } else {
        "1. In autoload_configs/json_cdr.conf.xml set url to {url}, encode to false and retries to 3; leave log-b-leg on.\n\
         2. If you want a password, set cred to name:password, and the same user and password in the source.\n\
         3. Load the module (mod_json_cdr in modules.conf.xml) and make a call: leadgate leads list."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, _rules, _settings| {
        let auth = basic::read(keys, secrets);
        Some(FreeSwitch { auth, recording_url: basic::folder(keys, "recording_url") })
    })
}

struct FreeSwitch {
    auth: Auth,
    recording_url: Option<String>,
}

impl Provider for FreeSwitch {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        let call = Call { request: incoming.request, body: None, now: incoming.request.received_at };
        self.auth.check(&call).map(|()| Proof::Whole).map_err(|unproven| Unproven::new(&unproven.0))
    }

    fn recordings_at(&self) -> Option<&str> {
        self.recording_url.as_deref()
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        let request = incoming.request;
        if request.method != "POST" || request.body.trim_ascii().is_empty() {
            return Ok(Heard::Probe(self.thanks(request)));
        }
        let record = record(request.body).map_err(|why| Refusal::Unreadable(format!("the record cannot be read: {why}")))?;
        let cdr = Cdr::of(&record);
        let Some(uuid) = cdr.uuid().or_else(|| appended_uuid(request)) else {
            return Err(Refusal::Unreadable("the record names no channel: neither variables.uuid nor ?uuid=".to_owned()));
        };
        Ok(Heard::Events(vec![self.event(&cdr, &uuid)]))
    }

    fn limits(&self) -> Limits {
        LIMITS
    }
}

impl FreeSwitch {
    fn event(&self, cdr: &Cdr<'_>, uuid: &str) -> Event {
        let leg = cdr.leg(uuid);
        let told = cdr.telling(&leg);
        let at = told.ended.or(told.started);
        // The record of a leg that was called is evidence only: the caller's own record sums the call up.
        let call = match &leg {
            Leg::Caller => {
                let legs = CallTelling { picked_up: told.picked_up, ..CallTelling::default() };
                Some(CallFacts { legs, ..CallFacts::summary(uuid, told) })
            }
            Leg::Of(caller) => Some(CallFacts::event(caller, told)),
            Leg::Unclear => None,
        };
        let (recordings, fields) = cdr.recordings(self.recording_url.as_deref());
        Event { call, at, id: Some(uuid.to_owned()), touch: cdr.touch(), fields, recordings, ..Event::default() }
    }
}

/// The record in a body: bare, or in the field `cdr`, escaped or as base64 that is not escaped.
fn record(body: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(body).map_err(|_bytes| "it is no UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let parse = |text: &str| Json::parse(text).map_err(|error| error.to_string());
    let Some(value) = text.strip_prefix("cdr=") else { return parse(text) };
    if value.trim_start().starts_with('{') {
        return parse(value.trim());
    }
    if value.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%7b")) {
        return parse(percent_decode(value.trim()).trim());
    }
    // In base64 a plus is a plus.
    let bare: Vec<u8> = value.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = BASE64.decode(&bare).map_err(|_wrong| "cdr is neither JSON nor base64".to_owned())?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// What the module puts behind any address, also behind one that has a query: `?token=x?uuid=..`.
fn appended_uuid(request: &Request<'_>) -> Option<String> {
    let (_, uuid) = request.url.rsplit_once("uuid=")?;
    let uuid: String = uuid.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').take(64).collect();
    (!uuid.is_empty()).then_some(uuid)
}
