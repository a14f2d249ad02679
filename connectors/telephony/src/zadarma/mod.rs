//! Zadarma, and Novofon 1.0, which has the same API: notifications of a cloud PBX, partly signed.

mod calls;
mod record;
mod sign;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use jiff::tz::TimeZone;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Fetch, NoFetch, Refusal, Reply, Request, Secrets, SourceKind};
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;

use crate::common;
use crate::provider::{Heard, Incoming, Proof, Provider, Unproven};
use crate::settings::{self, Api, Settings, Usual, usual_keys};

/// `kind = "zadarma"`.
pub const KIND: SourceKind = SourceKind {
    name: "zadarma",
    about: "Zadarma and Novofon 1.0: calls of the cloud PBX by webhook",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "zadarma"
# Whose API: "zadarma", or "novofon" for Novofon 1.0. Novofon 2.0 sends other notifications.
# provider = "zadarma"
# The secret of the API key: with it only what is signed comes in. Without it the address alone counts.
# secret = { env = "ZADARMA_SECRET" }   # or { file = "..." }; a list while it is being changed
# The API key that belongs to the secret: needed for recordings = "fetch" only.
# key = { env = "ZADARMA_KEY" }
# Where recordings are asked for.
# api_url = "https://api.zadarma.com"
# Times come in the time zone of your account there: say below which one that is.
"#,
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В личном кабинете откройте: Настройки → Интеграции и API → Уведомления о звонках (у Новофона так же).\n\
         2. Вставьте адрес {url}. Кабинет сразу проверит его: Leadgate ответит сам.\n\
         3. Отметьте все события: NOTIFY_START, INTERNAL, ANSWER, END, OUT_START, OUT_END, RECORD, IVR.\n\
         4. Если нужны сквозная аналитика, SMS или распознавание речи, вставьте тот же адрес в «Вебхуки» и отметьте их.\n\
         5. Создайте ключи API (Интеграции и API → Ключи) и укажите секрет в secret, ключ в key: тогда звонки проверяются по подписи.\n\
         6. Укажите в time_zone часовой пояс вашего кабинета: времена приходят в нём.\n\
         7. Позвоните на номер и посмотрите на заявку: leadgate leads."
    } else {
        "1. In the cabinet open Settings → Integrations and API → Notifications of calls (the same at Novofon).\n\
         2. Paste the address {url}. The cabinet tries it at once: Leadgate answers by itself.\n\
         3. Tick all events: NOTIFY_START, INTERNAL, ANSWER, END, OUT_START, OUT_END, RECORD, IVR.\n\
         4. For call tracking, SMS or speech recognition paste the same address under Webhooks and tick them there.\n\
         5. Make API keys (Integrations and API → Keys) and put the secret into secret, the key into key: then calls are checked.\n\
         6. Put the time zone of your cabinet into time_zone: times come in it.\n\
         7. Call the number and look at the lead: leadgate leads."
    }
}

/// Who offers the API.
#[derive(Clone, Copy)]
enum Preset {
    Zadarma,
    Novofon,
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let novofon = table.get("provider").and_then(toml::Value::as_str) == Some("novofon");
    let usual = Usual {
        zone: if novofon { "Europe/Moscow" } else { "UTC" },
        recording_after: std::time::Duration::from_secs(40),
        ..Usual::default()
    };
    settings::build(table, secrets, context, &usual, |keys, secrets, _rules, settings| Some(read(keys, secrets, settings)))
}

fn read(keys: &mut Keys, secrets: &dyn Secrets, settings: &Settings) -> Zadarma {
    let choices = [("zadarma", Preset::Zadarma), ("novofon", Preset::Novofon)];
    let (url, files) = match keys.one_of("provider", &choices).unwrap_or(Preset::Zadarma) {
        Preset::Zadarma => ("https://api.zadarma.com", ".zadarma.com"),
        Preset::Novofon => ("https://api.novofon.com", ".novofon.com"),
    };
    let api = settings::api(keys, url);
    let signed_with = keys.secrets("secret", secrets);
    let key = keys.secret("key", secrets);
    if settings.recordings.is_some() && (key.is_none() || signed_with.is_empty()) {
        keys.problem("recordings", "recordings are fetched with the API key: set key and secret, or recordings = \"link\"");
    }
    Zadarma { secrets: signed_with, key, hosts: vec![api.host.clone(), files.to_owned()], api, zone: settings.zone.clone() }
}

/// The provider.
pub(crate) struct Zadarma {
    secrets: Vec<Secret>,
    key: Option<Secret>,
    api: Api,
    /// Where recordings lie.
    hosts: Vec<String>,
    zone: TimeZone,
}

impl Provider for Zadarma {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        if self.secrets.is_empty() || echoed(incoming).is_some() || common::is_empty(incoming) {
            return Ok(Proof::Whole);
        }
        sign::check(incoming, &self.secrets)
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        if let Some(word) = echoed(incoming) {
            return Ok(Heard::Probe(echo(word)));
        }
        if common::is_empty(incoming) {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        calls::events(incoming, &self.zone).map(Heard::Events)
    }

    fn thanks(&self, _request: &Request<'_>) -> Reply {
        common::json(200, "{}")
    }

    fn fetch(&self, file: &OfferedFile, answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        match answer {
            None => record::ask(self, file),
            Some(answer) => record::found(self, answer),
        }
    }
}

/// What the cabinet wants to hear back when the address is saved there. Nothing is stored of such a call.
fn echoed<'a>(incoming: &'a Incoming<'_>) -> Option<&'a str> {
    let asks = incoming.request.method == "GET";
    incoming.query.iter().find(|entry| asks && entry.name == "zd_echo").map(|entry| entry.value.as_str())
}

/// The longest word that is given back.
const ECHO: usize = 128;

/// Only what cannot be a page is given back.
fn echo(word: &str) -> Reply {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if word.len() > ECHO || !word.bytes().all(plain) {
        return Reply::text(400, "zd_echo must be a word\n");
    }
    let mut reply = Reply::text(200, "");
    reply.headers.push(("x-content-type-options", "nosniff".to_owned()));
    Reply { body: Bytes::copy_from_slice(word.as_bytes()), ..reply }
}
