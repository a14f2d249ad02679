//! A form on the company's own site that posts to the gateway: `<form action=".../in/site/<token>" method="post">`.

mod answer;
mod captcha;
mod config;
mod deliver;
mod language;
mod origin;
mod pages;
mod redirect;
pub mod snippet;

use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Mode, Outcome, Parsed, PathToken, Push, PushLimits, Refusal, Reply, Request, Script,
    Secrets, SourceKind, Told,
};

use config::Config;
pub(crate) use config::FileTypes;

/// Fields of a rendering that say where to go next, in order of preference.
const NEXT: &[&str] = &["_next", "_redirect", "redirect", "_redirectTo", "_after"];
/// The id a page gives each rendering of its form.
const RENDERING: &str = "_id";
/// When the page was shown, in milliseconds since 1970.
const SHOWN_AT: &str = "_t";
/// The language of the page.
const LANGUAGE: &str = "_lang";

/// `kind = "html_form"`.
pub const KIND: SourceKind = SourceKind {
    name: "html_form",
    about: "a form on your own site, with or without JavaScript",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = r#"[sources.{id}]
kind = "html_form"
# The sites whose pages may use the form. What comes from elsewhere waits in quarantine.
allow_origins = ["https://www.example.com"]
# Hosts the form's hidden field _next may send visitors to, besides those sites.
# allow_next = ["thanks.example.com"]
# "ru" or "en" for the pages visitors see; without it the browser's language decides.
# language = "ru"
# Fields people cannot see; what fills them in is suspect.
# honeypots = ["_gotcha", "_honey", "botcheck", "bot-field"]
# With a hidden field _t: sent sooner after the page was shown (milliseconds) is suspect.
# min_fill_ms = 1500
# More forms a minute from one address are suspect.
# per_minute = 60
# Files: how many, how large, which.
# max_files = 5
# max_file_mb = 10
# file_types = ["pdf", "docx", "xlsx", "jpg", "png", "heic", "zip"]
# A captcha the form shows: "turnstile", "hcaptcha", "recaptcha" (v2 and v3) or "smartcaptcha", with its server key. A wrong
# answer flags the lead; one that cannot be checked, too.
# captcha = { kind = "turnstile", secret = { env = "CAPTCHA_SECRET" } }
# Further keys in there: min_score = 0.5 (recaptcha v3); required = false takes forms without an answer, flagged; field = "..." where
# the answer does not stand in the usual field; url = "https://..." to ask there (an inner service: see server.inner_services).
# Whether a call that names no page at all (a script, not a browser) waits in quarantine.
# require_origin = true
# What your own fields are, where their names do not tell.
# fields = { f1 = "phone", f2 = "name", internal = "ignore" }
# A line that names these enquiries in lists.
# title = "Callback"
# What visitors read after sending.
# thank_you = "We will call you within an hour."
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
        "1. Укажите адрес сайта в allow_origins источника в конфигурации и перезагрузите её.\n\
         2. В форме на сайте напишите: <form action=\"{url}\" method=\"post\">; для файлов добавьте enctype=\"multipart/form-data\".\n\
         3. Назовите поля name, phone, email, message или как угодно: русские и английские названия понимаются сами.\n\
         4. Чтобы вернуть посетителя на свою страницу, добавьте <input type=\"hidden\" name=\"_next\" value=\"https://…/spasibo\">.\n\
         5. Против роботов добавьте невидимое поле <input name=\"_gotcha\" style=\"display:none\" tabindex=\"-1\" autocomplete=\"off\">.\n\
         6. Чтобы приходили метки UTM, страница входа и форма отправлялась без перезагрузки, добавьте на страницу: {script}\n\
         7. Отправьте форму и посмотрите на заявку: leadgate leads."
    } else {
        "1. Put the site's address into the source's allow_origins in the config and reload it.\n\
         2. In the page write: <form action=\"{url}\" method=\"post\">; for files add enctype=\"multipart/form-data\".\n\
         3. Call the fields name, phone, email, message, or whatever you like: usual names are understood in several languages.\n\
         4. To send visitors on to a page of yours add <input type=\"hidden\" name=\"_next\" value=\"https://…/thanks\">.\n\
         5. Against robots add a field people cannot see: <input name=\"_gotcha\" style=\"display:none\" tabindex=\"-1\" autocomplete=\"off\">.\n\
         6. For UTM tags, the landing page and sending without a reload add to the page: {script}\n\
         7. Send the form and look at the lead: leadgate leads."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let (config, rules) = config::read(table, secrets, context)?;
    Ok(Connector { rules, mode: Mode::Push(Box::new(HtmlForm { config })) })
}

struct HtmlForm {
    config: Config,
}

impl Push for HtmlForm {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        if request.path_token == PathToken::Absent {
            return Err(Refusal::Unauthenticated("the path holds no token of this source".to_owned()));
        }
        match request.method {
            "POST" => Ok(captcha::ask(&self.config, request, deliver::deliver(&self.config, request)?)),
            "OPTIONS" => Ok(Parsed::Probe(answer::preflight(&self.config, request))),
            "GET" => Ok(Parsed::Probe(answer::visit(&self.config, request))),
            "HEAD" => Ok(Parsed::Probe(answer::head())),
            _ => Ok(Parsed::Probe(answer::wrong_method())),
        }
    }

    fn told(&self, request: &Request<'_>, told: &Told) -> Result<Parsed, Refusal> {
        let delivery = deliver::deliver(&self.config, request)?;
        Ok(Parsed::Submissions(vec![captcha::judged(&self.config, delivery.submission, told)]))
    }

    fn asset(&self, request: &Request<'_>) -> Option<Reply> {
        snippet::serve(request)
    }

    fn script(&self) -> Option<Script> {
        Some(snippet::newest())
    }

    fn reply(&self, request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Unreadable(_)) => {
                answer::success(&self.config, request)
            }
            Outcome::Refused(Refusal::Oversize(_)) => answer::oversize(&self.config, request),
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => Reply::text(404, "not found\n"),
            Outcome::Busy => answer::busy(&self.config, request),
        }
    }

    fn limits(&self) -> PushLimits {
        self.config.limits
    }

    fn file_allowed(&self, name: &str, content_type: &str) -> Result<(), String> {
        self.config.files.allowed(name, content_type)
    }

    fn reads_headers(&self) -> &'static [&'static str] {
        &["origin", "referer", "user-agent"]
    }

    fn per_address(&self) -> Option<u32> {
        Some(self.config.per_minute)
    }
}
