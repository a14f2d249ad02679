//! How fast each kind of source reads a delivery, on one core, beside the plain HTML form.
//!
//! `cargo bench -p leadgate-tests --bench forms`. A kind's figure is that of its slowest body.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{BuildContext, Mode, Parsed, PathToken, Push, Request, Secrets};
use leadgate_core::secret::Secret;

/// How long each body is read.
const MEASURE: Duration = Duration::from_secs(1);
/// A look at the clock costs as much as a short call.
const AT_ONCE: u32 = 100;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

macro_rules! body {
    ($path:literal) => {
        include_bytes!(concat!("../../connectors/web-forms/fixtures/", $path))
    };
}

/// Kind, what its section says, content type, body.
const BODIES: &[(&str, &str, &str, &[u8])] = &[
    ("html_form", "", URLENCODED, body!("html_form/callback.urlencoded")),
    ("tilda", "", URLENCODED, body!("tilda/cart_text.urlencoded")),
    ("tilda", "", URLENCODED, body!("tilda/cart_brackets.urlencoded")),
    ("tilda", "", JSON, body!("tilda/marketplace.json")),
    ("wordpress", "", JSON, body!("wordpress/cf7_default.json")),
    ("wordpress", "", "text/plain", body!("wordpress/cf7_template.txt")),
    ("wordpress", "", URLENCODED, body!("wordpress/elementor_simple.urlencoded")),
    ("wordpress", "", URLENCODED, body!("wordpress/elementor_advanced.urlencoded")),
    ("wordpress", "", JSON, body!("wordpress/gravity_entry.json")),
    ("wordpress", "", JSON, body!("wordpress/wpforms.json")),
    ("wordpress", "", JSON, body!("wordpress/fluent.json")),
    ("wordpress", "", JSON, body!("wordpress/forminator.json")),
    ("wordpress", "", JSON, body!("wordpress/jetpack.json")),
    ("webhook", "", JSON, body!("webhook/typeform.json")),
    ("webhook", "preset = \"typeform\"", JSON, body!("webhook/typeform.json")),
    ("webhook", "preset = \"tally\"", JSON, body!("webhook/tally.json")),
    ("webhook", "preset = \"webflow\"", JSON, body!("webhook/webflow.json")),
    ("webhook", "preset = \"google_forms\"", JSON, body!("webhook/google_forms.json")),
    ("webhook", "preset = \"google_ads\"", JSON, body!("webhook/google_ads.json")),
    ("webhook", "preset = \"vk\"\nconfirmation = \"a1b2\"", JSON, body!("webhook/vk.json")),
];

struct Literal;

impl Secrets for Literal {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

fn source(kind: &str, section: &str) -> anyhow::Result<Box<dyn Push>> {
    let known = leadgate_web_forms::KINDS.iter().find(|known| known.name == kind).context("no such kind")?;
    let context = BuildContext {
        source: SourceId::parse("site")?,
        language: "en".to_owned(),
        company: "Company".to_owned(),
        public_url: "https://gate.example".to_owned(),
        country: None,
        ours: std::sync::Arc::default(),
        data: std::path::PathBuf::new(),
    };
    let built = (known.build)(section.parse()?, &Literal, &context);
    match built.map_err(|problems| anyhow::anyhow!("{kind}: {problems:?}"))?.mode {
        Mode::Push(push) => Ok(push),
        Mode::Pull(_) | Mode::Both(..) => anyhow::bail!("{kind} is a pull source"),
    }
}

/// Bodies read a second.
fn rate(push: &dyn Push, content_type: &str, body: &'static [u8]) -> anyhow::Result<f64> {
    let id: SubmissionId = "0197a000-0000-7000-8000-000000000001".parse()?;
    let source = SourceId::parse("site")?;
    let headers = [
        ("content-type".to_owned(), content_type.to_owned()),
        ("origin".to_owned(), "https://shop.example".to_owned()),
        ("user-agent".to_owned(), "WordPress/6.8; https://shop.example".to_owned()),
    ];
    let body = Bytes::from_static(body);
    let request = Request {
        id,
        source: &source,
        method: "POST",
        url: "https://gate.example/in/site/token",
        headers: &headers,
        body: &body,
        parts: None,
        peer: None,
        received_at: Timestamp::UNIX_EPOCH,
        path_token: PathToken::Valid,
        rest: "",
    };
    let parsed = push.parse(&request).map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    anyhow::ensure!(matches!(parsed, Parsed::Submissions(_)), "this body brings no delivery: {parsed:?}");
    let begin = Instant::now();
    let mut calls = 0;
    while begin.elapsed() < MEASURE {
        for _ in 0..AT_ONCE {
            black_box(push.parse(black_box(&request)).is_ok());
        }
        calls += AT_ONCE;
    }
    Ok(f64::from(calls) / begin.elapsed().as_secs_f64())
}

fn main() -> anyhow::Result<()> {
    let mut slowest: BTreeMap<&str, f64> = BTreeMap::new();
    let mut plain = 0.0;
    for (kind, section, content_type, body) in BODIES {
        let rate = rate(&*source(kind, section)?, content_type, body)?;
        if plain == 0.0 {
            plain = rate;
        }
        let of = section.lines().next().unwrap_or_default();
        println!("{kind:<10} {of:<24} {:>5} bytes: {rate:>8.0}/s, {:.2} of the HTML form", body.len(), rate / plain);
        let slowest = slowest.entry(kind).or_insert(rate);
        *slowest = slowest.min(rate);
    }
    for (kind, rate) in slowest {
        println!("figure forms.{kind}_per_s {rate:.0}");
    }
    Ok(())
}
