//! Calls as providers tell of them: who sends what, and how it is signed and sent.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::call::{CallFacts, CallView};
use leadgate_core::prepare::Content;
use leadgate_tests::client::{Answer, World, send};
use leadgate_tests::gateway::{Setup, TOKEN};
use reqwest::Method;
use serde_json::{Value, json};

use crate::signer;

/// Where the world sees the gateway: what is signed are its addresses.
pub(crate) const PUBLIC: &str = "https://leads.example.com";
/// The company's line that is called, digits only.
pub(crate) const LINE: &str = "74951234567";
/// How long people talk in these calls, in seconds.
pub(crate) const TALK: u32 = 42;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plot {
    /// A customer calls, somebody answers, and it is recorded.
    Answered,
    /// A customer calls, and nobody answers.
    Missed,
    /// Somebody of ours calls a customer, who answers.
    Out,
    /// Colleagues call each other.
    Internal,
    /// Somebody who hides the number calls, and nobody answers.
    Hidden,
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The provider's id of it.
    pub id: String,
    /// The customer's number, digits only.
    pub number: String,
    /// When it began.
    pub began: Timestamp,
}

impl Call {
    /// A call that began two minutes ago.
    #[expect(clippy::disallowed_methods, reason = "the gateway does not believe times that are far from its own")]
    pub(crate) fn new(id: &str, number: &str) -> anyhow::Result<Self> {
        let began = Timestamp::from_second(Timestamp::now().as_second() - 120)?;
        Ok(Self { id: id.to_owned(), number: number.to_owned(), began })
    }

    fn at(&self, second: i64) -> Timestamp {
        self.began + SignedDuration::from_secs(second)
    }

    /// Seconds since 1970.
    pub(crate) fn epoch(&self, second: i64) -> String {
        self.at(second).as_second().to_string()
    }

    /// ISO 8601.
    pub(crate) fn iso(&self, second: i64) -> String {
        self.at(second).to_string()
    }

    /// As a format says, in UTC.
    pub(crate) fn written(&self, second: i64, format: &str) -> String {
        self.at(second).strftime(format).to_string()
    }
}

/// A callback, before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub method: &'static str,
    /// Below the source's address, with its slash.
    pub rest: &'static str,
    /// With its question mark; of what is got, the fields follow.
    pub query: String,
    pub body: Body,
}

/// What a callback holds.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Form(Vec<(String, String)>),
    Json(Value),
}

impl Sent {
    /// A form.
    pub(crate) fn form(fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { method: "POST", rest: "", query: String::new(), body: Body::Form(fields) }
    }

    /// JSON.
    pub(crate) fn json(body: Value) -> Self {
        Self { method: "POST", rest: "", query: String::new(), body: Body::Json(body) }
    }

    /// The same by GET.
    pub(crate) fn got(self) -> Self {
        Self { method: "GET", ..self }
    }

    /// Further fields; those of the same name are replaced.
    pub(crate) fn with(mut self, more: &[(&str, &str)]) -> Self {
        for (name, value) in more {
            match &mut self.body {
                Body::Form(fields) => {
                    fields.retain(|(known, _)| known != name);
                    fields.push(((*name).to_owned(), (*value).to_owned()));
                }
                Body::Json(body) => body[*name] = json!(value),
            }
        }
        self
    }
}

/// A provider, as these tests play it.
pub(crate) struct Provider {
    pub kind: &'static str,
    /// Who signs, by the name in `signer.py`.
    pub signer: &'static str,
    pub secret: &'static str,
    /// Of the source's section.
    pub keys: &'static str,
    /// What it sends of a call; nothing where it has no such calls.
    pub tells: fn(&Call, Plot) -> Vec<Sent>,
    /// An event that nobody here knows.
    pub unknown: fn() -> Sent,
    /// What it hears when all is well: the status, the type, the body.
    pub thanks: (u16, &'static str, &'static str),
    /// What it hears when the signature is wrong.
    pub refuses: (u16, &'static str),
    /// Who answers its calls.
    pub agent: &'static str,
}

/// A callback, signed.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub method: Method,
    /// With its query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Ready {
    /// Sends it.
    pub(crate) async fn send(&self, world: &World) -> anyhow::Result<Answer> {
        let mut request = world.web.request(self.method.clone(), world.gateway.url(&self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        send(request.body(self.body.clone())).await
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Provider {
    /// Its section, under the name of the source.
    pub(crate) fn section(&self, source: &str, more: &str) -> String {
        format!("[sources.{source}]\nkind = \"{}\"\ntoken = \"{TOKEN}\"\n{}\n{more}\n", self.kind, self.keys)
    }

    /// Signs a callback to a source.
    pub(crate) fn sign(&self, source: &str, sent: &Sent) -> anyhow::Result<Ready> {
        self.sign_as(source, sent, PUBLIC, &json!({}))
    }

    /// Signs a callback as sent to a gateway whose address begins so; `more`: see `signer.py`.
    pub(crate) fn sign_as(&self, source: &str, sent: &Sent, origin: &str, more: &Value) -> anyhow::Result<Ready> {
        let mut path = format!("/in/{source}/{TOKEN}{}{}", sent.rest, sent.query);
        let mut command = json!({ "provider": self.signer, "method": sent.method, "secret": self.secret });
        match &sent.body {
            Body::Form(fields) if sent.method == "GET" => {
                let and = if path.contains('?') { '&' } else { '?' };
                let query = reqwest::Url::parse_with_params("http://x/", fields)?.query().unwrap_or_default().to_owned();
                path.extend([String::from(and), query]);
            }
            Body::Form(fields) => command["form"] = json!(fields),
            Body::Json(body) => command["json"] = body.to_string().into(),
        }
        command["url"] = format!("{origin}{path}").into();
        if self.signer == "mango" {
            command["key"] = "code-of-the-pbx".into();
            command["path"] = sent.rest.trim_start_matches('/').into();
        }
        for (key, value) in more.as_object().into_iter().flatten() {
            command[key] = value.clone();
        }
        let made = signer::ask(&command)?;
        if let Some(url) = made["url"].as_str() {
            url.strip_prefix(origin).context("it is signed for where it goes")?.clone_into(&mut path);
        }
        let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let headers = made["headers"].as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1])));
        let body = text(&made["body"]).into_bytes();
        Ok(Ready { method: sent.method.parse()?, path, headers: headers.collect(), body })
    }

    /// Signs, sends, and looks at every byte of the answer.
    pub(crate) async fn tell(&self, world: &World, source: &str, sent: &Sent) -> anyhow::Result<()> {
        let answer = self.sign(source, sent)?.send(world).await?;
        self.is_thanked(&answer).with_context(|| format!("{} to {sent:?}", self.kind))
    }

    /// Tells a whole call, in order.
    pub(crate) async fn tell_all(&self, world: &World, source: &str, call: &Call, plot: Plot) -> anyhow::Result<()> {
        for sent in (self.tells)(call, plot) {
            self.tell(world, source, &sent).await?;
        }
        Ok(())
    }

    pub(crate) fn is_thanked(&self, answer: &Answer) -> anyhow::Result<()> {
        let heard = (answer.status, answer.header("content-type").to_owned(), answer.text());
        let (status, kind, body) = self.thanks;
        anyhow::ensure!(heard == (status, kind.to_owned(), body.to_owned()), "it heard {heard:?}");
        Ok(())
    }
}

/// A gateway with these sources.
pub(crate) fn setup(sections: &str) -> Setup {
    let usual = Setup::default();
    Setup { server: format!("public_url = \"{PUBLIC}\""), site: format!("{}\n{sections}", usual.site), ..usual }
}

/// A gateway with one source of a provider, called `calls`.
pub(crate) async fn gateway_of(provider: &Provider, more: &str) -> anyhow::Result<World> {
    World::new(&setup(&provider.section("calls", more))).await
}

/// The lead of a number, in full.
pub(crate) async fn lead_of(world: &World, number: &str) -> anyhow::Result<Value> {
    let leads = world.all(&format!("/leads?identity=%2B{number}")).await?;
    anyhow::ensure!(leads.len() == 1, "{} leads of {number}: {leads:?}", leads.len());
    world.get(&format!("/leads/{}", leads[0]["id"])).await
}

/// What the only activity of a lead tells.
pub(crate) fn told(lead: &Value) -> anyhow::Result<Content> {
    let timeline = lead["timeline"].as_array().context("a timeline")?;
    anyhow::ensure!(timeline.len() == 1, "{} activities where one call was: {lead}", timeline.len());
    anyhow::ensure!(timeline[0]["kind"] == "call", "it is no call: {lead}");
    serde_json::from_value(timeline[0]["content"].clone()).context("what is told of a call")
}

/// The call of an activity.
pub(crate) fn call_of(content: &Content) -> anyhow::Result<(&CallFacts, CallView)> {
    let facts = content.call.as_deref().context("a call")?;
    Ok((facts, facts.view()))
}
