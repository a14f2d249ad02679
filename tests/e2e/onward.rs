//! Others are told: by webhooks that fail, are gone, lead astray or never end, and do not delay each other.

use jiff::SignedDuration;
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::{Setup, free_port};
use leadgate_tests::receiver::{Receiver, Reply};
use leadgate_tests::smtp::Smtp;
use serde_json::Value;

const PHONE: &str = "+7 916 123-45-67";

/// A gateway that may call these ports of this machine.
pub(crate) fn setup(ports: &[u16], more: &str) -> Setup {
    let inner: Vec<String> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    Setup { server: format!("inner_services = [{}]", inner.join(", ")), more: more.to_owned(), ..Setup::default() }
}

/// A gateway that tells this receiver of new leads.
async fn telling(receiver: &Receiver, more: &str) -> anyhow::Result<World> {
    let section = receiver.section("crm", &format!("events = [\"lead.created\"]\n{more}"));
    World::new(&setup(&[receiver.port], &section)).await
}

pub(crate) async fn lead(world: &World, phone: &str) -> anyhow::Result<()> {
    world.form(&[("name", "Anna"), ("phone", phone)]).await?.expect(200).map(|_| ())
}

/// The one delivery of a target, once it is as it should be.
async fn job(world: &World, target: &str, is: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let what = format!("the delivery to {target}");
    until(&what, async || Ok(world.all(&format!("/outbox?target={target}")).await?.into_iter().find(&is))).await
}

#[tokio::test]
async fn what_failed_comes_again_with_the_same_id() -> anyhow::Result<()> {
    let receiver = Receiver::start(|n, _| Reply::status(if n == 0 { 500 } else { 200 })).await?;
    let world = telling(&receiver, "").await?;
    lead(&world, PHONE).await?;
    let calls = receiver.expect(2).await?;
    assert_eq!(calls[0].id(), calls[1].id());
    assert_eq!(calls[0].json(), calls[1].json(), "nothing has changed meanwhile");
    let waited = calls[1].at.duration_since(calls[0].at);
    assert!(waited >= SignedDuration::from_secs(3), "not at once: {waited:?}");
    let job = job(&world, "webhook:crm", |job| job["state"] == "done").await?;
    assert_eq!((&job["attempts"], &job["id"], &job["words"]), (&2.into(), &calls[0].id().into(), &"answered 200".into()));
    Ok(())
}

#[tokio::test]
async fn a_target_is_left_alone_for_as_long_as_it_asks() -> anyhow::Result<()> {
    let busy = |n: usize, _: &_| if n == 0 { Reply::Status(429, "retry-after: 9\r\n".to_owned()) } else { Reply::status(204) };
    let receiver = Receiver::start(busy).await?;
    let world = telling(&receiver, "").await?;
    lead(&world, PHONE).await?;
    receiver.expect(1).await?;
    job(&world, "webhook:crm", |job| job["words"] == "answered 429" && job["state"] == "waiting").await?;
    lead(&world, "+7 916 123-45-68").await?;
    let calls = receiver.expect(3).await?;
    for call in &calls[1..] {
        let waited = call.at.duration_since(calls[0].at);
        assert!(waited >= SignedDuration::from_millis(8_900), "neither this one nor another: {waited:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_is_gone_is_told_of_and_asked_when_somebody_says_so() -> anyhow::Result<()> {
    let receiver = Receiver::start(|n, _| Reply::status(if n == 0 { 410 } else { 204 })).await?;
    let world = telling(&receiver, "").await?;
    lead(&world, PHONE).await?;
    let alarm = until("the alarm", async || {
        let alarms = world.get("/alarms").await?;
        Ok(alarms.as_array().and_then(|alarms| alarms.first()).cloned())
    })
    .await?;
    assert_eq!((&alarm["name"], &alarm["key"]), (&"webhook.broken".into(), &"webhook:crm".into()), "{alarm}");
    lead(&world, "+7 916 123-45-68").await?;
    let waiting = async || Ok(Some(world.all("/outbox?state=waiting").await?).filter(|jobs| jobs.len() == 2));
    until("both wait", waiting).await?;
    assert_eq!(receiver.calls().len(), 1, "nobody asks it");
    world.gateway.cli(&["outbox", "retry", "--target", "webhook:crm"]).await?;
    let calls = receiver.expect(3).await?;
    assert!(calls[1..].iter().any(|call| call.id() == calls[0].id()), "the first one, too");
    until("the alarm is over", async || Ok(world.get("/alarms").await?.as_array().is_some_and(Vec::is_empty).then_some(())))
        .await?;
    Ok(())
}

#[tokio::test]
async fn nobody_is_led_elsewhere() -> anyhow::Result<()> {
    let other = Receiver::willing().await?;
    let port = other.port;
    let astray = move |n: usize, _: &_| {
        let to = if n == 0 { "http://169.254.169.254/latest/meta-data/".to_owned() } else { format!("http://127.0.0.1:{port}/") };
        Reply::Status(if n == 0 { 307 } else { 308 }, format!("location: {to}\r\n"))
    };
    let receiver = Receiver::start(astray).await?;
    let section = receiver.section("crm", "events = [\"lead.created\"]");
    // The other place may be called, too; only not because somebody says so.
    let world = World::new(&setup(&[receiver.port, other.port], &section)).await?;
    lead(&world, PHONE).await?;
    let first = job(&world, "webhook:crm", |job| job["words"] != "").await?;
    let words = first["words"].as_str().unwrap_or_default();
    assert!(words.contains("redirected to 169.254.169.254"), "{first}");
    receiver.expect(2).await?;
    let second = job(&world, "webhook:crm", |job| job["attempts"] == 2 && job["state"] == "waiting").await?;
    assert!(second["words"].as_str().is_some_and(|words| words.contains("redirected to 127.0.0.1")), "{second}");
    assert!(other.calls().is_empty(), "nobody went there");
    Ok(())
}

#[tokio::test]
async fn an_answer_without_end_ends() -> anyhow::Result<()> {
    let endless = Receiver::start(|_, _| Reply::Endless).await?;
    let silent = Receiver::start(|_, _| Reply::Silence).await?;
    let sections = [endless.section("endless", "timeout = \"5 s\""), silent.section("silent", "timeout = \"1 s\"")].concat();
    let world = World::new(&setup(&[endless.port, silent.port], &sections)).await?;
    lead(&world, PHONE).await?;
    // It took what it was sent; what it goes on saying is of no interest.
    job(&world, "webhook:endless", |job| job["event"] == "lead.created" && job["state"] == "done").await?;
    let job = job(&world, "webhook:silent", |job| job["event"] == "lead.created" && job["words"] != "").await?;
    assert_eq!((&job["state"], &job["attempts"]), (&"waiting".into(), &1.into()), "{job}");
    let peak = world.gateway.peak_memory_mb()?;
    assert!(peak < 300.0, "{peak} MB");
    Ok(())
}

#[tokio::test]
async fn one_that_is_dead_delays_no_other() -> anyhow::Result<()> {
    const LEADS: usize = 30;
    let (live, silent, mail) =
        (Receiver::willing().await?, Receiver::start(|_, _| Reply::Silence).await?, Smtp::willing().await?);
    let dead = free_port()?;
    let events = "events = [\"lead.created\"]";
    let more = format!(
        "{}[webhooks.dead]\nurl = \"http://127.0.0.1:{dead}/\"\n{events}\n{}{}[[notify]]\nto = [\"boss@zavod.ru\"]\n{events}\n",
        live.section("live", events),
        // Longer than anybody here waits.
        silent.section("silent", &format!("{events}\ntimeout = \"60 s\"")),
        mail.section(),
    );
    let world = World::new(&setup(&[live.port, silent.port, dead], &more)).await?;
    for n in 0..LEADS {
        lead(&world, &format!("+7 916 123-45-{n:02}")).await?;
    }
    live.expect(LEADS).await?;
    mail.expect(LEADS).await?;
    let targets = world.get("/outbox/targets").await?;
    let of = |name: &str| targets.as_array().into_iter().flatten().find(|target| target["target"] == name).cloned();
    let count = |name: &str, state: &str| of(name).and_then(|target| target[state].as_u64()).unwrap_or_default();
    assert_eq!(count("webhook:dead", "waiting") + count("webhook:dead", "sending"), LEADS as u64, "{targets}");
    assert_eq!(count("webhook:silent", "waiting") + count("webhook:silent", "sending"), LEADS as u64, "{targets}");
    assert!(of("webhook:dead").is_some_and(|target| target["failing_since"].is_string()), "{targets}");
    Ok(())
}

#[tokio::test]
async fn what_concerns_a_lead_comes_in_order_where_that_is_wanted() -> anyhow::Result<()> {
    let receiver = Receiver::start(|n, _| Reply::status(if n == 0 { 503 } else { 200 })).await?;
    let section = receiver.section("crm", "events = [\"lead.created\", \"lead.attached\", \"lead.closed\"]\nordered = true");
    let world = World::new(&setup(&[receiver.port], &section)).await?;
    lead(&world, PHONE).await?;
    receiver.expect(1).await?;
    world.form(&[("phone", PHONE), ("message", "again")]).await?.expect(200)?;
    world.gateway.cli(&["leads", "close", "1", "--as", "junk"]).await?;
    lead(&world, "+7 916 123-45-68").await?;
    let calls = receiver.expect(5).await?;
    let heard: Vec<(i64, String)> = calls.iter().map(|call| (call.lead().unwrap_or_default(), call.event())).collect();
    let of = |lead: i64| -> Vec<&str> { heard.iter().filter(|(of, _)| *of == lead).map(|(_, event)| event.as_str()).collect() };
    assert_eq!(of(1), ["lead.created", "lead.created", "lead.attached", "lead.closed"]);
    assert_eq!(heard[1], (2, "lead.created".to_owned()), "another lead does not wait: {heard:?}");
    Ok(())
}

#[tokio::test]
async fn the_log_tells_nobodys_data() -> anyhow::Result<()> {
    let receiver = Receiver::start(|n, _| Reply::status(if n == 0 { 500 } else { 200 })).await?;
    let mail =
        Smtp::start(|_, line| (line == "." || line.contains("<boss@")).then(|| "451 <boss@zavod.ru> later".to_owned())).await?;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw4Nn0Qw2tYhY=";
    let keys = format!("secret = \"{secret}\"\nheaders = {{ Authorization = \"Bearer {{token}}\" }}\ntoken = \"hush-4711\"");
    let more = format!(
        "{}{}[[managers]]\nid = \"anna\"\nname = \"Manager\"\nemail = \"manager@zavod.ru\"\n\
         [[notify]]\nto = [\"boss@zavod.ru\", \"anna\"]\n",
        receiver.section("crm", &keys),
        mail.section()
    );
    let folder = tempfile::tempdir()?;
    let text = setup(&[receiver.port], &more).text().replace("level = \"warn\"", "level = \"debug\"");
    std::fs::write(folder.path().join("leadgate.toml"), text)?;
    let world = World::in_folder(folder, &Setup::default()).await?;
    let form =
        [("name", "Zinaida"), ("phone", "+7 916 555-44-33"), ("email", "zina@firma-mail.ru"), ("message", "Quite private words")];
    world.form(&form).await?.expect(200)?;
    let calls = receiver.expect(2).await?;
    assert!(calls[0].header("authorization").contains("hush-4711"), "it is used");
    assert!(calls[0].header("webhook-signature").starts_with("v1,"));
    job(&world, "mail", |job| job["words"].as_str().is_some_and(|words| words.contains("451"))).await?;
    let link = crate::onward_mail::links(&mail.expect(0).await?);
    assert!(link.is_empty(), "no mail was taken");
    world.web.get(world.gateway.url("/act/forged.token-hush")).send().await?;
    let log = world.gateway.log()?;
    assert!(log.contains("a delivery ended"), "it says much: {} bytes", log.len());
    for private in ["555-44-33", "5554433", "Zinaida", "zina@", "Quite private", "MfKQ9r8", "hush"] {
        let line = log.lines().find(|line| line.contains(private));
        assert!(line.is_none(), "{private}: {}", line.unwrap_or_default());
    }
    Ok(())
}
