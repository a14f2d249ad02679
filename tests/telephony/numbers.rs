//! Numbers: the company's lines, and whose numbers customers say are theirs.

use leadgate_tests::client::World;
use serde_json::Value;

use crate::clouds::TWILIO;
use crate::open::SIPUNI;
use crate::pbxs::MANGO;
use crate::played::{Call, LINE, Plot, Sent, lead_of, setup};

/// A value of the first touch.
fn touch<'a>(lead: &'a Value, key: &str) -> Option<&'a str> {
    let values = lead["first_touch"]["values"].as_array()?;
    values.iter().find(|value| value["key"] == key)?["value"].as_str()
}

const LINES: &str = r#"
[[lines]]
number = "+7 495 123-45-67"
source = "Billboard"
utm_defaults = { utm_medium = "outdoor", utm_campaign = "autumn" }
[[lines]]
number = "+7 495 765-43-21"
source = "Leaflet"
title = "The leaflet"
sources = ["twilio"]
"#;

#[tokio::test]
async fn the_line_that_was_called_tells_where_they_come_from() -> anyhow::Result<()> {
    let providers = [&TWILIO, &MANGO, &SIPUNI];
    let sections: String = providers.iter().map(|provider| provider.section(provider.kind, "")).collect();
    let world = World::new(&setup(&format!("{sections}{LINES}"))).await?;
    for (n, provider) in providers.into_iter().enumerate() {
        let call = Call::new("lined", &format!("7916124000{n}"))?;
        provider.tell_all(&world, provider.kind, &call, Plot::Answered).await?;
        let lead = lead_of(&world, &call.number).await?;
        let tags = ["utm_source", "utm_medium", "utm_campaign"].map(|key| touch(&lead, key));
        assert_eq!(tags, [Some("Billboard"), Some("outdoor"), Some("autumn")], "{}: {lead}", provider.kind);
        assert_eq!(lead["title"], "Billboard", "{}: {lead}", provider.kind);
    }
    // A line that is of one source alone.
    let other = |sent: Sent| sent.with(&[("To", "+74957654321"), ("Called", "+74957654321")]);
    let call = Call::new("leaflet", "79161240010")?;
    for sent in (TWILIO.tells)(&call, Plot::Hidden) {
        let from = format!("+{}", call.number);
        TWILIO.tell(&world, "twilio", &other(sent).with(&[("From", &from), ("Caller", &from)])).await?;
    }
    let lead = lead_of(&world, &call.number).await?;
    assert_eq!((touch(&lead, "utm_source"), &lead["title"]), (Some("Leaflet"), &"The leaflet".into()), "{lead}");
    // Whoever calls from a line of the company is no customer.
    TWILIO.tell_all(&world, "twilio", &Call::new("ours", LINE)?, Plot::Missed).await?;
    assert_eq!(world.leads().await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn who_calls_from_a_number_has_it() -> anyhow::Result<()> {
    let world = World::new(&setup(&TWILIO.section("calls", ""))).await?;
    let anna = [("name", "Анна Петрова"), ("email", "anna@mail.ru")];
    world.form(&[anna.as_slice(), &[("phone", "+7 916 124-00-20"), ("_id", "1")]].concat()).await?.expect(200)?;
    world.form(&[anna.as_slice(), &[("phone", "+7 916 124-00-21"), ("_id", "2")]].concat()).await?.expect(200)?;
    let contact = async || -> anyhow::Result<Value> {
        let all = world.all("/contacts").await?;
        anyhow::ensure!(all.len() == 1, "one person: {all:?}");
        world.get(&format!("/contacts/{}", all[0]["id"])).await
    };
    let state = |contact: &Value| {
        let identities = contact["identities"].as_array().cloned().unwrap_or_default();
        identities.iter().find(|one| one["value"] == "+79161240021").map(|one| one["state"].clone())
    };
    assert_eq!(state(&contact().await?), Some("claimed".into()), "anybody may write that it is theirs");
    TWILIO.tell_all(&world, "calls", &Call::new("hers", "79161240021")?, Plot::Answered).await?;
    let known = contact().await?;
    assert_eq!(state(&known), Some("active".into()), "{known}");
    let lead = world.only_lead().await?;
    assert_eq!((lead["timeline"].as_array().map(Vec::len), &lead["name"]), (Some(3), &"Анна Петрова".into()), "{lead}");
    Ok(())
}
