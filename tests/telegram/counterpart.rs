//! The bot beside somebody else's Bot API: the npm package `telegram-test-api`, which `tests/run` installs.

use std::process::Stdio;

use anyhow::{Context, ensure};
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::Setup;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

const TOKEN: &str = "666:independent-counterpart-token-of-the-tests";

/// The counterpart's process, which ends with its standard input.
struct Counterpart {
    url: String,
    web: reqwest::Client,
    _child: Child,
    _input: ChildStdin,
}

impl Counterpart {
    async fn start() -> anyhow::Result<Self> {
        let modules = std::env::var("TEST_NODE_MODULES")
            .context("TEST_NODE_MODULES names no folder with telegram-test-api: tests/run installs it. Run tests/run")?;
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/telegram/counterpart.js");
        let mut command = Command::new("node");
        command.arg(program).env("NODE_PATH", modules).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("node does not start: tests/run installs it")?;
        let input = child.stdin.take().context("it has an input")?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().context("it has an output")?).read_line(&mut port).await?;
        ensure!(!port.trim().is_empty(), "the counterpart ended before it said its port");
        let url = format!("http://127.0.0.1:{}", port.trim());
        Ok(Self { url, web: reqwest::Client::new(), _child: child, _input: input })
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.web.post(format!("{}{path}", self.url)).json(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
    }

    /// A customer writes.
    async fn writes(&self, user: i64, name: &str, text: &str) -> anyhow::Result<()> {
        let entities = if text.starts_with('/') {
            json!([{ "offset": 0, "length": text.split(' ').next().unwrap_or(text).len(), "type": "bot_command" }])
        } else {
            json!([])
        };
        let message = json!({
            "botToken": TOKEN, "date": 1_790_000_000, "text": text, "entities": entities,
            "from": { "id": user, "first_name": name, "is_bot": false },
            "chat": { "id": user, "first_name": name, "type": "private" },
        });
        let path = if text.starts_with('/') { "/sendCommand" } else { "/sendMessage" };
        self.post(path, &message).await.map(|_| ())
    }

    /// What the bot has written to a chat and was not read yet.
    async fn read(&self, chat: i64) -> anyhow::Result<Vec<Value>> {
        let answer = self.post("/getUpdates", &json!({ "token": TOKEN, "chatId": chat })).await?;
        Ok(answer["result"].as_array().cloned().unwrap_or_default())
    }
}

async fn world(counterpart: &Counterpart, more: &str) -> anyhow::Result<World> {
    let usual = Setup::default();
    let bot = format!("[sources.bot]\nkind = \"telegram\"\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\n{more}", counterpart.url);
    World::new(&Setup { site: format!("{}\n{bot}", usual.site), ..usual }).await
}

/// What was said on the one lead's timeline, the oldest first.
async fn said(world: &World) -> anyhow::Result<Vec<String>> {
    let lead = world.only_lead().await?;
    let timeline = lead["timeline"].as_array().context("a lead has a timeline")?;
    Ok(timeline.iter().filter_map(|activity| activity["content"]["message"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn a_message_becomes_a_lead_and_the_answer_reaches_the_chat() -> anyhow::Result<()> {
    let counterpart = Counterpart::start().await?;
    let world = world(&counterpart, "").await?;
    counterpart.writes(77, "Вера", "Сколько стоит кухня?").await?;
    until("a lead", async || Ok((world.leads().await?.len() == 1).then_some(()))).await?;
    counterpart.writes(77, "Вера", "И доставка <завтра>?").await?;
    let both = until("two messages", async || Ok(Some(said(&world).await?).filter(|said| said.len() == 2))).await?;
    assert_eq!(both, ["Сколько стоит кухня?", "И доставка <завтра>?"]);
    let lead = world.only_lead().await?;
    assert_eq!((lead["name"].as_str(), lead["source"].as_str()), (Some("Вера"), Some("bot")));

    let reply = json!({ "text": "От 100 000 ₽ & доставка <завтра>" });
    world.post(&format!("/leads/{}/reply", lead["id"]), &reply).await?.expect(202)?;
    let heard = until("the answer in the chat", async || Ok(counterpart.read(77).await?.into_iter().next())).await?;
    let text = heard["message"]["text"].as_str().unwrap_or_default();
    assert_eq!(text, "От 100 000 ₽ &amp; доставка &lt;завтра&gt;", "{heard}");
    let sent = until("the answer to be delivered", async || {
        let lead = world.only_lead().await?;
        let timeline = lead["timeline"].as_array().cloned().unwrap_or_default();
        Ok(timeline.into_iter().find(|activity| activity["content"]["sending"]["state"] == "delivered"))
    })
    .await?;
    assert_eq!(sent["content"]["outgoing"], true);
    Ok(())
}

#[tokio::test]
async fn a_start_alone_makes_no_lead_and_is_greeted() -> anyhow::Result<()> {
    let counterpart = Counterpart::start().await?;
    let world = world(&counterpart, "dialogue = { language = \"en\", greeting = \"Welcome\", ask = [\"phone\"] }").await?;
    counterpart.writes(78, "Oleg", "/start").await?;
    let heard = until("a greeting", async || Ok(counterpart.read(78).await?.into_iter().next())).await?;
    assert!(heard["message"]["text"].as_str().unwrap_or_default().contains("Welcome"), "{heard}");
    assert!(world.leads().await?.is_empty());
    counterpart.writes(78, "Oleg", "Do you deliver?").await?;
    until("a lead", async || Ok((world.leads().await?.len() == 1).then_some(()))).await?;
    Ok(())
}
