use jiff::SignedDuration;
use leadgate_core::ids::LeadId;
use serde_json::json;

use super::*;
use crate::onward::links::{Deed, OPEN_LASTS};

const PEOPLE: &str =
    "[[managers]]\nid = \"anna\"\nname = \"Anna <b>A</b>\"\n[sources.pbx]\nkind = \"itoolabs\"\nrecording_after = \"1 h\"\n";
const EVIL: &str = "<script>alert(1)</script>\u{202e}\"'";

async fn rig(now: &str) -> Rig {
    let clock = Clock::manual(now.parse().unwrap(), 7);
    let server = "public_url = \"https://leads.example.com\"";
    let rig = Rig::in_folder_at(tempfile::tempdir().unwrap(), server, PEOPLE, clock);
    assert!(rig.gateway.store().await.is_some());
    rig
}

impl Rig {
    async fn link(&self, by: &str) -> String {
        let url = self.gateway.open_url(LeadId(1), by, self.gateway.clock.now()).await.unwrap();
        url.strip_prefix("https://leads.example.com").unwrap().to_owned()
    }

    async fn page(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("referrer-policy"), header("cache-control")), ("no-referrer".to_owned(), "no-store".to_owned()));
        assert!(header("content-security-policy").starts_with("default-src 'none';"));
        (answer.status(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_link_shows_a_lead_and_changes_nothing() {
    let rig = rig("2026-11-21T10:00:00Z").await;
    let form = [
        ("name", EVIL),
        ("phone", "+7 916 123-45-67"),
        ("email", "vera@firma-mail.ru"),
        ("message", "one\n</p><img src=x onerror=alert(1)>"),
        ("Size <i>", "\"><svg onload=alert(1)>"),
        ("utm_source", "vk<script>"),
    ];
    assert!(rig.post(&format!("/in/site/{TOKEN}"), &form).await.status().is_success());
    rig.ask("/leads/1/notes", &json!({ "text": "call <u>later</u>" })).await;
    rig.ask("/leads/1/take", &json!({ "manager": "anna" })).await;
    let before = rig.get("/leads/1").await;
    let (status, page) = rig.page(&rig.link("anna").await).await;
    assert_eq!(status, StatusCode::OK);
    for wanted in [
        "href=\"tel:+79161234567\"",
        "href=\"mailto:vera@firma-mail.ru\"",
        "in work",
        "2026-11-21 13:00",
        "Campaign source",
        "vk&#60;script&#62;",
        "call &#60;u&#62;later",
        "Anna &#60;b&#62;A",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    for evil in ["<script", "<img", "<svg", "<i>", "<u>", "<b>", "\u{202e}"] {
        assert!(!page.contains(evil), "{evil}: {page}");
    }
    let (newest, oldest) = (page.find("call &#60;u&#62;later").unwrap(), page.find("onerror").unwrap());
    assert!(newest < oldest, "the newest is on top");
    assert_eq!(rig.client.head(rig.url(&rig.link("anna").await)).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(rig.client.post(rig.url(&rig.link("anna").await)).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(rig.get("/leads/1").await, before, "looking changes nothing");
    rig.stop().await;
}

#[tokio::test]
async fn a_link_that_is_none_says_so() {
    let rig = rig("2026-11-21T10:00:00Z").await;
    assert!(rig.post(&format!("/in/site/{TOKEN}"), &[("phone", "+7 916 123-45-67")]).await.status().is_success());
    let link = rig.link("anna").await;
    let (payload, mac) = link.split_once('.').unwrap();
    let cut = format!("{payload}.{}", &mac[1..]);
    let changed = format!("{}A{}.{mac}", &payload[..8], &payload[9..]);
    let act = rig.gateway.signer().await.unwrap().path(Deed::Take(LeadId(1)), "anna", rig.gateway.clock.now()).unwrap();
    for forged in [cut, changed, act.replace("/act/", "/open/"), "/open/x.y".to_owned()] {
        let (status, page) = rig.page(&forged).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{forged}");
        assert!(page.contains("There is no such link") && !page.contains("916"), "{page}");
    }
    let acting = rig.client.post(rig.url(&link.replace("/open/", "/act/"))).send().await.unwrap();
    assert_eq!(acting.status(), StatusCode::NOT_FOUND, "what shows a lead does not act");
    for stranger in ["boris", "boss@example.com", "telegram:bot:-1001", "telegram:"] {
        assert_eq!(rig.page(&rig.link(stranger).await).await.0, StatusCode::FORBIDDEN, "{stranger}");
    }
    let of_no_lead = rig.gateway.open_url(LeadId(99), "anna", rig.gateway.clock.now()).await.unwrap();
    assert_eq!(rig.page(of_no_lead.strip_prefix("https://leads.example.com").unwrap()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(rig.page(&link).await.0, StatusCode::OK);
    rig.gateway.clock.advance(OPEN_LASTS + SignedDuration::from_secs(1));
    let (status, page) = rig.page(&link).await;
    assert_eq!(status, StatusCode::GONE);
    assert!(page.contains("time of this link is over"), "{page}");
    rig.stop().await;
}

#[tokio::test]
async fn a_call_is_shown_with_where_its_recording_lies() {
    let rig = rig("2026-11-21T10:00:00Z").await;
    let path = rig.gateway.live().source("pbx").unwrap().path();
    let call = [
        ("cmd", "history"),
        ("callid", "C1"),
        ("phone", "79161234567"),
        ("diversion", "74951234567"),
        ("type", "in"),
        ("status", "Success"),
        ("user", "ivanov"),
        ("start", "20261121T095900Z"),
        ("duration", "65"),
        ("link", "https://records.megapbx.ru/C1.mp3?a=1&b=\"><script>"),
    ];
    assert!(rig.post(&path, &call).await.status().is_success());
    let (status, page) = rig.page(&rig.link("anna").await).await;
    assert_eq!(status, StatusCode::OK);
    for wanted in [
        "Incoming call, answered to 74951234567, answered by ivanov, talked 1:05</p>",
        "<a href=\"https://records.megapbx.ru/C1.mp3?a=1&#38;b=%22%3E%3Cscript%3E\" rel=\"noreferrer noopener nofollow\"",
        ">C1.mp3</a>",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(!page.contains("<script"), "{page}");
    rig.stop().await;
}
