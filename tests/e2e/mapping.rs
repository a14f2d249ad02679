//! A webhook's owner at work: a source by preset, what was read in its last delivery, a body on trial.

use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::Setup;
use serde_json::json;

const TOKEN: &str = "hook-token-0123456789";
const SECRET: &str = "ads-key-0123456789";

fn setup() -> Setup {
    let more = format!(
        "[sources.ads]\nkind = \"webhook\"\npreset = \"google_ads\"\ntoken = \"{TOKEN}\"\nsecret = \"{SECRET}\"\n\
         map = {{ \"field:Campaign\" = \"/campaign_id\", language = \"/lang\" }}\n"
    );
    Setup { more, ..Setup::default() }
}

fn body(key: &str) -> String {
    json!({
        "lead_id": "GA-7", "google_key": key, "campaign_id": 77, "adgroup_id": 5,
        "user_column_data": [
            { "column_id": "FULL_NAME", "string_value": "Ida\u{1b}[2J Holm" },
            { "column_id": "PHONE_NUMBER", "string_value": "+46701740607" },
        ],
    })
    .to_string()
}

#[tokio::test]
async fn the_last_delivery_is_shown_beside_what_is_read_in_it() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let url = world.gateway.url(&format!("/in/ads/{TOKEN}"));
    send(world.web.post(&url).header("content-type", "application/json").body(body(SECRET))).await?.expect(200)?;
    let told = world.gateway.cli(&["source", "map", "ads"]).await?;
    for expected in
        ["/user_column_data/0/string_value", "phone", "field Campaign", "adgroup_id", "language", "/lang", "GA-7", "created"]
    {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }
    assert!(!told.contains(SECRET) && !told.contains('\u{1b}'), "{told}");
    let made = world.cli_json(&["source", "map", "ads"]).await?;
    let read = made["made"]["deliveries"][0]["read"].to_string();
    assert!(read.contains("\"from\":\"/user_column_data/1/string_value\"") && !made.to_string().contains(SECRET), "{made}");
    Ok(())
}

#[tokio::test]
async fn a_body_on_trial_leaves_nothing() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("body.json");
    std::fs::write(&file, body("no key at all"))?;
    let path = file.to_string_lossy().into_owned();
    let made = world.cli_json(&["source", "try", "ads", "--file", &path]).await?;
    assert_eq!(made["content_type"], "application/json", "{made}");
    assert_eq!(made["would_become"][0]["outcome"], "created", "{made}");
    assert_eq!(made["made"]["deliveries"][0]["keys"], json!(["GA-7"]), "{made}");
    assert_eq!(world.all("/submissions").await?.len(), 0);
    // The very same, sent without its key, is refused and kept only among what nobody vouches for.
    let url = world.gateway.url(&format!("/in/ads/{TOKEN}"));
    send(world.web.post(&url).header("content-type", "application/json").body(body("wrong"))).await?.expect(401)?;
    let held = world.submissions("quarantined").await?;
    assert_eq!(held.len(), 1, "{held:?}");
    // A form's own kind is shown by what it understood.
    std::fs::write(&file, "name=Lea&phone=%2B49+30+901820")?;
    let told = world.gateway.cli(&["source", "try", "site", "--file", &path]).await?;
    assert!(told.contains("Lea") && told.contains("+49 30 901820"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_source_by_preset_is_written_and_works() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let made = world.cli_json(&["source", "new", "webhook", "--preset", "tally"]).await?;
    assert_eq!((&made["id"], &made["kind"]), (&json!("tally"), &json!("webhook")), "{made}");
    let url = made["url"].as_str().unwrap_or_default().to_owned();
    let fields = json!([{ "key": "a", "label": "Name", "type": "INPUT_TEXT", "value": "Lea" },
        { "key": "b", "label": "Call me", "type": "INPUT_PHONE_NUMBER", "value": "+4930901820" }]);
    let body = json!({ "eventId": "e1", "eventType": "FORM_RESPONSE", "data": { "formName": "Offer", "fields": fields } });
    send(world.web.post(&url).header("content-type", "application/json").body(body.to_string())).await?.expect(200)?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["name"], "Lea", "{lead}");
    Ok(())
}
