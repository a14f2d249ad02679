//! Several gateways on one PostgreSQL database: events of one call come to whichever is asked.

use futures_util::future::try_join_all;
use leadgate_core::call::CallOutcome;
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::Setup;
use leadgate_tests::postgres::Database;

use crate::clouds::TWILIO;
use crate::pbxs::MANGO;
use crate::played::{Call, Plot, Provider, call_of, lead_of, setup, told};

async fn two(provider: &Provider, more: &str) -> anyhow::Result<[World; 2]> {
    let database = Database::empty().await?;
    let setup = Setup { database: database.url.clone(), ..setup(&provider.section("calls", more)) };
    // Both make the schema, or find it made.
    let (one, other) = tokio::try_join!(World::new(&setup), World::new(&setup))?;
    Ok([one, other])
}

#[tokio::test]
async fn a_call_is_one_whichever_gateway_hears_of_it() -> anyhow::Result<()> {
    for provider in [&TWILIO, &MANGO] {
        let worlds = two(provider, "").await?;
        let call = Call::new("by-turns", "79161231111")?;
        for (n, sent) in (provider.tells)(&call, Plot::Answered).iter().enumerate() {
            provider.tell(&worlds[n % 2], "calls", sent).await?;
        }
        // Another, everything at once, each event from both and five times.
        let storm = Call::new("storm", "79161232222")?;
        let events = (provider.tells)(&storm, Plot::Answered);
        let signed = events.iter().map(|sent| provider.sign("calls", sent)).collect::<Result<Vec<_>, _>>()?;
        let posts = signed.iter().flat_map(|ready| (0..5).map(move |n| (ready, n))).map(|(ready, n)| ready.send(&worlds[n % 2]));
        for answer in try_join_all(posts).await? {
            provider.is_thanked(&answer)?;
        }
        for world in &worlds {
            for call in [&call, &storm] {
                let content = told(&lead_of(world, &call.number).await?)?;
                let (facts, view) = call_of(&content)?;
                assert_eq!((view.outcome, view.talk_s), (Some(CallOutcome::Answered), Some(42)), "{}: {facts:?}", provider.kind);
                assert_eq!((view.agent.as_deref(), content.offered.len()), (Some(provider.agent), 1), "{}", provider.kind);
            }
            assert_eq!(world.leads().await?.len(), 2);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_silence_is_noted_once() -> anyhow::Result<()> {
    let worlds = two(&TWILIO, "quiet = \"5 s\"").await?;
    let call = Call::new("silent", "79161233333")?;
    let mut events = (TWILIO.tells)(&call, Plot::Missed);
    // Twilio's last word never comes.
    events.pop();
    for (n, sent) in events.iter().enumerate() {
        TWILIO.tell(&worlds[n % 2], "calls", sent).await?;
    }
    until("the call is over", async || Ok((!worlds[0].leads().await?.is_empty()).then_some(()))).await?;
    let content = told(&lead_of(&worlds[1], &call.number).await?)?;
    let (facts, view) = call_of(&content)?;
    assert!(facts.silent && view.is_missed(), "{facts:?}");
    let all = worlds[0].all("/submissions?source=calls").await?;
    assert_eq!(all.len(), events.len() + 1, "what the gateways note themselves is one: {all:?}");
    Ok(())
}
