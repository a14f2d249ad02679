//! Any webhook: what a service posts, read by what the source declares about it.
//!
//! A preset is such a declaration for a known service; every key of the section goes before it. A source that declares nothing
//! reads the bodies of the known services as their presets would, and anything else by names and looks, as an HTML form.

mod config;
mod deliver;
mod layout;
mod presets;
mod reading;

use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Explanation, Mode, Outcome, Parsed, Push, Refusal, Reply, Request, Secrets, SourceKind,
};

use config::Config;
pub use presets::{Preset, preset, presets};

/// `kind = "webhook"`.
pub const KIND: SourceKind = SourceKind {
    name: "webhook",
    about: "anything that can post: form services and ad platforms by preset, others by a mapping",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = r#"[sources.{id}]
kind = "webhook"
# Without a preset and a mapping the names and the look of the fields tell, as on an HTML form.
# A preset knows a service: typeform, tally, jotform, webflow, google_forms, google_ads, vk, meta_lead, roistat.
# preset = "typeform"
# Which place of the body becomes what. The first place that holds something counts; `leadgate source map {id}` shows what came
# of the last delivery. What is not mapped is kept as fields.
# map = { name = "/contact/full_name", phone = ["/contact/phone", "/contact/mobile"], message = { from = "/topic", values = { "1" = "Call me" } } }
# Read the rest by names and look, too.
# guess = true
# Fields that hold JSON as a text, and what is of no use to anybody.
# json = ["/rawRequest"]
# ignore = ["/debug"]
# Lists of questions and answers.
# answers = [{ at = "/data/fields", label = "/label", value = "/value" }]
# What makes a delivery the same as one before; without it the content within repeat_window_s.
# key = ["/event_id", "/id"]
# Deliveries of other types are answered and forgotten.
# only = { "/type" = ["lead"] }
# What marks a test.
# test = { "/is_test" = ["true", "1"] }
# Takes deliveries by GET, with everything in the URL.
# get = true
# The answer to what was kept; "id" in braces stands for the id of the delivery.
# reply = { status = 200, type = "text/plain", body = "ok" }
# Calls that want a fixed answer: a text, or a value of their own.
# probe = [{ when = { "/type" = "confirmation" }, text = "code" }, { when = { "/hub.mode" = "subscribe" }, echo = "/hub.challenge" }]
# The secret a preset's service signs with or sends; a list while it is being changed.
# secret = { env = "WEBHOOK_SECRET" }   # or { file = "..." }
# The URL holds a token of its own. Any of these ways in, of each of which everything must hold, takes its place.
# auth = [{ path = true, hmac = { header = "X-Signature", prefix = "sha256=" } }, { header = { name = "X-Api-Key", secret = { env = "KEY" } } }]
# Places whose values are not kept.
# hide = ["/token"]
# What your own fields are, where their names do not tell.
# fields = { f1 = "phone", f2 = "name", internal = "ignore" }
# title = "Landing"
# country = "RU"
# known_contact = "attach"          # or "repeat_lead", "reopen"
# reopen_days = 30
# lead_per = "person"               # or "delivery"
# repeat_window_s = 300
# identities = { phone = "strong", email = "strong" }
# utm_defaults = { utm_source = "partner" }
"#;

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. Вставьте адрес {url} туда, где сервис просит адрес вебхука; метод POST, тело — JSON или форма.\n\
         2. Отправьте из сервиса пробную заявку и посмотрите, что из неё прочитано: leadgate source map {id}.\n\
         3. Чего не хватает, укажите в map источника (config/sources.d/{id}.toml), перезагрузите конфигурацию и посмотрите ещё раз.\n\
         4. Если сервис подписывает запросы или шлёт ключ, опишите это в auth."
    } else {
        "1. Paste the address {url} where the service asks for a webhook's address; method POST, body JSON or a form.\n\
         2. Send a test from the service and see what was read in it: leadgate source map {id}.\n\
         3. Name what is missing in the source's map (config/sources.d/{id}.toml), reload the config and look again.\n\
         4. If the service signs its calls or sends a key, declare that in auth."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, _context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let (config, rules) = config::read(table, secrets)?;
    Ok(Connector { rules, mode: Mode::Push(Box::new(Webhook { config })) })
}

struct Webhook {
    config: Config,
}

impl Push for Webhook {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        deliver::deliver(&self.config, request)
    }

    fn reply(&self, request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            // What cannot be read will not be read better the next time: the service is told to stop trying.
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Unreadable(_) | Refusal::Oversize(_)) => {
                self.config.reply.of(request.id)
            }
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => Reply::text(404, "not found\n"),
            Outcome::Busy => Reply::busy(60),
        }
    }

    fn file_allowed(&self, name: &str, content_type: &str) -> Result<(), String> {
        self.config.files.allowed(name, content_type)
    }

    fn explain(&self, request: &Request<'_>) -> Option<Explanation> {
        deliver::explain(&self.config, request)
    }
}
