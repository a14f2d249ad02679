//! Telnyx: the events of Call Control, and `TeXML`'s callbacks, which speak like Twilio's.

mod control;

#[cfg(test)]
mod tests;

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Fetch, Known, NoFetch, Refusal, Reply, Request, Secrets, SourceKind,
};
use leadgate_wire::keys::Keys;
use ring::signature::{ED25519, UnparsedPublicKey};
use toml::Table;

use crate::cxml::{self, Ways};
use crate::forward::{Forward, forward_keys, responsible_keys};
use crate::provider::{Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Usual, usual_keys};
use crate::twilio;

/// `kind = "telnyx"`.
pub const KIND: SourceKind =
    SourceKind { name: "telnyx", about: "Telnyx: calls by Call Control and TeXML webhooks", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "telnyx"
enabled = false                     # true once the key is yours
# The account's public key, with which Telnyx' signatures are checked. It is no secret. A list while it is changed.
public_key = "aGVyZS1nb2VzLXRoZS1hY2NvdW50LXB1YmxpYy1rZXk="
# What a leg is that goes out: "agents" (a telephone of yours rings for a caller) or "customers" (you call).
# outgoing_legs = "agents"
# A telephone of yours answers the number itself: then a call that is completed was answered.
# completed_is_answered = false
"#,
    forward_keys!(),
    responsible_keys!(),
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В портале Telnyx скопируйте открытый ключ (Account → Keys & Credentials → Public Key) в public_key источника.\n\
         2. TeXML-приложение: вставьте {url} в Status callback, метод POST. Адресом для ответов (Voice URL) это быть не должно.\n\
         3. У <Dial> укажите {url} как action, у записей как recordingStatusCallback.\n\
         4. Приложение Call Control само управляет звонком: не отдавайте ему этот адрес как единственный, а пересылайте события отсюда.\n\
         5. Если номер некому обслуживать: задайте forward и вставьте {url}/voice в Voice URL приложения TeXML.\n\
         6. Позвоните на номер и посмотрите: leadgate leads."
    } else {
        "1. Copy the public key from Telnyx' portal (Account → Keys & Credentials → Public Key) into the source's public_key.\n\
         2. A TeXML application: paste {url} into Status callback, method POST. It must not be the Voice URL.\n\
         3. Give {url} as the action of <Dial>, and as the recordingStatusCallback of recordings.\n\
         4. A Call Control application commands its calls by itself: do not make this its only address, but pass its events on to it.\n\
         5. If nothing of yours serves the number: set forward, and paste {url}/voice into the Voice URL of a TeXML application.\n\
         6. Call the number and look: leadgate leads."
    }
}

fn build(table: Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, _secrets, _rules, _settings| {
        let public_keys = public_keys(keys);
        let legs = [("agents", Legs::Agents), ("customers", Legs::Customers)];
        let outgoing = keys.one_of("outgoing_legs", &legs).unwrap_or_default();
        let (mut forward, completed_is_answered) = twilio::answered_by(keys, &context.language);
        Forward::read_responsible(&mut forward, keys);
        Some(Telnyx { public_keys, outgoing, forward, completed_is_answered })
    })
}

fn public_keys(keys: &mut Keys) -> Vec<Vec<u8>> {
    let Some(written) = keys.list("public_key") else {
        keys.problem("public_key", "the account's public key is missing; Telnyx' portal shows it under Keys & Credentials");
        return Vec::new();
    };
    let mut out = Vec::new();
    for text in written {
        match BASE64.decode(text.trim().as_bytes()) {
            Ok(key) if key.len() == 32 => out.push(key),
            _ => keys.problem("public_key", format!("{text:?} is no public key: it has 44 characters and ends in =")),
        }
    }
    out
}

/// What a leg is that goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Legs {
    /// A telephone of ours rings for a caller.
    #[default]
    Agents,
    /// We call a customer.
    Customers,
}

struct Telnyx {
    public_keys: Vec<Vec<u8>>,
    outgoing: Legs,
    forward: Option<Forward>,
    completed_is_answered: bool,
}

/// Further from receipt a signature is too old, or the clocks differ.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

impl Provider for Telnyx {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        let request = incoming.request;
        let header = |name: &str| request.header(name).map(str::trim);
        let (Some(signature), Some(stamp)) = (header("telnyx-signature-ed25519"), header("telnyx-timestamp")) else {
            return Err(Unproven::new("there is no signature (Telnyx-Signature-Ed25519 and Telnyx-Timestamp)"));
        };
        let digits = !stamp.is_empty() && stamp.bytes().all(|byte| byte.is_ascii_digit());
        let at = stamp.parse().ok().filter(|_| digits).and_then(|seconds| Timestamp::from_second(seconds).ok());
        let signature = BASE64.decode(signature.as_bytes()).ok().filter(|bytes| bytes.len() == 64);
        let (Some(at), Some(signature)) = (at, signature) else {
            return Err(Unproven::new("the signature or its time is none"));
        };
        let message = [stamp.as_bytes(), b"|", request.body].concat();
        let fits = |key: &Vec<u8>| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok();
        if request.parts.is_some() || !self.public_keys.iter().any(fits) {
            let why =
                "the signature does not fit: public_key is another account's, or the body was changed on its way".to_owned();
            return Err(Unproven { why, signed: format!("{stamp}|{} bytes of the body", request.body.len()) });
        }
        Ok(fresh(at, request.received_at, covered(incoming)))
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        if incoming.body.is_empty() && incoming.query.is_empty() {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        if incoming.text("data[event_type]").is_some() {
            return control::hear(incoming, self).map(|event| Heard::Events(vec![event]));
        }
        cxml::hear(incoming, &Ways { completed_is_answered: self.completed_is_answered, forward: self.forward.as_ref() })
    }

    fn thanks(&self, request: &Request<'_>) -> Reply {
        match cxml::thanks(request, self.forward.as_ref()) {
            reply if reply.body.is_empty() => Reply::text(200, ""),
            document => document,
        }
    }

    fn busy(&self, request: &Request<'_>) -> Reply {
        // The call is put through all the same; what becomes of it is told later.
        if cxml::waits(request) { self.thanks(request) } else { Reply::busy(5) }
    }

    fn known(&self, request: &Request<'_>, known: Option<&Known>) -> Reply {
        cxml::known(request, self.forward.as_ref(), known)
    }

    fn is_fleeting(&self, path: &[String]) -> bool {
        path.first().is_some_and(|first| first == "meta")
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let mut fetch = plain(file.id.clone());
        fetch.hosts = hosts();
        Ok(fetch)
    }
}

/// What a signature over the body covers.
pub(crate) fn covered(incoming: &Incoming<'_>) -> Proof {
    if incoming.query.is_empty() { Proof::Whole } else { Proof::Part }
}

/// What a signature proves that was made at a time.
pub(crate) fn fresh(made: Timestamp, received: Timestamp, proof: Proof) -> Proof {
    let apart = received.duration_since(made);
    if apart.abs() <= FRESH {
        return proof;
    }
    let side = if apart.is_positive() { "before" } else { "after" };
    Proof::Expired(format!(
        "it was signed {} s {side} it came, which is too far: it was sent again by somebody, or a clock is wrong",
        apart.abs().as_secs()
    ))
}

/// Where recordings lie: at Telnyx, or in its buckets.
fn hosts() -> Vec<String> {
    let regions =
        ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "ap-southeast-2"];
    let regional =
        regions.iter().flat_map(|region| [format!("s3.{region}.amazonaws.com"), format!(".s3.{region}.amazonaws.com")]);
    let usual = [".telnyx.com", "s3.amazonaws.com", ".s3.amazonaws.com"];
    usual.into_iter().map(str::to_owned).chain(regional).collect()
}
