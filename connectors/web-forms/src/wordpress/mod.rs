//! Form plugins of WordPress: Contact Form 7 with `CF7 to Webhook`, Elementor, Gravity Forms, `WPForms`, Fluent Forms, Forminator
//! and Jetpack Forms. One address takes them all: which it is, is told from what it sends.
//!
//! The site's server calls, not the visitor. Almost none tries again, some show the visitor an error unless the answer is
//! exactly 200, and a redirect turns a POST into a GET: whatever was kept is answered `200 ok`.

mod config;
mod deliver;
mod elementor;
mod gravity;
mod names;
mod plugin;
mod reading;
mod sender;

use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Mode, Outcome, Parsed, Push, PushLimits, Refusal, Reply, Request, Secrets, SourceKind,
};

use config::Config;

/// Bytes of a delivery: a plugin may put a file into it.
const BODY: u64 = 4 << 20;

/// `kind = "wordpress"`.
pub const KIND: SourceKind = SourceKind {
    name: "wordpress",
    about: "WordPress: Contact Form 7, Elementor, Gravity, WPForms, Fluent, Forminator, Jetpack",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = r#"[sources.{id}]
kind = "wordpress"
# What your fields are, where their names do not tell: Gravity Forms calls them by numbers.
# fields = { 1 = "name", "1.3" = "first_name", 4 = "phone", field_7 = "message", internal = "ignore" }
# The secret of a WPForms webhook: then only what it signed comes in. Give WPForms a source of its own for that.
# wpforms_secret = { env = "WPFORMS_SECRET" }       # or { file = "..." }; a list while it is being changed
# A line that names these enquiries in lists; without it the form's subject.
# title = "Shop"
# Reads phone numbers written without a country.
# country = "RU"
# known_contact = "attach"          # or "repeat_lead", "reopen"
# reopen_days = 30
# lead_per = "person"               # or "delivery"
# repeat_window_s = 300
# identities = { phone = "strong", email = "strong" }
# utm_defaults = { utm_source = "site" }
"#;

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. Адрес {url} подходит всем плагинам форм; какой из них прислал заявку, шлюз поймёт сам.\n\
         2. Contact Form 7: поставьте плагин CF7 to Webhook, на вкладке Webhook формы включите его и вставьте адрес; тело оставьте по умолчанию.\n\
         3. Elementor: Actions After Submit → Webhook, вставьте адрес, включите Advanced Data и метаданные Page URL, Remote IP.\n\
         4. Gravity, WPForms, Fluent, Forminator, Jetpack: добавьте webhook с этим адресом, метод POST, формат JSON, все поля.\n\
         5. Gravity называет поля номерами: укажите их в fields источника, например fields = { \"1.3\" = \"first_name\", 4 = \"phone\" }.\n\
         6. Elementor, Forminator и Jetpack шлют только на порты 80, 443 и 8080 и не на внутренние адреса; Jetpack требует https.\n\
         7. Отправьте форму и посмотрите на заявку: leadgate leads. Подробно: docs/sources/wordpress.ru.md."
    } else {
        "1. The address {url} serves every form plugin; which one sent an enquiry the gateway tells by itself.\n\
         2. Contact Form 7: install CF7 to Webhook, switch it on in the form's Webhook tab, paste the address; leave the default body.\n\
         3. Elementor: Actions After Submit → Webhook, paste the address, switch on Advanced Data and the meta data Page URL, Remote IP.\n\
         4. Gravity, WPForms, Fluent, Forminator, Jetpack: add a webhook with this address, method POST, format JSON, all fields.\n\
         5. Gravity calls fields by numbers: name them in the source's fields, such as fields = { \"1.3\" = \"first_name\", 4 = \"phone\" }.\n\
         6. Elementor, Forminator and Jetpack send to ports 80, 443 and 8080 only, and to no private address; Jetpack wants https.\n\
         7. Send the form and look at the lead: leadgate leads. In detail: docs/sources/wordpress.md."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, _context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let (config, rules) = config::read(table, secrets)?;
    Ok(Connector { rules, mode: Mode::Push(Box::new(WordPress { config })) })
}

struct WordPress {
    config: Config,
}

impl Push for WordPress {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        deliver::deliver(&self.config, request)
    }

    fn reply(&self, _request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            // Elementor takes nothing but 200 for success; what cannot be read would not be read better the next time.
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Unreadable(_) | Refusal::Oversize(_)) => {
                Reply::text(200, "ok")
            }
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => Reply::text(404, "not found\n"),
            Outcome::Busy => Reply::busy(60),
        }
    }

    fn reads_headers(&self) -> &'static [&'static str] {
        &["user-agent", "x-wpforms-webhook-id"]
    }

    fn limits(&self) -> PushLimits {
        PushLimits { body: BODY, ..PushLimits::default() }
    }
}
