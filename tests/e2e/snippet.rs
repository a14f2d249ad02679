//! The script for pages, in a real browser: on a site of its own, within frames, without a network, and where it is not wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Gateway, Setup};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::browser::Browser;

/// A company's site: pages by path, and what was posted to it.
#[derive(Clone, Default)]
struct Pages {
    html: Arc<Mutex<HashMap<String, String>>>,
    posted: Arc<Mutex<Vec<String>>>,
}

struct Site {
    port: u16,
    pages: Pages,
}

impl Site {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, pages) = (listener.local_addr()?.port(), Pages::default());
        let serving = axum::serve(listener, axum::Router::new().fallback(page).with_state(pages.clone()));
        tokio::spawn(async move { serving.await });
        Ok(Self { port, pages })
    }

    fn put(&self, path: &str, body: &str) {
        let html = format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>A site</title>{body}");
        self.pages.html.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), html);
    }

    /// Under one name; under `localhost` it is another origin.
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn elsewhere(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    fn posted(&self) -> Vec<String> {
        self.pages.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn page(State(pages): State<Pages>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if request.method() == axum::http::Method::POST {
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
        pages.posted.lock().unwrap_or_else(PoisonError::into_inner).push(String::from_utf8_lossy(&body).into_owned());
        return Html("<h1>Our own</h1>").into_response();
    }
    let html = pages.html.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    html.map_or_else(|| axum::http::StatusCode::NOT_FOUND.into_response(), |html| Html(html).into_response())
}

/// A gateway, a site whose page `/form` has a form of it, and a browser.
struct Scene {
    world: World,
    site: Site,
    browser: Browser,
    /// The tag as `leadgate sources` prints it, at this gateway's address.
    tag: String,
}

impl Scene {
    async fn new() -> anyhow::Result<Self> {
        let world = World::new(&Setup::default()).await?;
        let site = Site::start().await?;
        let sources = world.get("/sources").await?;
        let printed = sources[0]["script"].as_str().context("sources tell of the script")?;
        let path = printed.find("/in/").context("the tag has an address")?;
        let tag = format!("<script src=\"{}{}", world.gateway.url(""), &printed[path..]);
        let scene = Self { site, browser: Browser::open("en").await?, tag, world };
        scene.site.put("/form", &format!("{}{}", scene.form(""), scene.tag));
        scene.site.put("/land", &format!("<a id=\"on\" href=\"/form\">On</a>{}", scene.tag));
        Ok(scene)
    }

    fn form(&self, attributes: &str) -> String {
        let action = self.world.gateway.action();
        format!(
            "<form id=\"f\" action=\"{action}\" method=\"post\" {attributes}><input name=\"name\" id=\"name\"><input name=\"phone\" id=\"phone\"><input name=\"action\" type=\"hidden\" value=\"\"><button id=\"go\">Send</button></form>"
        )
    }

    /// Waits until the script of the page is at work.
    async fn ready(&self) -> anyhow::Result<()> {
        until("the script", async || {
            let found = self.browser.script("return Object.keys(window).some((name) => name.startsWith('leadgate '))").await?;
            Ok((found == true).then_some(()))
        })
        .await
    }

    async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.browser.go(url).await?;
        self.ready().await
    }

    async fn fill(&self, phone: &str) -> anyhow::Result<()> {
        self.browser.write("#name", "Anna Petrova").await?;
        self.browser.write("#phone", phone).await?;
        self.browser.click("#go").await
    }

    /// What stands in the form's place.
    async fn note(&self, class: &str) -> anyhow::Result<String> {
        let css = format!("p.leadgate-{class}");
        let found = until("the note", async || Ok(self.browser.text(&css).await.ok())).await;
        let page = self.browser.text("body").await.unwrap_or_default();
        found.with_context(|| format!("what is shown instead:\n{page}"))
    }

    /// The lead of a phone, once it is there.
    async fn lead(&self, phone: &str) -> anyhow::Result<Value> {
        let found = until("the lead", async || {
            Ok(self.world.leads().await?.into_iter().find(|lead| lead["phone"] == phone).map(|lead| lead["id"].clone()))
        });
        self.world.get(&format!("/leads/{}", found.await?)).await
    }

    async fn stored(&self, area: &str) -> anyhow::Result<Value> {
        self.browser
            .script(&format!("return Object.fromEntries(Object.entries({area}Storage).map(([k, v]) => [k.split('/in/')[1], v]))"))
            .await
    }
}

fn value<'a>(touch: &'a Value, key: &str) -> Option<&'a str> {
    touch["values"].as_array()?.iter().find(|value| value["key"] == key)?["value"].as_str()
}

#[tokio::test]
async fn it_tells_where_the_visitor_came_from() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let (browser, site) = (&scene.browser, &scene.site);
    let land = site.url("/land?utm_source=ya&UTM_Campaign=spring&yclid=Y1&q=secret");
    scene.open(&land).await?;
    browser.click("#on").await?;
    scene.ready().await?;
    scene.fill("+7 916 400-00-01").await?;
    assert_eq!(scene.note("sent").await?, "We have your message and will answer soon.");
    assert_eq!(browser.script("return location.pathname + document.cookie").await?, "/form", "in place, and no cookie");
    let lead = scene.lead("+7 916 400-00-01").await?;
    let touch = &lead["first_touch"];
    for (key, expected) in [("utm_source", "ya"), ("utm_campaign", "spring"), ("yclid", "Y1")] {
        assert_eq!(value(touch, key), Some(expected), "{touch}");
        assert_eq!(value(&touch["first"], key), Some(expected), "{touch}");
    }
    assert_eq!((&touch["landing"], &touch["page"]), (&json!(land), &json!(site.url("/form"))));
    assert_eq!(touch["referrer"], Value::Null, "the site itself is no referrer: {touch}");
    assert_eq!(lead["timeline"][0]["content"]["fields"].as_array().map_or(0, Vec::len), 0, "{lead}");
    let first_at = touch["first"]["at"].clone();
    assert!(first_at.is_string(), "{touch}");

    // Another campaign: the visit is a new one, the first stays.
    scene.open(&site.url("/form?utm_source=vk&gclid=")).await?;
    scene.fill("+7 916 400-00-02").await?;
    scene.note("sent").await?;
    let touch = scene.lead("+7 916 400-00-02").await?["first_touch"].clone();
    assert_eq!((value(&touch, "utm_source"), value(&touch, "yclid"), value(&touch, "gclid")), (Some("vk"), None, None));
    assert_eq!((value(&touch["first"], "utm_source"), &touch["first"]["at"]), (Some("ya"), &first_at), "{touch}");
    let shown = scene.world.gateway.cli(&["leads", "show", "2"]).await?;
    assert!(shown.contains("first visit") && shown.contains("utm_source=ya"), "{shown}");
    scene.browser.close().await
}

#[tokio::test]
async fn within_frames() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let (browser, site) = (&scene.browser, &scene.site);
    site.put("/same", "<iframe id=\"frame\" src=\"/form\"></iframe>");
    site.put("/other", &format!("<iframe id=\"frame\" src=\"{}\"></iframe>", site.url("/form?utm_source=inner")));
    for (phone, around) in [
        ("+7 916 400-00-11", site.url("/same?utm_source=outer")),
        ("+7 916 400-00-12", site.elsewhere("/other?utm_source=outer")),
    ] {
        browser.go(&around).await?;
        browser.frame(Some("#frame")).await?;
        scene.ready().await?;
        scene.fill(phone).await?;
        scene.note("sent").await?;
        browser.frame(None).await?;
    }
    let touch = scene.lead("+7 916 400-00-11").await?["first_touch"].clone();
    assert_eq!((value(&touch, "utm_source"), &touch["page"]), (Some("outer"), &json!(site.url("/same?utm_source=outer"))));
    let touch = scene.lead("+7 916 400-00-12").await?["first_touch"].clone();
    assert_eq!((value(&touch, "utm_source"), &touch["page"]), (Some("inner"), &json!(site.url("/form?utm_source=inner"))));
    assert_eq!(touch["referrer"], site.elsewhere("/"), "{touch}");
    scene.browser.close().await
}

#[tokio::test]
async fn without_a_network_and_back() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let (browser, site) = (&scene.browser, &scene.site);
    scene.open(&site.url("/form?utm_source=ya")).await?;
    browser.offline(true).await?;
    scene.fill("+7 916 400-00-21").await?;
    assert!(scene.note("queued").await?.contains("No connection"));
    assert_eq!(scene.world.leads().await?.len(), 0);
    let queue = scene.stored("local").await?["queue"].as_str().context("a queue")?.to_owned();
    browser.offline(false).await?;
    let lead = scene.lead("+7 916 400-00-21").await?;
    assert_eq!((value(&lead["first_touch"], "utm_source"), &lead["activities"]), (Some("ya"), &json!(1)));
    let gone = async || Ok(scene.stored("local").await?["queue"].is_null().then_some(()));
    until("the queue's end", gone).await?;

    // The page is left before the network is back; another page of the site sends it.
    scene.open(&site.url("/form")).await?;
    browser.offline(true).await?;
    scene.fill("+7 916 400-00-22").await?;
    scene.note("queued").await?;
    browser.go("about:blank").await?;
    browser.offline(false).await?;
    scene.open(&site.url("/land")).await?;
    scene.lead("+7 916 400-00-22").await?;

    // Sent a second time, for whatever reason, it is a repeat; after a day it is not sent at all.
    until("the queue's end", gone).await?;
    let old = queue.replace("400-00-21", "400-00-29").replace("4000021", "4000029");
    assert_ne!(old, queue);
    let put =
        "const key = Object.keys(localStorage).find((name) => name.endsWith('first')).replace(/first$/, 'queue'); const put = ";
    browser
        .script(&format!(
            "{put}{queue}.concat({old}); put[1][0] = 'old'; put[1][3] -= 864e5; localStorage.setItem(key, JSON.stringify(put))"
        ))
        .await?;
    browser.go(&site.url("/land")).await?;
    until("the queue's end", gone).await?;
    let all = scene.world.all("/submissions").await?;
    let repeats: Vec<_> = all.iter().map(|one| one["repeats"].as_u64().unwrap_or_default()).collect();
    assert_eq!((all.len(), repeats.iter().sum::<u64>()), (2, 1), "{all:?}");
    scene.browser.close().await
}

#[tokio::test]
async fn only_forms_that_are_ours() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let (browser, site) = (&scene.browser, &scene.site);
    let own = |attributes: &str| {
        format!(
            "<form action=\"/own\" method=\"post\" {attributes}><input name=\"name\" value=\"x\"><button id=\"go\">Send</button></form>{}",
            scene.tag
        )
    };
    site.put("/foreign", &own(""));
    site.put("/marked", &own("data-leadgate"));
    for path in ["/foreign?utm_source=ya", "/marked?utm_source=ya"] {
        scene.open(&site.url(path)).await?;
        browser.click("#go").await?;
        until("the site's own answer", async || Ok(browser.text("h1").await.ok())).await?;
    }
    let posted = site.posted();
    assert_eq!(posted[0], "name=x", "nothing is added to it");
    assert!(posted[1].starts_with("name=x&utm_source=ya&landing_page=") && posted[1].contains("&_id="), "{posted:?}");

    // Added after the script; read by the page's own script; sent without an event; with a thank-you page of its own.
    site.put("/empty", &scene.tag);
    let add =
        |attributes: &str| format!("document.body.insertAdjacentHTML('beforeend', {});", Value::from(scene.form(attributes)));
    scene.open(&site.url("/empty?utm_source=later")).await?;
    browser.script(&add("")).await?;
    scene.fill("+7 916 400-00-31").await?;
    scene.note("sent").await?;
    assert_eq!(value(&scene.lead("+7 916 400-00-31").await?["first_touch"], "utm_source"), Some("later"));

    scene.open(&site.url("/empty?utm_source=later")).await?;
    browser.script(&format!("{} window.read = [...new FormData(document.forms[0])].map((pair) => pair[0])", add(""))).await?;
    let read = browser.script("return window.read").await?;
    assert!(read.to_string().contains("_id") && read.to_string().contains("utm_source"), "{read}");
    browser.write("#phone", "+7 916 400-00-32").await?;
    browser.script("HTMLFormElement.prototype.submit.call(document.forms[0])").await?;
    let thanks = until("the thank-you page", async || Ok(browser.text("h1").await.ok())).await?;
    assert_eq!(thanks, "Thank you!");
    assert_eq!(value(&scene.lead("+7 916 400-00-32").await?["first_touch"], "utm_source"), Some("later"));

    scene.open(&site.url("/empty")).await?;
    let next = format!("<input type=\"hidden\" name=\"_next\" value=\"{}\">", site.url("/land"));
    browser.script(&format!("{} document.forms[0].insertAdjacentHTML('beforeend', {});", add(""), Value::from(next))).await?;
    scene.fill("+7 916 400-00-33").await?;
    until("the page that follows", async || Ok((browser.script("return location.pathname").await? == "/land").then_some(())))
        .await?;

    scene.open(&site.url("/empty")).await?;
    let own_words = "addEventListener('leadgate', (event) => { event.preventDefault(); document.title = event.detail.state + ' ' + event.detail.id.length; });";
    browser.script(&format!("{} {own_words}", add(""))).await?;
    scene.fill("+7 916 400-00-34").await?;
    until("the page's own words", async || Ok((browser.script("return document.title").await? == "sent 36").then_some(())))
        .await?;
    assert_eq!(browser.script("return document.forms.length").await?, 1, "the form stays");
    scene.browser.close().await
}

#[tokio::test]
async fn who_will_not_be_tracked_is_not() -> anyhow::Result<()> {
    for asks in ["globalPrivacyControl', { value: true }", "doNotTrack', { value: '1' }"] {
        let scene = Scene::new().await?;
        let (browser, site) = (&scene.browser, &scene.site);
        // What was kept before goes, too.
        scene.open(&site.url("/land?utm_source=before")).await?;
        assert!(scene.stored("local").await?["first"].is_string());
        browser.script("sessionStorage.clear()").await?;
        let source = format!("Object.defineProperty(navigator, '{asks})");
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await?;
        scene.open(&site.url("/land?utm_source=ya")).await?;
        assert_eq!((scene.stored("local").await?, scene.stored("session").await?), (json!({}), json!({})));
        browser.click("#on").await?;
        scene.ready().await?;
        scene.fill("+7 916 400-00-41").await?;
        scene.note("sent").await?;
        let touch = scene.lead("+7 916 400-00-41").await?["first_touch"].clone();
        assert_eq!(touch, json!({ "page": site.url("/form") }), "{asks}");
        assert_eq!((scene.stored("local").await?, scene.stored("session").await?), (json!({}), json!({})));
        scene.browser.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn whatever_fails_the_form_is_sent() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let (browser, site) = (&scene.browser, &scene.site);
    let thanks = async |phone: &str| -> anyhow::Result<Value> {
        scene.fill(phone).await?;
        let heading = until("the thank-you page", async || Ok(browser.text("h1").await.ok())).await;
        let page = browser.text("body").await?;
        assert_eq!(heading.with_context(|| format!("for {phone}; what is shown:\n{page}"))?, "Thank you!");
        scene.lead(phone).await
    };
    // Another script than the page was promised does not run.
    let (before, behind) = scene.tag.split_once("sha384-").context("the tag has a hash")?;
    let forged = format!("{before}sha384-{}{}", "A".repeat(64), &behind[64..]);
    site.put("/forged", &format!("{}{forged}", scene.form("")));
    browser.go(&site.url("/forged?utm_source=ya")).await?;
    let lead = thanks("+7 916 400-00-51").await?;
    assert_eq!(value(&lead["first_touch"], "utm_source"), None, "it did not run: {lead}");

    // A page that may fetch nothing: the form goes the ordinary way, filled in; the next page finds that it has arrived.
    let policy = "<meta http-equiv=\"content-security-policy\" content=\"connect-src 'none'\">";
    site.put("/strict", &format!("{policy}{}{}", scene.form(""), scene.tag));
    scene.open(&site.url("/strict?utm_source=ya")).await?;
    let lead = thanks("+7 916 400-00-52").await?;
    assert_eq!(value(&lead["first_touch"], "utm_source"), Some("ya"));
    browser.go(&site.url("/strict")).await?;
    let due = "const key = Object.keys(localStorage).find((name) => name.endsWith('queue')); const all = JSON.parse(localStorage[key]); \
               all[0][4] = 0; localStorage[key] = JSON.stringify(all); return all.length";
    assert_eq!(browser.script(due).await?, 1, "it is kept until it is known to have arrived");
    browser.go(&site.url("/land")).await?;
    until("the queue's end", async || Ok(scene.stored("local").await?["queue"].is_null().then_some(()))).await?;
    assert_eq!(scene.lead("+7 916 400-00-52").await?["activities"], 1);

    // Nothing may be stored: a frame in a sandbox.
    site.put("/sandbox", "<iframe id=\"frame\" sandbox=\"allow-scripts allow-forms\" src=\"/form\"></iframe>");
    browser.go(&site.url("/sandbox")).await?;
    browser.frame(Some("#frame")).await?;
    scene.ready().await?;
    scene.fill("+7 916 400-00-53").await?;
    scene.note("sent").await?;
    scene.lead("+7 916 400-00-53").await?;
    scene.browser.close().await
}

#[tokio::test]
async fn the_demo_page_has_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start_shipped(folder.path()).await?;
    let browser = Browser::open("en").await?;
    browser.go(&gateway.url("/demo?utm_source=test")).await?;
    let shown = browser.text("#snippet").await?;
    assert!(shown.contains("integrity=\"sha384-") && !shown.contains("utm_source"), "{shown}");
    until("the script", async || {
        let found = browser.script("return Object.keys(window).some((name) => name.startsWith('leadgate '))").await?;
        Ok((found == true).then_some(()))
    })
    .await?;
    browser.write("#name", "Anna Petrova").await?;
    browser.write("#phone", "+7 916 400-00-61").await?;
    browser.click("input[name=consent]").await?;
    browser.click("button[type=submit]").await?;
    let told = until("the note", async || Ok(browser.text("p.leadgate-sent").await.ok())).await?;
    assert!(told.contains("We have your message"), "{told}");
    let lead: Value = serde_json::from_str(&gateway.cli(&["leads", "show", "1", "--json"]).await?)?;
    assert_eq!(value(&lead["first_touch"], "utm_source"), Some("test"), "{lead}");
    assert_eq!(lead["first_touch"]["landing"], gateway.url("/demo?utm_source=test"), "{lead}");
    browser.close().await
}

#[tokio::test]
async fn it_is_small_and_stays_what_it_is() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let plain = send(world.web.get(world.gateway.url("/in/site/snippet.js?v=1"))).await?.expect(200)?;
    assert!(plain.body.len() < 4096, "{} bytes", plain.body.len());
    let told = world.get("/sources").await?[0]["script"].as_str().context("a tag")?.to_owned();
    let name = told.split("/in/site/").nth(1).and_then(|rest| rest.split('"').next()).context("a name")?;
    let fixed = send(world.web.get(world.gateway.url(&format!("/in/site/{name}")))).await?.expect(200)?;
    assert_eq!((fixed.header("cache-control"), &fixed.body), ("public, max-age=31536000, immutable", &plain.body));
    assert_eq!(fixed.header("access-control-allow-origin"), "*");
    let head = send(world.web.head(world.gateway.url("/in/site/snippet.js"))).await?.expect(200)?;
    assert_eq!((head.body.len(), head.header("content-type")), (0, "text/javascript; charset=utf-8"));
    let known = world.web.get(world.gateway.url("/in/site/snippet.js")).header("if-none-match", plain.header("etag"));
    assert_eq!(send(known).await?.expect(304)?.body.len(), 0);
    for gone in ["/in/nobody/snippet.js", "/in/site/snippet.0000000000000000.js", "/in/site/snippet.js/x"] {
        send(world.web.get(world.gateway.url(gone))).await?.expect(404)?;
    }
    send(world.web.post(world.gateway.url("/in/site/snippet.js"))).await?.expect(404)?;
    let source = world.get("/sources").await?[0].clone();
    assert_eq!((&source["id"], &source["health"]["last_accepted"]), (&json!("site"), &Value::Null), "reading it is no delivery");
    let made = world.gateway.cli(&["source", "new", "html_form", "--id", "second"]).await?;
    assert!(made.contains("/in/second/snippet.") && made.contains("integrity=\"sha384-"), "{made}");
    Ok(())
}
