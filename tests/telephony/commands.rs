//! What the gateway asks of Mango Office by itself: to put a caller through, and for a recording.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::Setup;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::pbxs::MANGO;
use crate::played::{Call, Plot, Sent, lead_of, setup, told};

/// The commands that came.
type Heard = Arc<Mutex<Vec<Value>>>;

/// A PBX, as its API is called.
struct Api {
    port: u16,
    heard: Heard,
}

const SOUND: &[u8] = b"ID3\x04\0\0\0\0\0\0the whole conversation";

impl Api {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, heard) = (listener.local_addr()?.port(), Heard::default());
        let app = axum::Router::new()
            .route("/vpbx/commands/route", post(route))
            .route("/vpbx/queries/recording/post", post(recording))
            .route("/once/R.mp3", get(async || SOUND));
        let serving = axum::serve(listener, app.with_state(Arc::clone(&heard)));
        tokio::spawn(async move { serving.await });
        Ok(Self { port, heard })
    }

    fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn expect(&self, count: usize) -> anyhow::Result<Vec<Value>> {
        until("commands to the PBX", async || Ok(Some(self.heard()).filter(|heard| heard.len() >= count))).await
    }
}

/// A command whose signature is right, by the vendor's recipe.
fn signed(body: &str) -> Option<Value> {
    let form = reqwest::Url::parse(&format!("http://pbx/?{body}")).ok()?;
    let form: Vec<(String, String)> = form.query_pairs().into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let (key, json) = (field("vpbx_api_key")?, field("json")?);
    let sign = HEXLOWER.encode(&Sha256::digest(format!("{key}{json}{}", MANGO.secret)));
    (field("sign")? == sign).then(|| serde_json::from_str(json).ok())?
}

async fn route(State(heard): State<Heard>, body: String) -> Response {
    let Some(command) = signed(&body) else { return StatusCode::UNAUTHORIZED.into_response() };
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(command);
    r#"{"result":1000}"#.into_response()
}

async fn recording(State(heard): State<Heard>, body: String) -> Response {
    let Some(command) = signed(&body) else { return StatusCode::UNAUTHORIZED.into_response() };
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(command);
    (StatusCode::FOUND, [("location", "/once/R.mp3")]).into_response()
}

async fn office(api: &Api, more: &str) -> anyhow::Result<World> {
    let managers =
        "[[managers]]\nid = \"oleg\"\nname = \"Олег\"\nextension = \"702\"\n[[managers]]\nid = \"vera\"\nname = \"Вера\"\n";
    let more = format!("api_url = \"http://127.0.0.1:{}\"\n{more}", api.port);
    let usual = setup(&MANGO.section("calls", &more));
    let server = format!("{}\ninner_services = [\"127.0.0.1:{}\"]", usual.server, api.port);
    World::new(&Setup { server, more: managers.to_owned(), ..usual }).await
}

async fn metrics(world: &World) -> anyhow::Result<String> {
    Ok(send(world.web.get(world.gateway.url("/metrics"))).await?.expect(200)?.text())
}

/// A caller comes into the menu.
fn in_the_menu(call: &Call) -> Sent {
    (MANGO.tells)(call, Plot::Answered).remove(0)
}

#[tokio::test]
async fn whoever_is_known_is_put_through_to_who_works_with_them() -> anyhow::Result<()> {
    let api = Api::start().await?;
    let world = office(&api, "to_responsible = true").await?;
    for (name, phone, manager) in
        [("Анна Петрова", "+79161250101", Some("oleg")), ("Борис", "+79161250102", Some("vera")), ("Глеб", "+79161250103", None)]
    {
        world.form(&[("name", name), ("phone", phone), ("_id", phone)]).await?.expect(200)?;
        let lead = lead_of(&world, phone.trim_start_matches('+')).await?;
        if let Some(manager) = manager {
            world.patch(&format!("/leads/{}", lead["id"]), &json!({ "responsible": manager })).await?.expect(200)?;
        }
    }
    // Nobody knows the first one; of the next two nobody works with them, or at no telephone that is known.
    for number in ["79161259999", "79161250102", "79161250103", "79161250101"] {
        let call = Call::new(&format!("E-{number}"), number)?;
        MANGO.tell(&world, "calls", &in_the_menu(&call)).await?;
    }
    let heard = api.expect(1).await?;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(
        (&heard[0]["call_id"], &heard[0]["to_number"], &heard[0]["sip_headers"]),
        (&json!("E-79161250101-ivr"), &json!("702"), &json!({ "From/display-name": "Анна Петрова" }))
    );
    let metrics = metrics(&world).await?;
    assert!(metrics.contains("leadgate_calls_routed_total{source=\"calls\",result=\"done\"} 1"), "{metrics}");
    assert!(metrics.contains("leadgate_callers_asked_total{source=\"calls\",answer=\"unknown\"} 1"), "{metrics}");
    // What came of it is no enquiry; the call goes on as calls do.
    let id = heard[0]["command_id"].as_str().context("an id")?;
    let done = json!({ "command_id": id, "result": "1000" });
    MANGO.tell(&world, "calls", &Sent { rest: "/result/route", ..Sent::json(done) }).await?;
    let call = Call::new("E-79161250101", "79161250101")?;
    for sent in (MANGO.tells)(&call, Plot::Answered).into_iter().skip(1) {
        MANGO.tell(&world, "calls", &sent).await?;
    }
    let lead = lead_of(&world, "79161250101").await?;
    let kinds: Vec<&Value> = lead["timeline"].as_array().into_iter().flatten().map(|activity| &activity["kind"]).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "call").count(), 1, "{kinds:?}");
    assert_eq!(api.heard().len(), 1, "once is enough");
    Ok(())
}

#[tokio::test]
async fn a_pbx_that_cannot_be_reached_costs_no_call() -> anyhow::Result<()> {
    let gone = Api { port: leadgate_tests::gateway::free_port()?, heard: Heard::default() };
    let world = office(&gone, "to_responsible = true").await?;
    world.form(&[("name", "Анна"), ("phone", "+79161250111"), ("_id", "a")]).await?.expect(200)?;
    let lead = lead_of(&world, "79161250111").await?;
    world.patch(&format!("/leads/{}", lead["id"]), &json!({ "responsible": "oleg" })).await?.expect(200)?;
    MANGO.tell_all(&world, "calls", &Call::new("E1", "79161250111")?, Plot::Answered).await?;
    let failed = "leadgate_calls_routed_total{source=\"calls\",result=\"failed\"} 1";
    until("the failure is counted", async || Ok(metrics(&world).await?.contains(failed).then_some(()))).await?;
    let lead = lead_of(&world, "79161250111").await?;
    assert_eq!(lead["timeline"].as_array().map(Vec::len), Some(2), "{lead}");
    Ok(())
}

#[tokio::test]
async fn a_recording_is_fetched_into_the_attachments() -> anyhow::Result<()> {
    let api = Api::start().await?;
    let world = office(&api, "recordings = \"fetch\"\nrecording_after = \"0 s\"").await?;
    MANGO.tell_all(&world, "calls", &Call::new("E2", "79161250121")?, Plot::Answered).await?;
    let content = until("the recording", async || {
        let content = told(&lead_of(&world, "79161250121").await?)?;
        Ok(Some(content).filter(|content| !content.files.is_empty()))
    })
    .await?;
    assert_eq!(api.heard(), [json!({ "recording_id": "R-E2", "action": "download" })]);
    let file = &content.files[0];
    assert_eq!((file.content_type.as_str(), file.size), ("audio/mpeg", SOUND.len() as u64));
    let kept = send(world.api(Method::GET, &format!("/attachments/{}", file.sha256))).await?.expect(200)?;
    assert_eq!(kept.body, SOUND);
    Ok(())
}
