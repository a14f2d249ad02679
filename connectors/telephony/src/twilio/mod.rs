//! Twilio's callbacks of calls, and those of `SignalWire`, which speaks like it.

mod verify;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use data_encoding::BASE64;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Fetch, Known, NoFetch, Refusal, Reply, Request, Secrets, SourceKind,
};
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;
use toml::{Table, Value};

use crate::cxml::{self, Ways};
use crate::forward::{Forward, forward_keys, responsible_keys};
use crate::provider::{Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Usual, usual_keys};

/// `kind = "twilio"`.
pub const KIND: SourceKind =
    SourceKind { name: "twilio", about: "Twilio and SignalWire: calls by status callbacks", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "twilio"
enabled = false                     # true once the token is yours
# What Twilio signs its calls with: the account's Auth Token; of SignalWire, the project's signing key. A list while it is changed.
auth_token = "the-account-s-auth-token"   # better { env = "TWILIO_AUTH_TOKEN" } or { file = "..." }
# Subaccounts sign with tokens of their own.
# account_tokens = { AC0123456789abcdef0123456789abcdef = { env = "TWILIO_SHOP_TOKEN" } }
# A key that is made for signatures alone, where webhooks are signed with one (HMAC_SHA256).
# shared_key = { env = "TWILIO_SHARED_KEY" }
# A telephone of yours answers the number itself, without a dial: then a call that is completed was answered.
# completed_is_answered = false
# Who fetches recordings, where that is not the account with its Auth Token: an API key's id and secret.
# recording_user = "SK0123456789abcdef0123456789abcdef"
# recording_password = { env = "TWILIO_API_SECRET" }
"#,
    forward_keys!(),
    responsible_keys!(),
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В консоли Twilio скопируйте Auth Token (Account → API keys & tokens) в auth_token источника.\n\
         2. Откройте номер: Phone Numbers → Manage → Active numbers → номер → Voice Configuration.\n\
         3. В поле Call status changes вставьте {url}, метод HTTP POST. Это адрес для событий, не для A call comes in.\n\
         4. Чтобы отвеченные звонки отличались от пропущенных, укажите {url} как action у <Dial> или как statusCallback у <Number> \
         с событиями initiated ringing answered completed.\n\
         5. Записи: укажите {url} как recordingStatusCallback.\n\
         6. Если номер некому обслуживать: задайте forward и в поле A call comes in вставьте {url}/voice. Шаг 4 тогда не нужен.\n\
         7. Позвоните на номер и посмотрите: leadgate leads."
    } else {
        "1. Copy the Auth Token from Twilio's console (Account → API keys & tokens) into the source's auth_token.\n\
         2. Open the number: Phone Numbers → Manage → Active numbers → the number → Voice Configuration.\n\
         3. Paste {url} into Call status changes, method HTTP POST. It is an address for events, not for A call comes in.\n\
         4. To tell answered calls from missed ones, give {url} as the action of <Dial>, or as the statusCallback of <Number> with the \
         events initiated ringing answered completed.\n\
         5. Recordings: give {url} as the recordingStatusCallback.\n\
         6. If nothing of yours serves the number: set forward, and paste {url}/voice into A call comes in. Then step 4 is not needed.\n\
         7. Call the number and look: leadgate leads."
    }
}

fn build(table: Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, _rules, _settings| {
        let tokens = keys.secrets("auth_token", secrets);
        let accounts = accounts(keys, secrets);
        let shared = keys.secrets("shared_key", secrets);
        if tokens.is_empty() && accounts.is_empty() && shared.is_empty() && keys.problems() == 0 {
            let words = "what Twilio signs its calls with is missing; write { env = \"NAME\" } or { file = \"path\" }";
            keys.problem("auth_token", words);
        }
        let (mut forward, completed_is_answered) = answered_by(keys, &context.language);
        Forward::read_responsible(&mut forward, keys);
        let recording_user = keys.text("recording_user").as_deref().and_then(leadgate_core::text::present);
        let recording_password = keys.secret("recording_password", secrets);
        if recording_password.is_some() && recording_user.is_none() {
            keys.problem("recording_user", "it is missing, and there is a recording_password");
        }
        let keys = verify::Keys { tokens, accounts, shared };
        Some(Twilio { keys, forward, completed_is_answered, recording_user, recording_password })
    })
}

/// Who answers calls: a number they are put through to, or a telephone that the provider calls by itself.
pub(crate) fn answered_by(keys: &mut Keys, language: &str) -> (Option<Forward>, bool) {
    let forward = Forward::read(keys, language);
    let completed_is_answered = keys.yes("completed_is_answered").unwrap_or(false);
    if forward.is_some() && completed_is_answered {
        keys.problem(
            "completed_is_answered",
            "calls are put through by forward, which tells whether they were answered: leave it out",
        );
    }
    (forward, completed_is_answered)
}

fn accounts(keys: &mut Keys, secrets: &dyn Secrets) -> BTreeMap<String, Vec<Secret>> {
    let mut out = BTreeMap::new();
    for (account, value) in keys.table("account_tokens").unwrap_or_default() {
        let written = match value {
            Value::Array(several) => several,
            one => vec![one],
        };
        let mut found: Vec<Secret> = Vec::new();
        for value in &written {
            match secrets.resolve(value) {
                Ok(secret) if secret.expose().trim().is_empty() => {
                    keys.problem(&format!("account_tokens.{account}"), "it is empty");
                }
                Ok(secret) => found.push(secret),
                Err(why) => keys.problem(&format!("account_tokens.{account}"), why),
            }
        }
        out.insert(account, found);
    }
    out
}

struct Twilio {
    keys: verify::Keys,
    forward: Option<Forward>,
    completed_is_answered: bool,
    recording_user: Option<String>,
    recording_password: Option<Secret>,
}

impl Provider for Twilio {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        self.keys.verify(incoming)
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        cxml::hear(incoming, &Ways { completed_is_answered: self.completed_is_answered, forward: self.forward.as_ref() })
    }

    fn thanks(&self, request: &Request<'_>) -> Reply {
        cxml::thanks(request, self.forward.as_ref())
    }

    fn busy(&self, request: &Request<'_>) -> Reply {
        // The call is put through all the same; what becomes of it is told later.
        if cxml::waits(request) { self.thanks(request) } else { Reply::busy(5) }
    }

    fn known(&self, request: &Request<'_>, known: Option<&Known>) -> Reply {
        cxml::known(request, self.forward.as_ref(), known)
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let mut fetch = plain(file.id.clone());
        fetch.hosts = HOSTS.iter().map(|host| (*host).to_owned()).collect();
        if let Some(authorization) = self.authorization(&file.id) {
            fetch.headers.push(("authorization", authorization));
        }
        Ok(fetch)
    }
}

/// Where recordings lie.
const HOSTS: &[&str] = &["api.twilio.com", ".twilio.com", ".signalwire.com"];

impl Twilio {
    /// The name and the password for a recording; nothing for any other host than the provider's.
    fn authorization(&self, link: &str) -> Option<Secret> {
        let url = url::Url::parse(link).ok().filter(|url| url.scheme() == "https")?;
        let host = url.host_str()?;
        if !HOSTS.iter().any(|known| host == *known || (known.starts_with('.') && host.ends_with(known))) {
            return None;
        }
        let account = url.path_segments()?.skip_while(|part| *part != "Accounts").nth(1);
        let token = || account.and_then(|account| self.keys.accounts.get(account)).unwrap_or(&self.keys.tokens).first();
        let user = self.recording_user.as_deref().or(account)?;
        let password = self.recording_password.as_ref().or_else(token)?;
        let pair = format!("{user}:{}", password.expose().trim());
        Some(Secret::new(format!("Basic {}", BASE64.encode(pair.as_bytes()))))
    }
}
