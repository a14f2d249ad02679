//! A form with a captcha: its service over a real socket, answering as services do, late, wrong, or not at all.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::{Setup, free_port};
use serde_json::Value;
use tokio::net::TcpListener;

/// What a service was sent.
type Heard = Arc<Mutex<Vec<String>>>;

/// A service that answers by the token it is asked about.
struct Service {
    port: u16,
    heard: Heard,
}

impl Service {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, heard) = (listener.local_addr()?.port(), Heard::default());
        let app = axum::Router::new().route("/siteverify", post(siteverify)).route("/validate", post(validate));
        let serving = axum::serve(listener, app.with_state(Arc::clone(&heard)));
        tokio::spawn(async move { serving.await });
        Ok(Self { port, heard })
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn hear(heard: &Heard, body: String) -> String {
    let token = body.split('&').find_map(|pair| pair.strip_prefix("response=").or_else(|| pair.strip_prefix("token=")));
    let token = token.unwrap_or_default().to_owned();
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    token
}

/// As Turnstile, hCaptcha and reCAPTCHA answer.
async fn siteverify(State(heard): State<Heard>, body: String) -> Response {
    let answer = match hear(&heard, body).as_str() {
        "good" => r#"{"success":true,"challenge_ts":"2026-11-21T09:00:00Z","hostname":"shop.example","score":0.9}"#,
        "low" => r#"{"success":true,"challenge_ts":"2026-11-21T09:00:00Z","hostname":"shop.example","score":0.1}"#,
        "bad" => r#"{"success":false,"error-codes":["invalid-input-response"]}"#,
        "key" => r#"{"success":false,"error-codes":["invalid-input-secret"]}"#,
        "nonsense" => "<html>maintenance</html>",
        "long" => return "x".repeat(1 << 20).into_response(),
        "away" => return (StatusCode::FOUND, [("location", "http://169.254.169.254/latest/meta-data")]).into_response(),
        "slow" => return std::future::pending().await,
        _ => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    ([("content-type", "application/json")], answer).into_response()
}

/// As Yandex `SmartCaptcha` answers.
async fn validate(State(heard): State<Heard>, body: String) -> Response {
    let answer = match hear(&heard, body).as_str() {
        "good" => r#"{"status":"ok","message":"","host":"shop.example"}"#,
        "bad" => r#"{"status":"failed","message":"Invalid or expired Token."}"#,
        _ => return (StatusCode::FORBIDDEN, r#"{"status":"failed","message":"Authentication failed."}"#).into_response(),
    };
    ([("content-type", "application/json")], answer).into_response()
}

async fn world(kind: &str, url: &str, inner: &str) -> anyhow::Result<World> {
    let usual = Setup::default();
    let captcha = format!("captcha = {{ kind = \"{kind}\", secret = \"server-key\", url = \"{url}\" }}");
    let setup = Setup { site: format!("{}\n{captcha}", usual.site), server: format!("inner_services = [\"{inner}\"]"), ..usual };
    World::new(&setup).await
}

/// The newest lead, in full.
async fn newest(world: &World) -> anyhow::Result<Value> {
    let leads = world.leads().await?;
    let newest = leads.first().context("there is a lead")?;
    world.get(&format!("/leads/{}", newest["id"])).await
}

/// Sends a form with an answer; whether the lead is suspect, and why.
async fn suspect(world: &World, n: usize, field: &str, token: &str) -> anyhow::Result<(bool, String)> {
    let phone = format!("+7 916 300-00-{n:02}");
    world.form(&[("name", "Анна"), ("phone", &phone), (field, token), ("_id", &n.to_string())]).await?.expect(200)?;
    let lead = newest(world).await?;
    assert_eq!(lead["phone"], phone.as_str(), "{lead}");
    let raw = world.raw(&lead["timeline"][0]["submission"]).await?;
    assert!(!raw.contains(token) && !lead["timeline"][0]["content"].to_string().contains(token), "the answer is kept: {raw}");
    Ok((lead["suspect"] == true, lead["timeline"][0]["reasons"].to_string()))
}

#[tokio::test]
async fn every_service_is_asked_in_its_own_words() -> anyhow::Result<()> {
    for (kind, path, field) in [
        ("turnstile", "siteverify", "cf-turnstile-response"),
        ("hcaptcha", "siteverify", "h-captcha-response"),
        ("recaptcha", "siteverify", "g-recaptcha-response"),
        ("smartcaptcha", "validate", "smart-token"),
    ] {
        let service = Service::start().await?;
        let inner = format!("127.0.0.1:{}", service.port);
        let world = world(kind, &format!("http://{inner}/{path}"), &inner).await?;
        assert!(!suspect(&world, 1, field, "good").await?.0, "{kind}");
        let (flagged, why) = suspect(&world, 2, field, "bad").await?;
        assert!(flagged && why.contains("the captcha was not solved"), "{kind}: {why}");
        let token = if kind == "smartcaptcha" { "token" } else { "response" };
        assert_eq!(service.heard(), [format!("secret=server-key&{token}=good"), format!("secret=server-key&{token}=bad")]);
        if kind == "recaptcha" {
            let (flagged, why) = suspect(&world, 3, field, "low").await?;
            assert!(flagged && why.contains("0.1"), "{why}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_does_not_help_costs_no_lead() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let inner = format!("127.0.0.1:{}", service.port);
    let reached = world("turnstile", &format!("http://{inner}/siteverify"), &inner).await?;
    for (n, token) in ["key", "nonsense", "long", "away", "slow", "error"].into_iter().enumerate() {
        let (flagged, why) = suspect(&reached, n, "cf-turnstile-response", token).await?;
        assert!(flagged && why.contains("the captcha could not be checked"), "{token}: {why}");
    }
    // Nobody listens; a name that nobody has; a service inside that was not named as one.
    let gone = free_port()?;
    for url in [format!("http://127.0.0.1:{gone}/"), "https://captcha.invalid/".to_owned(), format!("http://{inner}/siteverify")]
    {
        let world = world("turnstile", &url, &format!("127.0.0.1:{gone}")).await?;
        let (flagged, why) = suspect(&world, 50, "cf-turnstile-response", "good").await?;
        assert!(flagged && why.contains("the captcha could not be checked"), "{url}: {why}");
        let log = world.gateway.log()?;
        assert!(log.contains("could not be checked") && !log.contains("server-key"), "{log}");
    }
    assert_eq!(service.heard().len(), 6, "the one that was not named was not called");
    Ok(())
}

#[tokio::test]
async fn without_an_answer_the_form_is_sent_again() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let inner = format!("127.0.0.1:{}", service.port);
    let world = world("turnstile", &format!("http://{inner}/siteverify"), &inner).await?;
    let fields = [("name", "Анна <b>"), ("phone", "+7 916 300-00-60"), ("message", "Перезвоните")];
    let request = world.web.post(world.gateway.action()).header("accept-language", "ru").form(&fields);
    let page = send(request).await?.expect(422)?.text();
    assert!(page.contains("не робот") && page.contains("Перезвоните") && page.contains("&#60;b&#62;"), "{page}");
    assert_eq!((world.leads().await?.len(), service.heard().len()), (0, 0));
    // The same form again, with an answer, and then by an impatient finger: one lead, one question more that is not needed.
    let again = [fields.as_slice(), &[("cf-turnstile-response", "good"), ("_id", "1")]].concat();
    for _ in 0..2 {
        world.form(&again).await?.expect(200)?;
    }
    assert_eq!(world.only_lead().await?["suspect"], false);
    // A test of the owner's asks nobody.
    let before = service.heard().len();
    world.gateway.cli(&["send"]).await?;
    assert_eq!(service.heard().len(), before);
    Ok(())
}
