//! What the gateway sends itself by its public address: expected, missed, back again, and never a lead. The clock is moved by hand.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::onward::canary::HEADER;

const CANARY: &str = "canary = \"1 h\"\n[webhooks.crm]\nurl = \"http://127.0.0.1:1/hook\"\nevents = [\"*\"]\n";

fn server(public_url: &str) -> String {
    format!("inner_services = [\"127.0.0.1\"]\npublic_url = \"{public_url}\"")
}

impl Rig {
    /// The events a webhook with every pattern hears of canaries, oldest first.
    async fn told(&self) -> Vec<Value> {
        let jobs = self.get("/outbox?target=webhook:crm").await;
        let jobs = jobs["items"].as_array().unwrap().iter().rev().map(|job| job["event"].clone());
        jobs.filter(|event| event.as_str().unwrap().starts_with("canary.")).collect()
    }

    async fn canaries(&self, state: &str) -> Vec<Value> {
        self.get(&format!("/outbox?target=canary&state={state}")).await["items"].as_array().unwrap().clone()
    }

    /// Whether the newest was sent in vain.
    async fn is_tried(&self) -> bool {
        self.canaries("waiting").await.first().is_some_and(|job| job["attempts"].as_u64() > Some(0))
    }

    async fn lost(&self) -> Option<Value> {
        let alarms = self.get("/alarms").await;
        alarms.as_array().unwrap().iter().find(|alarm| alarm["name"] == "canary.lost").cloned()
    }

    async fn is_expected(&self) -> bool {
        let ever = self.gateway.clock.now() + SignedDuration::from_hours(1000);
        let timers = self.gateway.store().await.unwrap().due_timers(ever, 100).await.unwrap();
        timers.iter().any(|timer| timer.kind == "canary.expected" && timer.key == "site")
    }

    async fn leads_and_submissions(&self) -> (usize, usize) {
        let count = async |path: &str| self.get(path).await["items"].as_array().unwrap().len();
        (count("/leads").await, count("/submissions").await)
    }

    fn pass(&self, minutes: i64) {
        self.gateway.clock.advance(SignedDuration::from_mins(minutes));
    }

    async fn public_url(&self, url: &str) {
        write_config(self.folder.path(), &server(url), CANARY);
        self.gateway.reload().await.unwrap();
    }
}

#[tokio::test]
async fn a_form_s_canary_that_does_not_come_back_is_told_until_one_does() {
    let clock = Clock::manual("2026-11-21T10:00:00Z".parse().unwrap(), 7);
    // Nobody listens there.
    let rig = Rig::in_folder_at(tempfile::tempdir().unwrap(), &server("http://127.0.0.1:1"), CANARY, clock);
    rig.until("it was tried", async || rig.is_tried().await).await;
    assert!(rig.is_expected().await);
    assert_eq!(rig.lost().await, None, "it may still come");

    rig.pass(11);
    rig.until("it is missed", async || rig.lost().await.is_some()).await;
    let alarm = rig.lost().await.unwrap();
    assert_eq!((&alarm["key"], &alarm["since"]), (&json!("site"), &json!("2026-11-21T10:00:00Z")), "{alarm}");
    assert!(alarm["detail"]["words"].as_str().unwrap().contains("refused"), "{alarm}");
    assert_eq!(rig.told().await, ["canary.lost"], "that one is due is nobody's business");

    rig.public_url(&rig.url("")).await;
    rig.pass(60);
    rig.until("it is back", async || rig.lost().await.is_none()).await;
    rig.until("nothing waits", async || rig.canaries("done").await.len() == 2).await;
    assert!(!rig.is_expected().await);
    assert_eq!(rig.told().await, ["canary.lost", "canary.returned"]);
    let done = rig.canaries("done").await;
    assert_eq!(
        (&done[0]["words"], &done[0]["to"], &done[0]["event"]),
        (&json!("200"), &json!("canary:site"), &json!("canary.due"))
    );
    assert_eq!(done[1]["words"], "its time is over: the next one is due");
    assert_eq!(rig.leads_and_submissions().await, (0, 0));
    assert!(rig.get("/sources").await[0]["health"].is_null());

    // Where it is not wanted any more, nothing stays wrong.
    rig.public_url("http://127.0.0.1:1").await;
    rig.pass(60);
    rig.until("it was tried", async || rig.is_tried().await).await;
    rig.pass(11);
    rig.until("it is missed", async || rig.lost().await.is_some()).await;
    write_config(rig.folder.path(), &server("http://127.0.0.1:1"), "");
    rig.gateway.reload().await.unwrap();
    rig.pass(60);
    rig.until("it is forgotten", async || rig.lost().await.is_none()).await;
    assert!(!rig.is_expected().await);
    rig.stop().await;
}

#[tokio::test]
async fn only_the_gateway_s_own_mark_keeps_a_form_from_being_a_lead() {
    let rig = Rig::start().await;
    let (site, now) = ("site".parse().unwrap(), rig.gateway.clock.now());
    let signer = rig.gateway.signer().await.unwrap();
    let mark = signer.canary(&site, now).unwrap();
    let post = async |path: &str, mark: &str| {
        let form = [("name", "Anna"), ("phone", "+79161234567")];
        rig.client.post(rig.url(path)).header(HEADER, mark).form(&form).send().await.unwrap().status()
    };
    assert_eq!(post(&form_path(), &mark).await, 200);
    assert_eq!(post("/in/site/another-token-of-nobody", &mark).await, 404);
    assert_eq!(post(&form_path(), &signer.canary(&"info".parse().unwrap(), now).unwrap()).await, 404, "of another source");
    assert_eq!(rig.leads_and_submissions().await, (0, 0));
    let forged = format!("site.{}.{}", now.as_second(), "0".repeat(32));
    assert!(post(&form_path(), &forged).await.is_success());
    assert_eq!(rig.leads_and_submissions().await, (1, 1));
    rig.stop().await;
}
