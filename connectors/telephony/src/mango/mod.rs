//! Mango Office: notifications of the VPBX API, signed whole.

mod calls;
mod sign;

#[cfg(test)]
mod tests;

use std::time::Duration;

use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Challenge, Connector, Fetch, Known, NoFetch, Refusal, Secrets, SourceKind,
};
use leadgate_core::secret::Secret;
use leadgate_core::text;
use leadgate_wire::body::Entry;
use leadgate_wire::keys::Keys;
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::provider::{Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Api, Usual, needed, usual_keys};

/// `kind = "mango"`.
pub const KIND: SourceKind =
    SourceKind { name: "mango", about: "Mango Office: calls by the VPBX API", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "mango"
# The unique code of your PBX and the key to make signatures, as the cabinet shows them. Lists while they are being changed.
key = "unique-code-of-the-pbx"      # better { file = "..." } or { env = "..." }
salt = "key-to-make-signatures"     # better { file = "..." } or { env = "..." }
# Whoever is known and waits in the menu is put through to the extension of the manager who works with them.
# to_responsible = false
# Where recordings are asked for, and calls are put through.
# api_url = "https://app.mango-office.ru"
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
    Mango {
        keys: needed(keys, "key", secrets, "the unique code of the PBX"),
        salts: needed(keys, "salt", secrets, "the key to make signatures"),
        api: settings::api(keys, "https://app.mango-office.ru"),
        to_responsible: keys.yes("to_responsible").unwrap_or(false),
    }
}

/// The provider.
pub(crate) struct Mango {
    keys: Vec<Secret>,
    salts: Vec<Secret>,
    api: Api,
    to_responsible: bool,
}

impl Mango {
    /// A command, as a form with its signature. `None`: no key or salt is left of the configuration.
    fn command(&self, said: &serde_json::Value) -> Option<Secret> {
        let (key, salt) = (self.keys.first()?, self.salts.first()?);
        let json = said.to_string();
        let signature = sign::of(key.expose(), &json, salt);
        let form = Serializer::new(String::new())
            .extend_pairs([("vpbx_api_key", key.expose()), ("sign", &signature), ("json", &json)])
            .finish();
        Some(Secret::new(form))
    }
}

impl Provider for Mango {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        // The cabinet's check of the connection holds no JSON, and nothing is stored of it.
        if body(incoming).is_none() { Ok(Proof::Whole) } else { sign::check(incoming, &self.keys, &self.salts) }
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        match body(incoming) {
            None => Ok(Heard::Probe(self.thanks(incoming.request))),
            Some(json) if calls::is_done(incoming, &json.value, COMMAND) => Ok(Heard::Probe(self.thanks(incoming.request))),
            Some(json) => {
                let event = calls::event(incoming, &json.value)?;
                let waiting = self.to_responsible && calls::waiting(&json.value).is_some();
                let number = event.call.as_ref().and_then(|call| call.legs.number.clone()).filter(|_| waiting);
                Ok(match number {
                    Some(number) => Heard::Who { number: Some(number), within: None, tells: vec![event] },
                    None => Heard::Events(vec![event]),
                })
            }
        }
    }

    fn is_secret(&self, path: &[String]) -> bool {
        matches!(path, [name] if name == "vpbx_api_key" || name == "sign")
    }

    fn routes(&self, incoming: &Incoming<'_>, known: &Known) -> Option<Challenge> {
        let (call, extension) = (calls::waiting(&body(incoming)?.value)?, known.extension.as_ref()?);
        let mut said = json!({
            "command_id": format!("{COMMAND}{}", incoming.request.id.0),
            "call_id": call,
            "to_number": extension,
        });
        let name = text::cut(known.name.trim(), MOST_NAME);
        if !name.is_empty() {
            said["sip_headers"] = json!({ "From/display-name": name });
        }
        let url = format!("{}/vpbx/commands/route", self.api.origin);
        Some(Challenge { url, form: self.command(&said)?, time: ROUTED_WITHIN })
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let form = self.command(&json!({ "recording_id": file.id, "action": "download" }));
        let form = form.ok_or_else(|| NoFetch::Never("recordings are fetched with the key and the salt".to_owned()))?;
        // It answers with the place of a file that is given out once.
        Ok(Fetch {
            form: Some(form),
            hosts: vec![self.api.host.clone(), ".mango-office.ru".to_owned()],
            ..plain(format!("{}/vpbx/queries/recording/post", self.api.origin))
        })
    }
}

/// How our own commands are called.
const COMMAND: &str = "leadgate-";
/// A caller does not stay in a menu for longer.
const ROUTED_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a name on a telephone.
const MOST_NAME: usize = 64;

/// The field that holds everything; only the body's counts.
fn body<'a>(incoming: &'a Incoming<'_>) -> Option<&'a Entry> {
    incoming.body.iter().find(|entry| entry.name == "json" && !entry.value.trim().is_empty())
}
