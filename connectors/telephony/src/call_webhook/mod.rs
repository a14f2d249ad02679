//! Any PBX or call tracker that can post: what it tells of calls, read by what the source declares about it.
//!
//! A preset is such a declaration for a known provider; every key of the section goes before it. A source that declares no
//! mapping reads its fields under the names of what they become (`call_id`, `event`, `number` ...), which suits a PBX whose
//! owner writes what it sends.

mod answers;
mod config;
mod layout;
mod presets;
mod reading;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Explanation, Known, Refusal, Reply, Request, Secrets, SourceKind,
};
use leadgate_wire::auth::Call;
use leadgate_wire::body::{self, BodyError, Document, Limits};
use leadgate_wire::json::Json;

use crate::provider::{Heard, Incoming, Proof, Provider, Unproven};
use crate::settings::{self, Usual, usual_keys};

use config::Config;
use layout::{LIMITS, PATH};
use reading::Reading;

pub use presets::{Preset, preset, presets};

/// `kind = "call_webhook"`.
pub const KIND: SourceKind = SourceKind {
    name: "call_webhook",
    about: "calls of any PBX or call tracker that can post: known ones by preset, others by a mapping",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "call_webhook"
# A preset knows a provider: uis, binotel, telphin, callrail, calltouch, ringostat, voximplant, 3cx.
# preset = "uis"
# Which place of the body becomes what; the first place that holds something counts. Without a mapping the fields have these names
# themselves. `leadgate source map {id}` shows what came of the last delivery. What is not mapped is kept as fields.
# map = { call_id = "/call/id", event = { from = "/type", values = { "call.end" = "finished" } }, direction = "/dir", number = "/client", line = "/did", agent = "/ext", talk = "/billsec", outcome = "/status", recording = "/record" }
# With these events a call is over: finished, missed, leg_ended, updated; [] leaves that to quiet.
# final = ["finished", "missed"]
# What lengths of time count: "s", "ms" or "us".
# unit = "s"
# How numbers are written: "national", or "international" with or without the plus.
# numbers = "national"
# What stands for a call that has no id, together.
# call_id_of = ["number", "started_at"]
# Where a recording lies, by its id.
# recording_url = "https://records.example.com/{call_id}/{recording_id}.mp3"
# Fields that hold JSON as a text, and what is of no use to anybody.
# json = ["/payload"]
# ignore = ["/debug"]
# Calls of other types are answered and forgotten.
# only = { "/type" = ["call.start", "call.end"] }
# Takes calls by GET, with everything in the URL.
# get = true
# The answer to what was kept; "id" in braces stands for the id of the delivery.
# reply = { status = 200, type = "text/plain", body = "ok" }
# The answer to who calls (the event contact_lookup): name, extension, contact, lead, responsible in braces.
# lookup = { within = "1500 ms", type = "application/json", body = '{"name":"{name}"}', unknown = "{}" }
# Calls that want a fixed answer: a text, or a value of their own.
# probe = [{ when = { "/echo" = "*" }, echo = "/echo" }]
# The secret a preset's provider signs with or sends; a list while it is being changed.
# secret = { env = "CALLS_SECRET" }   # or { file = "..." }
# The URL holds a token of its own. Any of these ways in, of each of which everything must hold, takes its place.
# auth = [{ path = true, hmac = { header = "X-Signature", algorithm = "sha1" } }, { basic = { user = "pbx", secret = { env = "PASSWORD" } }, addresses = ["192.0.2.0/24"] }]
# Places whose values are not kept, and such as change when the same event is sent again.
# hide = ["/token"]
# fleeting = ["/attempt"]
"#,
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. Вставьте адрес {url} туда, где АТС просит адрес для уведомлений о звонках; метод POST, тело — JSON или форма.\n\
         2. Сделайте пробный звонок и посмотрите, что из него прочитано: leadgate source map {id}.\n\
         3. Чего не хватает, укажите в map источника (config/sources.d/{id}.toml), перезагрузите конфигурацию и посмотрите ещё раз.\n\
         4. Если АТС подписывает запросы или шлёт ключ, опишите это в auth."
    } else {
        "1. Paste the address {url} where the PBX asks for an address for call events; method POST, body JSON or a form.\n\
         2. Make a call and see what was read in it: leadgate source map {id}.\n\
         3. Name what is missing in the source's map (config/sources.d/{id}.toml), reload the config and look again.\n\
         4. If the PBX signs its calls or sends a key, declare that in auth."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let (table, own_auth) = config::with_preset(table)?;
    let said = table.contains_key("quiet");
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, rules, settings| {
        let config = Config::read(keys, secrets, own_auth);
        if config.finals.is_empty() && !said {
            // Nothing else ends these calls.
            rules.calls.quiet = UNENDED;
        }
        Some(CallWebhook { config, zone: settings.zone.clone() })
    })
}

/// After this time without news a call is over whose provider never says so.
const UNENDED: SignedDuration = SignedDuration::from_mins(2);

struct CallWebhook {
    config: Config,
    zone: TimeZone,
}

impl CallWebhook {
    fn document(&self, request: &Request<'_>) -> Result<Document, BodyError> {
        let content_type = request.header("content-type").unwrap_or_default();
        let query = request.query();
        let mut document = match body::document(content_type, request.body, request.parts, query, &LIMITS) {
            Err(error @ BodyError::Unreadable(_)) => match body::mended(content_type, request.body) {
                Some(mended) => body::document("application/json", &mended, None, query, &LIMITS)?,
                None => return Err(error),
            },
            document => document?,
        };
        self.config.layout.mapper.open(&mut document.root, &LIMITS)?;
        if let Json::Object(pairs) = &mut document.root
            && !request.rest.is_empty()
        {
            pairs.retain(|(key, _)| key != PATH);
            pairs.push((PATH.to_owned(), Json::Text(request.rest.trim_matches('/').to_owned())));
        }
        Ok(document)
    }

    fn hides(&self, path: &[String]) -> bool {
        let layout = &self.config.layout;
        let mut places = layout.hide.iter().chain(self.config.auth.secret_places());
        let asked = |name: &String| self.config.auth.secret_queries().any(|query| query.eq_ignore_ascii_case(name));
        places.any(|place| place.covers(path)) || matches!(path, [name] if asked(name))
    }

    /// Somebody, or a service, looks whether anybody is there.
    fn is_a_try(&self, request: &Request<'_>) -> bool {
        match request.method {
            "POST" | "PUT" | "PATCH" => false,
            "GET" => !self.config.get,
            _ => true,
        }
    }

    fn probe(&self, root: &Json, request: &Request<'_>) -> Option<Reply> {
        self.config.probes.iter().find_map(|probe| probe.answer(root, request))
    }
}

impl Provider for CallWebhook {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        let request = incoming.request;
        let document = self.document(request).ok();
        let root = document.as_ref().map(|document| &document.root);
        // A provider that tries the line signs nothing yet.
        let tried = request.path_token == leadgate_core::ports::PathToken::Valid
            && root.is_some_and(|root| self.probe(root, request).is_some());
        if tried {
            return Ok(Proof::Whole);
        }
        let call = Call { request, body: root, now: request.received_at };
        self.config.auth.check(&call).map(|()| Proof::Whole).map_err(|unproven| Unproven::new(&unproven.0))
    }

    fn recordings_at(&self) -> Option<&str> {
        // The host ends before anything that is put into it.
        self.config.recording_url.as_deref().and_then(|template| template.split('{').next())
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        let request = incoming.request;
        let thanks = || Heard::Probe(self.thanks(request));
        let mut document = self.document(request).map_err(|error| match error {
            BodyError::Unreadable(why) => Refusal::Unreadable(format!("the call cannot be read: {why}")),
            error => Refusal::Oversize(error.to_string()),
        })?;
        if let Some(reply) = self.probe(&document.root, request) {
            return Ok(Heard::Probe(reply));
        }
        if self.is_a_try(request) || !self.config.layout.takes(&document.root) {
            return Ok(thanks());
        }
        reading::prune(&mut document.root);
        let reading = Reading::of(&self.config, &document);
        if reading.is_empty() {
            return Ok(thanks());
        }
        Ok(reading.hear(&self.zone, &|path| self.hides(path))?.unwrap_or_else(thanks))
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn needs_token(&self) -> bool {
        false
    }

    fn explain(&self, request: &Request<'_>) -> Option<Explanation> {
        let mut document = self.document(request).ok()?;
        reading::prune(&mut document.root);
        Some(Reading::of(&self.config, &document).explain(&|path| self.hides(path)))
    }

    fn thanks(&self, request: &Request<'_>) -> Reply {
        self.config.reply.of(request.id)
    }

    fn known(&self, _request: &Request<'_>, known: Option<&Known>) -> Reply {
        self.config.lookup.of(known)
    }

    fn is_secret(&self, path: &[String]) -> bool {
        self.hides(path)
    }

    fn is_fleeting(&self, path: &[String]) -> bool {
        self.config.layout.fleeting.iter().any(|place| place.covers(path))
    }
}
