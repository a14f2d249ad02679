//! The cloud PBX of `ITooLabs` under whatever name: `MegaFon`, Kcell and others. It sends a token, and asks who calls while it rings.

mod calls;

#[cfg(test)]
mod tests;

use std::time::Duration;

use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Fetch, Known, NoFetch, Refusal, Reply, Request, Secrets, SourceKind,
};
use leadgate_core::secret::Secret;
use leadgate_wire::auth::is_one_of;

use crate::common::{self, json};
use crate::provider::{Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Usual, usual_keys};
use calls::Fields;

/// `kind = "itoolabs"`.
pub const KIND: SourceKind = SourceKind {
    name: "itoolabs",
    about: "MegaFon's, Kcell's and other cloud PBXs by ITooLabs: calls, and who calls",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "itoolabs"
# The key you write into the PBX's settings for your CRM. Without it the address alone counts.
# crm_token = { env = "PBX_TOKEN" }   # or { file = "..." }, or the key itself; a list while it is being changed
"#,
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В личном кабинете виртуальной АТС откройте: Настройки → Интеграция с CRM → REST API (или «Другая CRM»).\n\
         2. В «Адрес вашей CRM» вставьте {url}.\n\
         3. В «Ключ для авторизации в вашей CRM» впишите длинную случайную строку и повторите её в crm_token источника.\n\
         4. Включите отправку команд history, event, contact и rating.\n\
         5. Позвоните на номер и посмотрите на заявку: leadgate leads. Знакомых АТС покажет на телефоне по имени."
    } else {
        "1. In the cabinet of the virtual PBX open Settings → Integration with a CRM → REST API (or another CRM).\n\
         2. Paste {url} as the address of your CRM.\n\
         3. Write a long random text as the key for your CRM, and the same into the source's crm_token.\n\
         4. Switch on the commands history, event, contact and rating.\n\
         5. Call the number and look at the lead: leadgate leads. The telephones show those who are known by name."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, _rules, _settings| {
        Some(Itoolabs { tokens: keys.secrets("crm_token", secrets) })
    })
}

/// The provider.
pub(crate) struct Itoolabs {
    tokens: Vec<Secret>,
}

/// How long a telephone may ring nameless.
const WITHIN: Duration = Duration::from_millis(1500);

impl Provider for Itoolabs {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        if self.tokens.is_empty() || common::is_empty(incoming) {
            return Ok(Proof::Whole);
        }
        let in_body = incoming.body.iter().filter(|entry| is_token(&entry.path)).map(|entry| entry.value.as_str());
        let mut presented =
            in_body.chain(incoming.request.header("x-api-key")).map(str::trim).filter(|token| !token.is_empty()).peekable();
        if presented.peek().is_none() {
            return Err(Unproven::new("crm_token is missing"));
        }
        if presented.fold(false, |right, token| right | is_one_of(token, &self.tokens)) {
            Ok(Proof::Whole)
        } else {
            Err(Unproven::new("crm_token is wrong: is it the key in the PBX's settings?"))
        }
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        let fields = Fields::of(incoming);
        if fields.is_empty() {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        match fields.word("cmd").as_deref() {
            None => Ok(Heard::Probe(json(400, r#"{"error":"Invalid parameters"}"#))),
            Some("contact") => {
                let tells: Vec<_> = fields.asked().into_iter().collect();
                Ok(Heard::Who { number: fields.client().phone(), within: Some(WITHIN), tells })
            }
            Some(command) => fields.event(command).map(|event| Heard::Events(vec![event])),
        }
    }

    fn thanks(&self, _request: &Request<'_>) -> Reply {
        json(200, "{}")
    }

    fn refuses(&self) -> Reply {
        json(401, r#"{"error":"Invalid token"}"#)
    }

    fn known(&self, request: &Request<'_>, known: Option<&Known>) -> Reply {
        let mut said = serde_json::Map::new();
        if let Some(known) = known {
            if !known.name.trim().is_empty() {
                said.insert("contact_name".to_owned(), known.name.clone().into());
            }
            if let Some(extension) = &known.extension {
                said.insert("responsible".to_owned(), extension.clone().into());
            }
        }
        serde_json::to_string(&said).map_or_else(|_broken| self.thanks(request), |said| json(200, said))
    }

    fn is_secret(&self, path: &[String]) -> bool {
        is_token(path)
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let hosts = [".megapbx.ru", ".megafon.ru", ".kcell.kz", ".itoolabs.com"].map(str::to_owned).to_vec();
        Ok(Fetch { hosts, ..plain(file.id.clone()) })
    }
}

fn is_token(path: &[String]) -> bool {
    matches!(path, [name] if name.eq_ignore_ascii_case("crm_token"))
}
