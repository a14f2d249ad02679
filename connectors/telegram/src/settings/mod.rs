//! What a section of the configuration says, and the kind it makes.

mod dialogue;

pub use dialogue::{Consent, Dialogue, Question};

use std::sync::Arc;

use leadgate_core::language::Language;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Mode, Secrets, SourceKind};
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;
use toml::{Table, Value};
use url::{Host, Url};

use crate::polling::Polling;
use crate::update::{HANDED_OUT, Reader};
use crate::webhook::{Registered, Webhook};

/// `kind = "telegram"`.
pub const KIND: SourceKind = SourceKind {
    name: "telegram",
    about: "A Telegram bot: what people write to it becomes leads, and can be answered",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = r#"[sources.{id}]
kind = "telegram"
enabled = false                     # true once the token is yours
token = "123456789:from-BotFather"   # better { file = "..." } or { env = "..." }
# Updates are asked for; or Telegram calls the gateway, which needs a public https address at port 443, 80, 88 or 8443.
# mode = "polling"                  # or "webhook"
# If another program's webhook is set for the bot, it is replaced. Without it the gateway asks you first.
# take_over = false
# A Bot API server of your own, and a proxy (http, https, socks5, socks5h) on the way to it.
# api_url = "https://api.telegram.org"
# proxy = { env = "TELEGRAM_PROXY" }
# The bot's name, if it is to be known before Telegram has told it.
# username = "example_bot"
# The company's own group: leads are told there, and an answer to a customer's message goes to the customer.
# staff_chat = -1001234567890
# In a group with topics each lead gets one.
# topics = true
# What is said in other groups: nothing counts, what is addressed to the bot does, or everything in these.
# groups = "off"                    # or "addressed", or [-1009876543210]
# Larger files stay in the chat. Telegram's own servers hand out 20 MB at most.
# largest_mb = 20
# What the bot says by itself. Without this section it says nothing.
# dialogue = { language = "en", consent = { version = "2026-01", text = "..." }, ask = ["phone", "name", "about"], greeting = "...", away = "...", thanks = "..." }

# Reads phone numbers written without a country.
# country = "RU"
# known_contact = "attach"          # or "repeat_lead", "reopen"
# reopen_days = 30
# take_within = "15 min"
# lead_per = "person"               # or "delivery"
# repeat_window_s = 300
# identities = { phone = "strong", email = "strong" }
# utm_defaults = { utm_source = "telegram" }
"#;

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. Создайте бота: напишите @BotFather команду /newbot и скопируйте токен. Храните его в файле или переменной окружения.\n\
         2. Впишите token в источник и проверьте: leadgate source test {id}. Команда скажет, чей это бот и не занят ли он другой программой.\n\
         3. Поставьте enabled = true и перезагрузите конфигурацию. Напишите боту и посмотрите на заявку: leadgate leads list.\n\
         4. Группа менеджеров: создайте её (лучше с темами), добавьте бота администратором и впишите её id в staff_chat. Ответ на \
         сообщение клиента в этой группе уходит клиенту, остальное остаётся внутренней заметкой.\n\
         5. Чтобы бот здоровался, просил телефон и согласие, добавьте раздел dialogue.\n\
         6. Ссылки для рекламы: leadgate telegram link --utm-source ..."
    } else {
        "1. Make a bot: write /newbot to @BotFather and copy the token. Keep it in a file or a variable.\n\
         2. Write token into the source and try it: leadgate source test {id}. It says whose bot it is, and whether another program has it.\n\
         3. Write enabled = true and reload the configuration. Write to the bot and look at the lead: leadgate leads list.\n\
         4. The managers' group: make it (best with topics), make the bot an administrator there, and write its id into staff_chat. An \
         answer to a customer's message in that group goes to the customer; everything else stays an internal note.\n\
         5. For the bot to greet, and to ask for the phone and for consent, add the section dialogue.\n\
         6. Links for campaigns: leadgate telegram link --utm-source ..."
    }
}

/// The public service.
const API_URL: &str = "https://api.telegram.org";
/// Megabytes of a file that a Bot API server of one's own may hand out; each is held in memory or on disk on its way.
const MOST_MB: u64 = 200;

/// What is said in groups that are not the company's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Groups {
    /// Nothing counts.
    #[default]
    Off,
    /// What is addressed to the bot: it is mentioned, answered, or given a command.
    Addressed,
    /// Everything said in these.
    These(Vec<i64>),
}

/// How updates come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// They are asked for.
    #[default]
    Polling,
    /// The service calls.
    Webhook,
}

/// A bot as configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its token. It is a part of every URL, so no URL is ever shown.
    pub token: Secret,
    /// How updates come.
    pub way: Way,
    /// The Bot API's address.
    pub api_url: String,
    /// A proxy on the way to it.
    pub proxy: Option<Secret>,
    /// Another program's webhook is replaced.
    pub take_over: bool,
    /// Its name without the `@`, in small letters.
    pub username: Option<String>,
    /// The company's own group.
    pub staff_chat: Option<i64>,
    /// Each lead has a topic there, if the group has topics.
    pub topics: bool,
    /// What is said in other groups.
    pub groups: Groups,
    /// Bytes; larger files are not fetched.
    pub largest: u64,
    /// What the bot says by itself; `None`: nothing.
    pub dialogue: Option<Dialogue>,
    /// The company's language, in which it speaks where nothing else is said.
    pub language: Language,
    /// What every address begins with at which senders call this source.
    pub called_at: String,
}

impl Settings {
    /// Takes the keys of a section; what is wrong is noted there.
    pub fn take(keys: &mut Keys, secrets: &dyn Secrets, context: &BuildContext) -> Self {
        let language = if context.language == "ru" { Language::Ru } else { Language::En };
        let api_url = api_url(keys);
        let own_server = api_url != API_URL;
        let way = keys.one_of("mode", &[("polling", Way::Polling), ("webhook", Way::Webhook)]).unwrap_or_default();
        if way == Way::Webhook && !own_server && !context.public_url.is_empty() && !context.public_url.starts_with("https://") {
            let words =
                format!("Telegram calls https addresses only, and the gateway's is {}; use \"polling\"", context.public_url);
            keys.problem("mode", words);
        }
        let most_mb = if own_server { MOST_MB } else { HANDED_OUT >> 20 };
        let staff_chat = staff_chat(keys);
        Self {
            token: token(keys, secrets),
            way,
            proxy: proxy(keys, secrets),
            take_over: keys.yes("take_over").unwrap_or(false),
            username: username(keys),
            topics: keys.yes("topics").unwrap_or(true),
            groups: groups(keys, staff_chat),
            largest: keys.number("largest_mb", 1..=most_mb).map_or(HANDED_OUT, |mega| mega << 20),
            dialogue: keys.within("dialogue", Dialogue::take),
            api_url,
            staff_chat,
            language,
            called_at: format!("{}/in/{}/", context.public_url, context.source),
        }
    }

    /// Whether a webhook's address is, or was, this source's.
    pub fn is_ours(&self, url: &str) -> bool {
        url.starts_with(&self.called_at) && self.called_at.starts_with("http")
    }

    /// The bot's user id, with which its token begins.
    pub fn bot(&self) -> i64 {
        self.token.expose().split_once(':').and_then(|(id, _)| id.parse().ok()).unwrap_or(0)
    }
}

/// Reads a section without building the source from it: what a program needs that speaks for the bot. All problems at once.
pub fn read(config: Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Settings, Vec<BuildProblem>> {
    let mut keys = Keys::new(config);
    let settings = Settings::take(&mut keys, secrets, context);
    leadgate_wire::rules::rules(&mut keys);
    let problems = keys.finish();
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

fn build(config: Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let mut keys = Keys::new(config);
    let settings = Settings::take(&mut keys, secrets, context);
    let rules = leadgate_wire::rules::rules(&mut keys);
    let problems = keys.finish();
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = Arc::new(settings);
    let reader = Arc::new(Reader::new(context.source.clone(), Arc::clone(&settings)));
    let mode = match settings.way {
        Way::Polling => Mode::Pull(Box::new(Polling::new(settings, reader))),
        Way::Webhook => {
            Mode::Both(Box::new(Webhook::new(&settings, Arc::clone(&reader))), Box::new(Registered::new(settings, reader)))
        }
    };
    Ok(Connector { rules, mode })
}

fn token(keys: &mut Keys, secrets: &dyn Secrets) -> Secret {
    let given = keys.has("token");
    let token = keys.secret("token", secrets);
    let fits = |token: &str| {
        let (id, key) = token.split_once(':').unwrap_or_default();
        id.parse::<i64>().is_ok_and(|id| id > 0)
            && !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    match token.map(|token| token.expose().trim().to_owned()) {
        Some(token) if fits(&token) => Secret::new(token),
        Some(_) => {
            keys.problem("token", "it does not look like a token; @BotFather's are like 123456789:AAE...");
            Secret::new("")
        }
        None => {
            if !given {
                keys.problem("token", "which bot? write token = { env = \"TELEGRAM_TOKEN\" }; @BotFather gives it");
            }
            Secret::new("")
        }
    }
}

fn api_url(keys: &mut Keys) -> String {
    let Some(text) = keys.text("api_url") else { return API_URL.to_owned() };
    // What is said unencrypted holds the token.
    let inner = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => !leadgate_wire::guarded::is_public(ip.into()),
        Some(Host::Ipv6(ip)) => !leadgate_wire::guarded::is_public(ip.into()),
        Some(Host::Domain(name)) => !name.contains('.') || [".lan", ".local", ".internal"].iter().any(|end| name.ends_with(end)),
        None => false,
    };
    let plain =
        |url: &Url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    match Url::parse(&text) {
        Ok(url) if plain(&url) && url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && inner(&url))) => {
            text.trim_end_matches('/').to_owned()
        }
        _ => {
            let words = "it must be an address that begins with https:// (http:// only within your own network), without a name, a password or \"?\"";
            keys.problem("api_url", words);
            API_URL.to_owned()
        }
    }
}

fn proxy(keys: &mut Keys, secrets: &dyn Secrets) -> Option<Secret> {
    let proxy = keys.secret("proxy", secrets)?;
    let known = |url: &Url| ["http", "https", "socks5", "socks5h"].contains(&url.scheme()) && url.has_host();
    if Url::parse(proxy.expose().trim()).is_ok_and(|url| known(&url)) {
        return Some(Secret::new(proxy.expose().trim()));
    }
    keys.problem("proxy", "it must be like socks5://127.0.0.1:1080 or http://name:password@proxy.example:3128");
    None
}

fn username(keys: &mut Keys) -> Option<String> {
    let name = keys.text("username")?;
    let name = name.trim().trim_start_matches('@');
    if (3..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Some(name.to_ascii_lowercase());
    }
    keys.problem("username", "a bot's name has 5 to 32 Latin letters, digits and \"_\"");
    None
}

fn staff_chat(keys: &mut Keys) -> Option<i64> {
    match keys.value("staff_chat")? {
        Value::Integer(chat) if chat < 0 => Some(chat),
        Value::String(text) if text.trim().parse::<i64>().is_ok_and(|chat| chat < 0) => text.trim().parse().ok(),
        _ => {
            keys.problem(
                "staff_chat",
                "a group's id is a number below zero; the bot says it when it is added: leadgate source test shows it",
            );
            None
        }
    }
}

/// `groups = "off"`, `"addressed"`, `[-100...]`.
fn groups(keys: &mut Keys, staff_chat: Option<i64>) -> Groups {
    let chats = match keys.value("groups") {
        None => return Groups::Off,
        Some(Value::String(text)) if text == "off" => return Groups::Off,
        Some(Value::String(text)) if text == "addressed" => return Groups::Addressed,
        Some(Value::Array(chats)) => {
            chats.iter().map(|chat| chat.as_integer().filter(|chat| *chat < 0)).collect::<Option<Vec<_>>>()
        }
        Some(_) => None,
    };
    let Some(chats) = chats.filter(|chats| !chats.is_empty()) else {
        keys.problem("groups", "it must be \"off\", \"addressed\" or a list of groups' ids, which are numbers below zero");
        return Groups::Off;
    };
    if staff_chat.is_some_and(|staff| chats.contains(&staff)) {
        keys.problem("groups", "staff_chat is among them: what is said there is the company's own");
    }
    Groups::These(chats)
}

#[cfg(test)]
mod tests;
