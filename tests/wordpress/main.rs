//! A real WordPress in front of a real gateway: forms go through WordPress's own HTTP client, with its time limit, its encoding,
//! its redirects and its idea of a safe address.

mod site;

use std::sync::Arc;

use anyhow::ensure;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::{Gateway, Setup, free_port};
use serde_json::{Value, json};
use site::Site;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const TOKEN: &str = "wordpress-token-0123456789";
const PATH: &str = "/in/wp/wordpress-token-0123456789";
/// WordPress gives up after 5 s; the rest is for a busy machine.
const PATIENCE: std::ops::Range<f64> = 4.9..9.0;

fn setup() -> Setup {
    Setup { more: format!("[sources.wp]\nkind = \"wordpress\"\ntoken = \"{TOKEN}\"\n"), ..Setup::default() }
}

/// What Contact Form 7's webhook sends.
fn contact_form(number: u32) -> Value {
    json!({
        "_url": "https://shop.example/kontakty/?utm_source=yandex&yclid=5",
        "your-name": "Анна \"Аня\" О’Нил",
        "your-phone": format!("+7 916 700-00-{number:02}"),
        "your-message": "строка 1\nстрока 2 / конец",
        "topics": ["CRM", "Bot"],
    })
}

fn by_json(url: &str, fields: &Value) -> Value {
    json!({ "url": url, "format": "json", "fields": fields })
}

/// What Elementor sends with Advanced Data on, as the array it gives to WordPress.
fn elementor() -> Value {
    let field = |id: &str, kind: &str, title: &str, value: &str| json!({ "id": id, "type": kind, "title": title, "value": value, "raw_value": value, "required": "1" });
    json!({
        "form": { "id": "5f0c1d2", "name": "New Form" },
        "fields": {
            "name": field("name", "text", "Имя ", "Анна & Ко + 1=2"),
            "email": field("email", "email", "E-mail", "anna@petrova.example.org"),
            "field_9": field("field_9", "tel", "", "+7 (916) 700-00-50"),
            "boats": { "id": "boats", "type": "checkbox", "title": "Лодки", "value": "", "raw_value": ["Катер", "Яхта"], "required": "0" },
            "text": field("text", "textarea", "Вопрос", "a\r\nb [c] %41 <b>"),
        },
        "meta": {
            "page_url": { "title": "Page URL", "value": "https://shop.example/?utm_source=ya&utm_medium=cpc" },
            "remote_ip": { "title": "Remote IP", "value": "203.0.113.7" },
        },
    })
}

fn typed(lead: &Value, kind: &str) -> Vec<String> {
    let values = lead["timeline"][0]["content"]["values"].as_array().cloned().unwrap_or_default();
    values.iter().filter(|value| value["kind"] == kind).filter_map(|value| value["typed"].as_str().map(str::to_owned)).collect()
}

/// The one lead there is, of one activity, with so many repeats.
async fn only_lead(world: &World, repeats: u64) -> anyhow::Result<Value> {
    let lead = world.only_lead().await?;
    let kept = world.all("/submissions").await?;
    assert_eq!((&lead["activities"], kept.len(), &kept[0]["repeats"]), (&json!(1), 1, &json!(repeats)), "{kept:?}");
    Ok(lead)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_become_leads_once() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let world = World::new(&setup()).await?;
    let form = by_json(&world.gateway.url(PATH), &contact_form(1));
    for _ in 0..3 {
        let sent = site.submit(&form).await?;
        ensure!(sent.is_success(), "{sent:?}");
    }
    let lead = only_lead(&world, 2).await?;
    assert_eq!((&lead["name"], typed(&lead, "phone")), (&json!("Анна \"Аня\" О’Нил"), vec!["+7 916 700-00-01".to_owned()]));
    let text = lead.to_string();
    // The site is named; its Referer, which is our own address, is no page.
    assert!(text.contains(&site.url) && !text.contains(TOKEN), "{text}");
    assert_eq!(lead["first_touch"]["page"], "https://shop.example/kontakty/?utm_source=yandex&yclid=5");

    // PHP's own encoding of nested arrays.
    let world = World::new(&setup()).await?;
    for path in [PATH.to_owned(), format!("{PATH}/")] {
        let sent = site.submit(&json!({ "url": world.gateway.url(&path), "format": "form", "fields": elementor() })).await?;
        ensure!(sent.is_success(), "{sent:?}");
    }
    let lead = only_lead(&world, 1).await?;
    assert_eq!(
        (&lead["name"], typed(&lead, "phone"), typed(&lead, "email")),
        (&json!("Анна & Ко + 1=2"), vec!["+7 (916) 700-00-50".to_owned()], vec!["anna@petrova.example.org".to_owned()])
    );
    let text = lead.to_string();
    for part in ["Катер, Яхта", "a\\nb [c] %41 <b>", "utm_medium", "Elementor"] {
        assert!(text.contains(part), "{part} in {text}");
    }

    // A delivery by GET: WordPress puts the fields into the address.
    let world = World::new(&setup()).await?;
    let form = json!({ "url": world.gateway.url(PATH), "format": "form", "method": "GET", "fields": contact_form(2) });
    for _ in 0..2 {
        let sent = site.submit(&form).await?;
        ensure!(sent.is_success(), "{sent:?}");
    }
    assert_eq!(typed(&only_lead(&world, 1).await?, "phone"), ["+7 916 700-00-02"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_safe_addresses_and_no_redirects() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let world = World::new(&setup()).await?;
    // Elementor, Forminator and Jetpack ask for a safe address: this machine and this port are none, unless the owner says so.
    let mut form = by_json(&world.gateway.url(PATH), &contact_form(3));
    form["client"] = "safe".into();
    let sent = site.submit(&form).await?;
    assert!(sent.error.as_deref().is_some_and(|error| error.contains("valid URL")), "{sent:?}");
    form["trusted"] = true.into();
    let sent = site.submit(&form).await?;
    ensure!(sent.is_success(), "{sent:?}");
    only_lead(&world, 0).await?;

    // What a proxy's redirects make of a form. With 301, 307 and 308 WordPress posts again; 302 and 303 become a GET that still
    // carries the form: it is taken all the same.
    for status in [301, 302, 303, 307, 308] {
        let world = World::new(&setup()).await?;
        let proxy = redirector(status, &world.gateway.url(PATH)).await?;
        let sent = site.submit(&json!({ "url": proxy, "format": "form", "fields": contact_form(4) })).await?;
        ensure!(sent.is_success(), "{status}: {sent:?}");
        assert_eq!(typed(&only_lead(&world, 0).await?, "phone"), ["+7 916 700-00-04"], "{status}");
    }
    // The gateway itself sends nobody anywhere.
    for path in ["/in/wp", "/in/wp/wrong", "/in/nobody/x"] {
        let sent = site.submit(&by_json(&world.gateway.url(path), &contact_form(5))).await?;
        assert_eq!((sent.status, sent.error.as_deref()), (Some(404), None), "{path}");
    }
    Ok(())
}

/// Where a redirector sends everybody, and how.
type Elsewhere = (StatusCode, [(HeaderName, HeaderValue); 1]);

/// A server that sends everybody to `to`.
async fn redirector(status: u16, to: &str) -> anyhow::Result<String> {
    let elsewhere: Elsewhere =
        (StatusCode::from_u16(status)?, [(HeaderName::from_static("location"), HeaderValue::from_str(to)?)]);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let app = Router::new().fallback(async |State(elsewhere): State<Elsewhere>| elsewhere).with_state(elsewhere);
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_makes_people_send_again_and_one_lead() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let world = World::new(&setup()).await?;
    let line = SlowLine::to(&world).await?;
    let form = |url: String| by_json(&url, &contact_form(6));
    // The line holds the call back until WordPress has given up; then the gateway gets it after all.
    let sent = site.submit(&form(line.url.clone())).await?;
    assert!(sent.error.as_deref().is_some_and(|error| error.contains("timed out")), "{sent:?}");
    assert!(PATIENCE.contains(&sent.seconds), "it waited {} s", sent.seconds);
    line.release.notify_one();
    until("the late delivery", async || Ok((!world.leads().await?.is_empty()).then_some(()))).await?;
    // The visitor saw an error and sends again.
    let sent = site.submit(&form(world.gateway.url(PATH))).await?;
    ensure!(sent.is_success(), "{sent:?}");
    only_lead(&world, 1).await?;
    Ok(())
}

/// A line to a gateway that lets the first connection wait.
struct SlowLine {
    url: String,
    release: Arc<Notify>,
}

impl SlowLine {
    async fn to(world: &World) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}{PATH}", listener.local_addr()?);
        let (release, gateway) = (Arc::new(Notify::new()), world.gateway.address);
        let released = Arc::clone(&release);
        tokio::spawn(async move {
            let (mut caller, _) = listener.accept().await?;
            released.notified().await;
            let mut gateway = TcpStream::connect(gateway).await?;
            // The caller is gone by now, and what it sent is not.
            copy_bidirectional(&mut caller, &mut gateway).await
        });
        Ok(Self { url, release })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_down_is_an_error_at_once_and_nothing_is_half_kept() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let folder = tempfile::tempdir()?;
    let nobody = format!("http://127.0.0.1:{}{PATH}", free_port()?);
    let sent = site.submit(&by_json(&nobody, &contact_form(7))).await?;
    assert!(sent.error.is_some() && sent.seconds < PATIENCE.start, "{sent:?}");

    let world = World::in_folder(folder, &setup()).await?;
    let form = by_json(&world.gateway.url(PATH), &contact_form(7));
    ensure!(site.submit(&form).await?.is_success());
    let World { folder, gateway, .. } = world;
    gateway.kill().await?;
    let sent = site.submit(&form).await?;
    assert!(sent.error.is_some() && sent.seconds < PATIENCE.start, "{sent:?}");

    // It starts again on another port with what it had acknowledged; the visitor sends once more.
    let gateway = Gateway::start(folder.path(), &setup()).await?;
    let again = by_json(&gateway.url(PATH), &contact_form(7));
    ensure!(site.submit(&again).await?.is_success());
    gateway.stop().await?;
    let world = World::in_folder(folder, &setup()).await?;
    only_lead(&world, 1).await?;
    Ok(())
}
