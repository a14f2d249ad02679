//! Mango Office: notifications of the VPBX API, signed whole.

mod calls;
mod sign;

#[cfg(test)]
mod tests;

use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Fetch, NoFetch, Refusal, Secrets, SourceKind};
use leadgate_core::secret::Secret;
use leadgate_wire::body::Entry;
use leadgate_wire::keys::Keys;
use url::form_urlencoded::Serializer;

use crate::provider::{Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Usual, needed, usual_keys};

/// `kind = "mango"`.
pub const KIND: SourceKind =
    SourceKind { name: "mango", about: "Mango Office: calls by the VPBX API", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "mango"
# The unique code of your PBX and the key to make signatures, as the cabinet shows them. Lists while they are being changed.
key = "unique-code-of-the-pbx"      # better { file = "..." } or { env = "..." }
salt = "key-to-make-signatures"     # better { file = "..." } or { env = "..." }
# Where recordings are asked for.
# api_host = "app.mango-office.ru"
"#,
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В личном кабинете Mango Office откройте: Интеграции → API коннектор → Подключить (или Настройки коннектора).\n\
         2. Возьмите «Уникальный код вашей АТС» и «Ключ для создания подписи»: это key и salt источника.\n\
         3. В «Адрес внешней системы» вставьте {url}. Mango сам дописывает к нему /events/call и другие пути.\n\
         4. Нажмите «Проверить соединение»: Leadgate ответит 200.\n\
         5. Mango соединяется только по TLS 1.2: если перед Leadgate стоит прокси, не отключайте в нём эту версию.\n\
         6. Позвоните на номер и посмотрите на заявку: leadgate leads."
    } else {
        "1. In the cabinet of Mango Office open Integrations → API connector → Connect (or its settings).\n\
         2. Take the PBX's unique code and the key to make signatures: they are the source's key and salt.\n\
         3. Paste {url} as the address of the external system. Mango adds /events/call and other paths to it by itself.\n\
         4. Let it check the connection: Leadgate answers 200.\n\
         5. Mango speaks TLS 1.2 only: if there is a proxy before Leadgate, leave that version on in it.\n\
         6. Call the number and look at the lead: leadgate leads."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let usual = Usual { zone: "Europe/Moscow", ..Usual::default() };
    settings::build(table, secrets, context, &usual, |keys, secrets, _rules, _settings| Some(read(keys, secrets)))
}

fn read(keys: &mut Keys, secrets: &dyn Secrets) -> Mango {
    let host = keys.text("api_host").map_or_else(|| "app.mango-office.ru".to_owned(), |host| host.trim().to_owned());
    if url::Host::parse(&host).is_err() {
        keys.problem("api_host", format!("{host:?} is no host; write e.g. \"app.mango-office.ru\""));
    }
    Mango {
        keys: needed(keys, "key", secrets, "the unique code of the PBX"),
        salts: needed(keys, "salt", secrets, "the key to make signatures"),
        host,
    }
}

/// The provider.
pub(crate) struct Mango {
    keys: Vec<Secret>,
    salts: Vec<Secret>,
    host: String,
}

impl Provider for Mango {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        // The cabinet's check of the connection holds no JSON, and nothing is stored of it.
        if body(incoming).is_none() { Ok(Proof::Whole) } else { sign::check(incoming, &self.keys, &self.salts) }
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        match body(incoming) {
            None => Ok(Heard::Probe(self.thanks(incoming.request))),
            Some(json) => calls::event(incoming, &json.value).map(|event| Heard::Events(vec![event])),
        }
    }

    fn is_secret(&self, path: &[String]) -> bool {
        matches!(path, [name] if name == "vpbx_api_key" || name == "sign")
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let never = || NoFetch::Never("recordings are fetched with the key and the salt".to_owned());
        let (Some(key), Some(salt)) = (self.keys.first(), self.salts.first()) else { return Err(never()) };
        let mut asked = serde_json::Map::new();
        asked.insert("recording_id".to_owned(), file.id.clone().into());
        asked.insert("action".to_owned(), "download".into());
        let json = serde_json::to_string(&asked).map_err(|_broken| never())?;
        let signature = sign::of(key.expose(), &json, salt);
        let form = Serializer::new(String::new())
            .extend_pairs([("vpbx_api_key", key.expose()), ("sign", &signature), ("json", &json)])
            .finish();
        // It answers with the place of a file that is given out once.
        Ok(Fetch {
            form: Some(Secret::new(form)),
            hosts: vec![self.host.clone(), ".mango-office.ru".to_owned()],
            ..plain(format!("https://{}/vpbx/queries/recording/post", self.host))
        })
    }
}

/// The field that holds everything; only the body's counts.
fn body<'a>(incoming: &'a Incoming<'_>) -> Option<&'a Entry> {
    incoming.body.iter().find(|entry| entry.name == "json" && !entry.value.trim().is_empty())
}
