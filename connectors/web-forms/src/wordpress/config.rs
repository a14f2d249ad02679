//! The config of a WordPress site.

use std::collections::HashMap;

use jiff::SignedDuration;
use leadgate_core::ports::{BuildProblem, Secrets};
use leadgate_core::rules::SourceRules;
use leadgate_core::secret::Secret;
use leadgate_wire::auth::{Auth, Check, Hmac, Parts, Stamp, Template, Unit};
use leadgate_wire::fields::Kind;
use leadgate_wire::keys::Keys;
use toml::Table;

use crate::config::{fields, rules, title};

/// Where `WPForms` puts its signature.
const SIGNATURE: &str = "x-wpforms-webhook-signature";
/// How far the time of a signature may be from ours.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Everything a WordPress source's config says.
pub(super) struct Config {
    /// What a delivery must prove beside the token in its path: the signature of `WPForms`, if its secret is known.
    pub signature: Option<Auth>,
    pub own: HashMap<String, Kind>,
    pub title: Option<String>,
}

/// Reads the config; every problem at once.
pub(super) fn read(table: Table, secrets: &dyn Secrets) -> Result<(Config, SourceRules), Vec<BuildProblem>> {
    let mut keys = Keys::new(table);
    let rules = rules(&mut keys);
    let wpforms = keys.secrets("wpforms_secret", secrets);
    let config =
        Config { signature: (!wpforms.is_empty()).then(|| signature(wpforms)), own: fields(&mut keys), title: title(&mut keys) };
    let problems = keys.finish();
    if problems.is_empty() { Ok((config, rules)) } else { Err(problems) }
}

/// `X-WPForms-Webhook-Signature: t=<seconds>,v=<hex>` over the time, a dot and the body.
fn signature(secrets: Vec<Secret>) -> Auth {
    let mut hmac = Hmac::of_body(SIGNATURE, secrets);
    hmac.parts = Some(Parts { timestamp: "t".to_owned(), signature: "v".to_owned() });
    hmac.signed = Template::stamped();
    hmac.stamp = Some(Stamp { at: None, unit: Unit::Seconds, tolerance: TOLERANCE });
    Auth { any: vec![vec![Check::Hmac(hmac)]] }
}
