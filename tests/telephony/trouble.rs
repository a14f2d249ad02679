//! What goes wrong, what means nothing, and what comes to nothing.

use anyhow::Context as _;
use leadgate_core::call::CallOutcome;
use leadgate_core::ids::SourceId;
use leadgate_core::plan::CallBack;
use leadgate_core::ports::Calls as _;
use leadgate_store_sqlite::{Options, SqliteStore};
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Setup, TOKEN};
use leadgate_tests::receiver::Receiver;
use serde_json::{Value, json};

use crate::clouds::{TELNYX, TWILIO, VONAGE};
use crate::open::{ITOOLABS, ONLINEPBX, SIPUNI};
use crate::pbxs::{MANGO, ZADARMA};
use crate::played::{Body, Call, PUBLIC, Plot, Provider, Ready, Sent, call_of, gateway_of, lead_of, setup, told};
use crate::{clouds, open, own, pbxs};

fn all() -> impl Iterator<Item = &'static Provider> {
    clouds::PROVIDERS.iter().chain(pbxs::PROVIDERS).chain(open::PROVIDERS).copied()
}

/// Those who come by a mapping, and one's own PBX, too.
fn every() -> impl Iterator<Item = &'static Provider> {
    all().chain(own::PROVIDERS.iter().copied())
}

/// A gateway with sources of everybody, each under the name of its kind.
async fn gateway_of_all(more: &str) -> anyhow::Result<World> {
    World::new(&setup(&every().map(|provider| provider.section(provider.name, more)).collect::<String>())).await
}

async fn alarms(world: &World) -> anyhow::Result<Vec<Value>> {
    Ok(world.get("/alarms").await?.as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn what_is_signed_well_at_a_wrong_time_is_kept_and_told_of() -> anyhow::Result<()> {
    let sections = [&TELNYX, &VONAGE].map(|provider| provider.section(provider.name, "")).concat();
    let world = World::new(&setup(&sections)).await?;
    let call = Call::new("late", "79161260001")?;
    // A wrong signature is no late one, whatever its time.
    for provider in [&TELNYX, &VONAGE] {
        for sent in (provider.tells)(&call, Plot::Missed) {
            let mut ready = provider.sign_as(provider.name, &sent, PUBLIC, &json!({ "late": 3600 }))?;
            ready.body.push(b' ');
            assert_eq!(ready.send(&world).await?.status, 403, "{}", provider.name);
        }
    }
    assert!(alarms(&world).await?.iter().all(|alarm| alarm["name"] != "clock.wrong"));
    for provider in [&TELNYX, &VONAGE] {
        for (late, sent) in [3600, -3600].into_iter().zip((provider.tells)(&call, Plot::Missed)) {
            let answer = provider.sign_as(provider.name, &sent, PUBLIC, &json!({ "late": late }))?.send(&world).await;
            provider.is_thanked(&answer?).with_context(|| format!("{} {late} s late", provider.name))?;
        }
        let held = world.all(&format!("/submissions?outcome=quarantined&source={}", provider.name)).await?;
        let late: Vec<&Value> = held.iter().filter(|one| one["reasons"].to_string().contains("which is too far")).collect();
        assert_eq!(late.len(), 2, "{held:?}");
        let name = "clock.wrong";
        let told = until("it is told", async || {
            Ok(alarms(&world).await?.into_iter().find(|alarm| alarm["name"] == name && alarm["key"] == provider.name))
        })
        .await?;
        assert!(told.to_string().contains(provider.name), "{told}");
    }
    let shown = world.gateway.cli(&["alarms"]).await?;
    assert!(shown.contains("clock.wrong") && shown.contains("telnyx") && shown.contains("vonage"), "{shown}");
    assert!(world.leads().await?.is_empty());
    // With the clock put right it goes on.
    TELNYX.tell_all(&world, "telnyx", &call, Plot::Missed).await?;
    assert_eq!(world.leads().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_event_that_nobody_knows_is_kept_and_thanked_for() -> anyhow::Result<()> {
    let world = gateway_of_all("").await?;
    for provider in all() {
        let sent = (provider.unknown)();
        provider.tell(&world, provider.name, &sent).await?;
        let kept = world.all(&format!("/submissions?source={}", provider.name)).await?;
        assert_eq!((kept.len(), &kept[0]["outcome"]), (1, &"noted".into()), "{}: {kept:?}", provider.name);
        let raw = world.raw(&kept[0]["id"]).await?;
        assert!(raw.contains("ream") || raw.contains("omorrow"), "{}: {raw}", provider.name);
        for secret in [provider.secret, "code-of-the-pbx"] {
            assert!(secret.is_empty() || !raw.contains(secret), "{}: {raw}", provider.name);
        }
    }
    assert!(world.leads().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_event_of_no_call_and_one_that_is_too_large_are_thanked_for_and_wait_for_a_person() -> anyhow::Result<()> {
    let world = gateway_of_all("").await?;
    let large = "x".repeat(300 << 10);
    for provider in all() {
        let call = Call::new("", "79161260002")?;
        let nameless = (provider.tells)(&call, Plot::Missed).pop().context("an event")?;
        let answer = provider.sign(provider.name, &nameless)?.send(&world).await?;
        provider.is_thanked(&answer).with_context(|| format!("{}: no id", provider.name))?;
        let ready = provider.sign(provider.name, &(provider.unknown)())?;
        let kind = ready.headers.iter().find(|(name, _)| name == "Content-Type").map_or("", |(_, kind)| kind.as_str());
        let body = if kind.contains("json") { format!("{{\"dream\":\"{large}\"}}") } else { format!("dream={large}") };
        let answer = Ready { body: body.into_bytes(), ..ready.clone() }.send(&world).await?;
        provider.is_thanked(&answer).with_context(|| format!("{}: too large", provider.name))?;
        let held = world.all(&format!("/submissions?outcome=quarantined&source={}", provider.name)).await?;
        // Zadarma's ids have a prefix, so that none is ever blank; of Telnyx and Vonage the id of a leg will do.
        let expected = if ["zadarma", "telnyx", "vonage"].contains(&provider.name) { 1 } else { 2 };
        assert_eq!(held.len(), expected, "{}: {held:?}", provider.name);
        let mut lengths = Vec::new();
        for one in &held {
            lengths.push(world.raw(&one["id"]).await?.len());
        }
        assert!(lengths.iter().all(|length| *length < 2000), "of what is too large, the head alone is kept: {lengths:?}");
    }
    Ok(())
}

#[tokio::test]
async fn colleagues_among_themselves_are_nobody_s_enquiry() -> anyhow::Result<()> {
    let world = gateway_of_all("lead_on = \"ring\"").await?;
    for provider in all() {
        let call = Call::new("inner", "79161260003")?;
        provider.tell_all(&world, provider.name, &call, Plot::Internal).await?;
        let kept = world.all(&format!("/submissions?source={}", provider.name)).await?;
        assert!(!kept.is_empty() && kept.iter().all(|one| one["outcome"] == "noted"), "{}: {kept:?}", provider.name);
    }
    assert!(world.leads().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn whoever_hides_the_number_is_a_lead_without_one_or_a_note() -> anyhow::Result<()> {
    let world = gateway_of_all("").await?;
    for provider in every() {
        for id in ["first", "second"] {
            provider.tell_all(&world, provider.name, &Call::new(id, "79161260004")?, Plot::Hidden).await?;
        }
    }
    let leads = world.leads().await?;
    assert_eq!(leads.len(), 2 * every().count(), "two who hide are nobody's one: {leads:?}");
    for lead in &leads {
        let lead = world.get(&format!("/leads/{}", lead["id"])).await?;
        let content = told(&lead)?;
        let (facts, view) = call_of(&content)?;
        assert!(view.hidden && view.number.is_none() && view.is_missed(), "{}: {facts:?}", lead["source"]);
        assert!(lead["phone"].is_null(), "{lead}");
    }
    let world = gateway_of_all("hidden_callers = \"note\"").await?;
    for provider in every() {
        provider.tell_all(&world, provider.name, &Call::new("noted", "79161260004")?, Plot::Hidden).await?;
    }
    assert!(world.leads().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn whoever_was_missed_waits_until_somebody_calls_back() -> anyhow::Result<()> {
    let receiver = Receiver::willing().await?;
    let section = receiver.section("crm", "events = [\"call.missed\", \"call.made\", \"lead.created\"]");
    let sections: String = every().map(|provider| provider.section(provider.name, "")).collect();
    let usual = setup(&sections);
    let server = format!("{}\ninner_services = [\"127.0.0.1:{}\"]", usual.server, receiver.port);
    let world = World::new(&Setup { server, more: section, ..usual }).await?;
    let mut count = 0;
    for (n, provider) in every().enumerate() {
        count += 1;
        let call = Call::new("missed", &format!("791612610{n:02}"))?;
        provider.tell_all(&world, provider.name, &call, Plot::Missed).await?;
        let content = told(&lead_of(&world, &call.number).await?)?;
        let (facts, view) = call_of(&content)?;
        assert!(view.is_missed() && view.outcome == Some(CallOutcome::NoAnswer), "{}: {facts:?}", provider.name);
        let other = Call { id: "not-called-back".to_owned(), number: format!("791612611{n:02}"), ..call.clone() };
        provider.tell_all(&world, provider.name, &other, Plot::Missed).await?;
        // Whoever gets through by themselves waits no more either.
        let again = Call { id: "gets-through".to_owned(), number: format!("791612612{n:02}"), ..call.clone() };
        provider.tell_all(&world, provider.name, &Call { id: "tries".to_owned(), ..again.clone() }, Plot::Missed).await?;
        provider.tell_all(&world, provider.name, &again, Plot::Answered).await?;
        // Some tell of no calls to customers, or only where the source is for that.
        let tells = !(provider.tells)(&call, Plot::Out).is_empty();
        let (caller, source) = if tells { (provider, provider.name) } else { (&TWILIO, "twilio") };
        caller.tell_all(&world, source, &Call { id: format!("back-{n}"), ..call.clone() }, Plot::Out).await?;
        let lead = lead_of(&world, &call.number).await?;
        let timeline = lead["timeline"].as_array().context("a timeline")?;
        let outgoing = timeline.iter().filter(|one| one["content"]["outgoing"] == true).count();
        assert_eq!((timeline.len(), outgoing), (2, 1), "{}: it is on the same lead: {lead}", provider.name);
    }
    let heard = receiver.expect(7 * count).await?;
    for (name, times) in [("lead.created", 3), ("call.missed", 3), ("call.made", 1)] {
        let told: Vec<String> = heard.iter().map(leadgate_tests::receiver::Call::event).collect();
        assert_eq!(told.iter().filter(|told| *told == name).count(), times * count, "{name}: {told:?}");
    }
    let (database, folder) = (world.gateway.data.join("leadgate.db"), world.folder);
    world.gateway.stop().await?;
    let store = SqliteStore::open(&database, Options::default()).await?;
    for provider in every() {
        let before = if provider.name == "zadarma" { "call:in_" } else { "call:" };
        for (id, back) in [("missed", CallBack::Done), ("not-called-back", CallBack::Waits), ("tries", CallBack::Done)] {
            let state = store.call(&SourceId::parse(provider.name)?, &format!("{before}{id}")).await?;
            assert_eq!(state.map(|state| state.back), Some(back), "{}: {id}", provider.name);
        }
    }
    drop(folder);
    Ok(())
}

#[tokio::test]
async fn a_call_of_which_nothing_more_comes_is_over() -> anyhow::Result<()> {
    // Of a record, the last word is the only one.
    let all = || every().filter(|provider| provider.name != "freeswitch");
    let world = gateway_of_all("quiet = \"5 s\"").await?;
    for (n, provider) in all().enumerate() {
        let mut events = (provider.tells)(&Call::new("silent", &format!("791612620{n:02}"))?, Plot::Missed);
        // The provider's last word never comes.
        events.pop();
        for sent in &events {
            provider.tell(&world, provider.name, sent).await?;
        }
    }
    assert!(world.leads().await?.is_empty(), "they may still answer");
    until("all are over", async || Ok((world.leads().await?.len() == all().count()).then_some(()))).await?;
    for (n, provider) in all().enumerate() {
        let call = Call::new("silent", &format!("791612620{n:02}"))?;
        let lead = lead_of(&world, &call.number).await?;
        let content = told(&lead)?;
        let (facts, view) = call_of(&content)?;
        assert!(facts.silent && view.is_missed(), "{}: {facts:?}", provider.name);
        // The last word comes after all, and changes nothing but what it tells.
        let last = (provider.tells)(&call, Plot::Missed).pop().context("a last word")?;
        provider.tell(&world, provider.name, &last).await?;
        let content = told(&lead_of(&world, &call.number).await?)?;
        assert!(call_of(&content)?.0.summary.is_some(), "{}", provider.name);
    }
    assert_eq!(world.leads().await?.len(), all().count());
    Ok(())
}

#[tokio::test]
async fn when_a_call_becomes_a_lead_the_configuration_says() -> anyhow::Result<()> {
    for (lead_on, rings, answered, missed) in [("ring", 1, 1, 2), ("finish", 0, 1, 2), ("missed", 0, 0, 1)] {
        let world = gateway_of(&MANGO, &format!("lead_on = \"{lead_on}\"")).await?;
        let count = async || anyhow::Ok(world.leads().await?.len());
        let call = Call::new("one", "79161263000")?;
        let events = (MANGO.tells)(&call, Plot::Answered);
        MANGO.tell(&world, "calls", &events[0]).await?;
        assert_eq!(count().await?, rings, "{lead_on}: it rings");
        for sent in &events[1..] {
            MANGO.tell(&world, "calls", sent).await?;
        }
        assert_eq!(count().await?, answered, "{lead_on}: it was answered");
        MANGO.tell_all(&world, "calls", &Call::new("two", "79161263001")?, Plot::Missed).await?;
        assert_eq!(count().await?, missed, "{lead_on}: it was missed");
    }
    Ok(())
}

#[tokio::test]
async fn what_tries_the_address_is_answered_as_it_likes_and_is_not_kept() -> anyhow::Result<()> {
    let world = gateway_of_all("").await?;
    let at = |source: &str, query: &str| world.gateway.url(&format!("/in/{source}/{TOKEN}{query}"));
    let got = async |url: String| anyhow::Ok(send(world.web.get(url)).await?);
    let answer = got(at("zadarma", "?zd_echo=a1B2_c-3")).await?;
    assert_eq!((answer.status, answer.text().as_str()), (200, "a1B2_c-3"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for hostile in ["%3Cscript%3Ealert(1)%3C/script%3E", "a%0D%0Aset-cookie:x=1", &"a".repeat(129)] {
        let answer = got(at("zadarma", &format!("?zd_echo={hostile}"))).await?;
        assert_eq!(answer.status, 400, "{hostile}");
        assert!(!answer.text().contains("script") && answer.header("set-cookie").is_empty(), "{hostile}");
    }
    // Saved in a cabinet, an address is tried without anything in it.
    for provider in [&MANGO, &SIPUNI, &ONLINEPBX, &ITOOLABS, &ZADARMA] {
        for request in [world.web.get(at(provider.name, "")), world.web.post(at(provider.name, "/"))] {
            provider.is_thanked(&send(request).await?).context(provider.name)?;
        }
    }
    assert!(world.all("/submissions").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_source_that_is_switched_off_thanks_and_keeps() -> anyhow::Result<()> {
    let world = gateway_of_all("enabled = false").await?;
    for provider in all() {
        provider.tell_all(&world, provider.name, &Call::new("paused", "79161264000")?, Plot::Missed).await?;
        let held = world.all(&format!("/submissions?outcome=quarantined&source={}", provider.name)).await?;
        let events = (provider.tells)(&Call::new("paused", "79161264000")?, Plot::Missed).len();
        assert_eq!(held.len(), events, "{}: {held:?}", provider.name);
    }
    assert!(world.leads().await?.is_empty());
    // Switched on, what came meanwhile is told as if it came now.
    let config = std::fs::read_to_string(&world.gateway.config)?.replace("enabled = false", "");
    std::fs::write(&world.gateway.config, config)?;
    world.gateway.signal("HUP").await?;
    until("the sources are on", async || {
        let sources = world.get("/sources").await?;
        let mut all = sources.as_array().into_iter().flatten();
        Ok(all.all(|source| source["enabled"] == true).then_some(()))
    })
    .await?;
    for provider in all() {
        world.gateway.cli(&["replay", "--source", provider.name, "--yes"]).await?;
    }
    let lead = world.only_lead().await?;
    let timeline = lead["timeline"].as_array().context("a timeline")?;
    assert_eq!(timeline.len(), all().count(), "each provider's call is one: {lead}");
    Ok(())
}

#[tokio::test]
async fn two_events_in_one_second_and_one_event_in_two_forms() -> anyhow::Result<()> {
    let world = gateway_of(&SIPUNI, "").await?;
    let call = Call::new("same", "79161265000")?;
    let events = (SIPUNI.tells)(&call, Plot::Missed);
    // By GET and by POST it is the same event.
    for sent in &events {
        let Body::Form(_) = &sent.body else { continue };
        SIPUNI.tell(&world, "calls", &sent.clone().got()).await?;
        SIPUNI.tell(&world, "calls", &Sent { method: "POST", ..sent.clone() }).await?;
    }
    let kept = world.all("/submissions?source=calls").await?;
    assert_eq!(kept.len(), events.len(), "{kept:?}");
    told(&lead_of(&world, &call.number).await?)?;
    Ok(())
}
