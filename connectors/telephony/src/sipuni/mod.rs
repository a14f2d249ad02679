//! Sipuni: events by GET or POST, in any order of their fields. It stops to send where it does not hear that all is well.

mod calls;

#[cfg(test)]
mod tests;

use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Fetch, NoFetch, Refusal, Reply, Request, Secrets, SourceKind};

use crate::common::json;
use crate::provider::{Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Usual, usual_keys};

/// `kind = "sipuni"`.
pub const KIND: SourceKind =
    SourceKind { name: "sipuni", about: "Sipuni: calls by its events API", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "sipuni"
# Nothing is signed and there is no key: the address is the secret.
"#,
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В личном кабинете Sipuni откройте: Настройки → Интеграция → API → События на АТС.\n\
         2. Вставьте адрес {url} и включите отправку событий. Подойдёт и GET, и POST.\n\
         3. Leadgate отвечает {\"success\": true}: без такого ответа Sipuni может остановить отправку.\n\
         4. Позвоните на номер и посмотрите на заявку: leadgate leads."
    } else {
        "1. In the cabinet of Sipuni open Settings → Integration → API → Events of the PBX.\n\
         2. Paste the address {url} and switch the events on. Both GET and POST will do.\n\
         3. Leadgate answers {\"success\": true}: without that Sipuni may stop to send.\n\
         4. Call the number and look at the lead: leadgate leads."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let usual = Usual { zone: "Europe/Moscow", ..Usual::default() };
    settings::build(table, secrets, context, &usual, |_keys, _secrets, _rules, _settings| Some(Sipuni))
}

/// The provider.
pub(crate) struct Sipuni;

impl Provider for Sipuni {
    fn verify(&self, _incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        Ok(Proof::Whole)
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        if incoming.first(&["event", "call_id"]).is_none() {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        calls::event(incoming).map(|event| Heard::Events(vec![event]))
    }

    fn thanks(&self, _request: &Request<'_>) -> Reply {
        json(200, r#"{"success": true}"#)
    }

    fn refuses(&self) -> Reply {
        json(403, r#"{"success": false}"#)
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        Ok(Fetch { hosts: vec![".sipuni.com".to_owned(), ".sipuni.ru".to_owned()], ..plain(file.id.clone()) })
    }
}
