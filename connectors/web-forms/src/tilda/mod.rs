//! Tilda's webhook, as it is set in a site's form settings and as marketplace integrations get it.
//!
//! Tilda's servers call, not visitors: their address, browser and referrer tell nothing of the customer.

mod config;
mod cookies;
mod deliver;
mod money;
mod order;

use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Mode, Outcome, Parsed, Push, Refusal, Reply, Request, Secrets, SourceKind,
};

use config::Config;

/// `kind = "tilda"`.
pub const KIND: SourceKind =
    SourceKind { name: "tilda", about: "Tilda: forms and carts by webhook", example: EXAMPLE, setup, build };

const EXAMPLE: &str = r#"[sources.{id}]
kind = "tilda"
# The address holds a token of its own; an API key set in Tilda is a second way in, and is never kept.
# key = { env = "TILDA_KEY" }       # or { file = "..." }, or the key itself; a list while a key is being changed
# The name Tilda sends the key under, in a header, the query or the body. Without it: token, key, api_key, X-API-Key.
# key_name = "X-API-Key"
# What your own fields are, where their names do not tell.
# fields = { input_2 = "phone", internal = "ignore" }
# A line that names these enquiries in lists; without it the form's name.
# title = "Site"
# Reads phone numbers written without a country.
# country = "RU"
# known_contact = "attach"          # or "repeat_lead", "reopen"
# reopen_days = 30
# lead_per = "person"               # or "delivery"; orders are leads of their own anyway
# repeat_window_s = 300
# identities = { phone = "strong", email = "strong" }
# utm_defaults = { utm_source = "tilda" }
"#;

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В Тильде откройте: Настройки сайта → Формы → Webhook.\n\
         2. Вставьте адрес {url}. Тильда работает только с https и сразу присылает проверку test=test.\n\
         3. Отметьте «Передавать cookies», чтобы пришли utm-метки, и «Посылать данные по товарам в заказе массивом», если есть корзина.\n\
         4. Ключ API не обязателен: адрес уже секретный. Если он задан, укажите его в key источника.\n\
         5. Подключите Webhook к формам (Контент блока → сервисы приёма данных) и переопубликуйте страницы.\n\
         6. Отправьте форму и посмотрите на заявку: leadgate leads."
    } else {
        "1. In Tilda open Site settings → Forms → Webhook.\n\
         2. Paste the address {url}. Tilda wants https and tries it at once with test=test.\n\
         3. Tick the box that sends cookies, so that utm tags arrive, and the one that sends a cart's products as an array.\n\
         4. An API key is not needed: the address itself is a secret. If you set one, put it into the source's key.\n\
         5. Connect the webhook to the forms (block content → data collection services) and publish the pages again.\n\
         6. Send the form and look at the lead: leadgate leads."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, _context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let (config, rules) = config::read(table, secrets)?;
    Ok(Connector { rules, mode: Mode::Push(Box::new(Tilda { config })) })
}

struct Tilda {
    config: Config,
}

impl Push for Tilda {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        deliver::deliver(&self.config, request)
    }

    fn reply(&self, _request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            // What cannot be read will not be read better the next time: Tilda is told to stop trying.
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Unreadable(_) | Refusal::Oversize(_)) => {
                Reply::text(200, "ok")
            }
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => Reply::text(404, "not found\n"),
            Outcome::Busy => Reply::busy(60),
        }
    }
}
