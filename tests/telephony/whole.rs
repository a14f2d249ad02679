//! A whole call of each provider: it is one lead with one call, whatever order its events come in and however often.

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use leadgate_core::call::{CallOutcome, Direction};
use leadgate_core::prepare::Content;
use leadgate_tests::client::World;

use crate::played::{Call, LINE, Plot, Provider, Ready, TALK, call_of, lead_of, setup, told};
use crate::{clouds, open, own, pbxs};

/// The same call in order, backwards, each event five times at once, and everything five times at once.
const WAYS: [&str; 4] = ["forth", "back", "copies", "storm"];

/// Sends everything at once.
async fn at_once(provider: &Provider, world: &World, all: &[Ready]) -> anyhow::Result<()> {
    for answer in try_join_all(all.iter().map(|ready| ready.send(world))).await? {
        provider.is_thanked(&answer)?;
    }
    Ok(())
}

async fn told_in(provider: &Provider, world: &World, way: &str, call: &Call) -> anyhow::Result<()> {
    let events = (provider.tells)(call, Plot::Answered);
    let signed: Vec<Ready> = events.iter().map(|sent| provider.sign(way, sent)).collect::<Result<_, _>>()?;
    let five = |ready: &Ready| vec![ready.clone(); 5];
    match way {
        "copies" => {
            for ready in &signed {
                at_once(provider, world, &five(ready)).await?;
            }
        }
        "storm" => at_once(provider, world, &signed.iter().flat_map(five).collect::<Vec<_>>()).await?,
        _ => {
            let mut order: Vec<&Ready> = signed.iter().collect();
            if way == "back" {
                order.reverse();
            }
            for ready in order {
                provider.is_thanked(&ready.send(world).await?)?;
            }
        }
    }
    Ok(())
}

/// What a call came to, without its number.
fn comparable(content: &Content, call: &Call) -> anyhow::Result<serde_json::Value> {
    let text = serde_json::to_string(content)?;
    ensure!(text.contains(&call.number), "the number is kept: {text}");
    let spaced = format!(
        "{} {} {}-{}-{}",
        &call.number[..1],
        &call.number[1..4],
        &call.number[4..7],
        &call.number[7..9],
        &call.number[9..]
    );
    Ok(serde_json::from_str(&text.replace(&call.number, "<number>").replace(&spaced, "<number>"))?)
}

async fn whole(provider: &Provider) -> anyhow::Result<()> {
    let sections: String = WAYS.iter().map(|way| provider.section(way, "")).collect();
    let world = World::new(&setup(&sections)).await?;
    let first = Call::new("1795255200.4711", "79161230000")?;
    let events = (provider.tells)(&first, Plot::Answered).len();
    let mut came_to = None;
    for (n, way) in WAYS.into_iter().enumerate() {
        let call = Call { number: format!("7916123000{n}"), ..first.clone() };
        told_in(provider, &world, way, &call).await.context(way)?;
        let lead = lead_of(&world, &call.number).await.context(way)?;
        let content = told(&lead).context(way)?;
        let (facts, view) = call_of(&content)?;
        assert_eq!(view.outcome, Some(CallOutcome::Answered), "{way}: {facts:?}");
        assert_eq!((view.direction, view.agent.as_deref()), (Some(Direction::In), Some(provider.agent)), "{way}: {facts:?}");
        assert_eq!((view.talk_s, view.conflict), (Some(TALK), false), "{way}: {facts:?}");
        assert!(view.started.is_some_and(|at| at.duration_since(first.began).as_secs().abs() <= 10), "{way}: {view:?}");
        let digits = |typed: &str| typed.trim_start_matches('+').to_owned();
        assert_eq!(view.number.map(|number| digits(&number.typed)), Some(call.number.clone()), "{way}: {facts:?}");
        assert_eq!(view.line.map(|line| digits(&line.typed)).as_deref(), Some(LINE), "{way}: {facts:?}");
        assert_eq!(content.offered.len(), 1, "{way}: one recording, however often it is offered: {:?}", content.offered);
        assert_eq!(facts.partly_signed, provider.kind == "zadarma", "{way}");
        let comes_to = comparable(&content, &call)?;
        assert_eq!(came_to.get_or_insert_with(|| comes_to.clone()), &comes_to, "{way}");
    }
    assert_eq!(world.leads().await?.len(), WAYS.len());
    let repeats = async |way: &str| -> anyhow::Result<(usize, u64)> {
        let all = world.all(&format!("/submissions?source={way}")).await?;
        Ok((all.len(), all.iter().map(|one| one["repeats"].as_u64().unwrap_or_default()).sum()))
    };
    for (way, again) in [("forth", 0), ("back", 0), ("copies", 4), ("storm", 4)] {
        assert_eq!(repeats(way).await?, (events, (events * again) as u64), "{way}");
    }
    Ok(())
}

macro_rules! each {
    ($($name:ident: $provider:expr;)*) => {$(
        #[tokio::test]
        async fn $name() -> anyhow::Result<()> {
            whole(&$provider).await
        }
    )*};
}

each! {
    twilio: clouds::TWILIO;
    telnyx: clouds::TELNYX;
    plivo: clouds::PLIVO;
    vonage: clouds::VONAGE;
    mango: pbxs::MANGO;
    zadarma: pbxs::ZADARMA;
    itoolabs: open::ITOOLABS;
    sipuni: open::SIPUNI;
    onlinepbx: open::ONLINEPBX;
    freeswitch: own::FREESWITCH;
    asterisk: own::ASTERISK;
    uis: own::UIS;
    binotel: own::BINOTEL;
    callrail: own::CALLRAIL;
    calltouch: own::CALLTOUCH;
    ringostat: own::RINGOSTAT;
    voximplant: own::VOXIMPLANT;
}
