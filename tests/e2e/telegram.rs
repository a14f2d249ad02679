//! A bot as customers and managers meet it: what is written to it makes leads, is told, and is answered.

use anyhow::Context as _;
use leadgate_server::clock::Clock;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::Setup;
use leadgate_tests::telegram::{Called, Telegram};
use serde_json::{Value, json};

/// The company's own group.
const GROUP: i64 = -1001;
/// Where the gateway says that it is reached.
const PUBLIC: &str = "https://leads.example.com";
const VERA: i64 = 7001;
const ANNA: i64 = 501;
const OLEG: i64 = 502;
const MANAGERS: &str = "[[managers]]\nid = \"anna\"\nname = \"Anna\"\n[[managers]]\nid = \"oleg\"\nname = \"Oleg\"\n\
                        [[notify]]\nto = [\"telegram:bot\"]\nevents = [\"lead.*\", \"message.failed\"]\n";
const DIALOGUE: &str = "dialogue = { language = \"en\", consent = { version = \"1\", text = \"I agree to be called\" }, ask = [\"phone\", \"name\"] }";

/// A gateway with a bot, a group of managers, and more keys of the bot.
pub(crate) async fn talking(telegram: &Telegram, keys: &str) -> anyhow::Result<World> {
    with(telegram, keys, MANAGERS).await
}

async fn with(telegram: &Telegram, keys: &str, more: &str) -> anyhow::Result<World> {
    let bot = telegram.section("bot", &format!("staff_chat = {GROUP}\n{keys}"));
    World::new(&Setup { more: format!("{bot}{more}"), ..Setup::default() }).await
}

/// A manager links an account.
pub(crate) async fn link(world: &World, telegram: &Telegram, manager: &str, account: i64) -> anyhow::Result<()> {
    let made = world.cli_json(&["manager", "link", manager]).await?;
    let code = made["code"].as_str().context("a code")?;
    let before = telegram.sent_to(account).len();
    telegram.say(account, manager, &format!("/start m_{code}"));
    said(telegram, account, before + 1).await.map(|_| ())
}

/// What was said to a chat, once it is so much.
pub(crate) async fn said(telegram: &Telegram, chat: i64, count: usize) -> anyhow::Result<Vec<String>> {
    until("the bot to speak", async || Ok(Some(telegram.sent_to(chat)).filter(|sent| sent.len() >= count))).await
}

/// The messages to a chat, with their parameters.
fn messages(telegram: &Telegram, chat: i64) -> Vec<Called> {
    let sent = telegram.calls("sendmessage").into_iter();
    sent.filter(|call| call.message.is_some() && call.parameters["chat_id"] == json!(chat)).collect()
}

fn reply(to: i64, text: &str) -> Value {
    json!({ "text": text, "reply_to_message": { "message_id": to, "date": 1, "from": { "id": 123_456, "is_bot": true, "first_name": "bot" },
        "chat": { "id": GROUP, "type": "supergroup" } } })
}

/// A lead of which something holds.
async fn lead(world: &World, what: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    until(what, async || {
        if world.leads().await?.is_empty() {
            return Ok(None);
        }
        Ok(Some(world.only_lead().await?).filter(|lead| holds(lead)))
    })
    .await
}

fn timeline(lead: &Value) -> Vec<Value> {
    lead["timeline"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_first_message_makes_a_lead_and_the_bot_greets_and_tells() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, DIALOGUE).await?;
    telegram.say(VERA, "Vera", "How much is a kitchen <b>of oak</b>?");
    let greeting = said(&telegram, VERA, 2).await?;
    assert!(greeting[1].contains("I agree to be called"), "{greeting:?}");
    let notice = said(&telegram, GROUP, 1).await?;
    assert!(notice[0].contains("&lt;b&gt;of oak"), "what a customer typed is data: {notice:?}");
    let lead = world.only_lead().await?;
    assert_eq!((&lead["name"], &lead["source"]), (&json!("Vera"), &json!("bot")));
    // The phone by the button: proven, and with what she read before.
    let asked = messages(&telegram, VERA)[1].message.context("an id")?;
    telegram.send(VERA, "Vera", json!({
        "contact": { "phone_number": "79161234567", "first_name": "Vera", "user_id": VERA },
        "reply_to_message": { "message_id": asked, "date": 1, "text": "Press it. I agree to be called", "chat": { "id": VERA, "type": "private" },
            "from": { "id": 123_456, "is_bot": true, "first_name": "bot" } },
    }));
    let lead = self::lead(&world, "the phone", |lead| lead["phone"] == "+7 916 123-45-67").await?;
    let consents: Vec<Value> =
        timeline(&lead).iter().flat_map(|one| one["content"]["consents"].as_array().cloned().unwrap_or_default()).collect();
    assert_eq!(consents.len(), 1, "{lead}");
    assert_eq!(consents[0]["given"], json!(true));
    Ok(())
}

#[tokio::test]
async fn who_says_their_name_is_called_by_it() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "dialogue = { language = \"en\", ask = [\"name\"] }").await?;
    telegram.say(VERA, "kitty", "How much is a kitchen?");
    assert!(said(&telegram, VERA, 2).await?[1].contains("your name"));
    let later = Clock::system().now().as_second() + 60;
    telegram.send(VERA, "kitty", json!({ "text": "Vera Ivanova", "date": later }));
    let lead = lead(&world, "the name", |lead| lead["name"] == "Vera Ivanova").await?;
    assert_eq!(lead["person"]["other_names"], json!(["kitty"]), "{lead}");
    said(&telegram, VERA, 3).await?;
    telegram.send(VERA, "kitty", json!({ "text": "Thank You", "date": later + 60 }));
    let all = |lead: &Value| timeline(lead).len() == 3;
    let lead = self::lead(&world, "what she said then", all).await?;
    assert_eq!(lead["name"], json!("Vera Ivanova"), "nobody has asked again");
    Ok(())
}

#[tokio::test]
async fn a_bare_start_makes_no_lead_and_a_campaigns_link_does() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, DIALOGUE).await?;
    telegram.say(VERA, "Vera", "/start");
    said(&telegram, VERA, 1).await?;
    assert_eq!(world.leads().await?.len(), 0);
    let link = world.cli_json(&["telegram", "link", "--utm-source", "vk", "--utm-campaign", "autumn"]).await?;
    let id = link["id"].as_str().context("an id")?;
    assert_eq!(link["urls"]["bot"], json!(format!("https://t.me/zavod_bot?start={id}")));
    telegram.say(VERA + 1, "Oleg", &format!("/start {id}"));
    let lead = lead(&world, "the lead of the link", |_| true).await?;
    assert_eq!(lead["utm_source"], json!("vk"), "{lead}");
    let long = "x".repeat(64);
    telegram.say(VERA + 1, "Oleg", &format!("/start {long}"));
    let known = |lead: &Value| timeline(lead).iter().any(|one| one["content"]["fields"].to_string().contains(&long));
    self::lead(&world, "what no campaign has", known).await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_to_a_notice_goes_out_and_what_else_is_said_stays() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    telegram.forum(GROUP);
    let world = talking(&telegram, "").await?;
    telegram.say(VERA, "Vera", "Do you build stairs?");
    said(&telegram, GROUP, 1).await?;
    let notice = messages(&telegram, GROUP)[0].clone();
    let topic = notice.parameters["message_thread_id"].as_i64().context("each lead has a topic")?;
    // A note: it stays.
    telegram.say_in(
        GROUP,
        ANNA,
        "Anna",
        json!({ "text": "who knows stairs?", "message_thread_id": topic, "is_topic_message": true }),
    );
    let noted = |lead: &Value| timeline(lead).iter().any(|one| one["kind"] == "note");
    lead(&world, "the note", noted).await?;
    assert_eq!(telegram.sent_to(VERA).len(), 0);
    // The outbox knows the notice once it is noted as delivered.
    let id = notice.message.context("an id")?;
    until("the notice to be settled", async || {
        let jobs = world.all("/outbox?target=telegram:bot&state=done").await?;
        Ok(jobs.iter().any(|job| job["event"] == "lead.created").then_some(()))
    })
    .await?;
    telegram.say_in(GROUP, ANNA, "Anna", reply(id, "We do & gladly"));
    assert_eq!(said(&telegram, VERA, 1).await?, ["We do &amp; gladly"]);
    let sent = |lead: &Value| timeline(lead).iter().any(|one| one["content"]["sending"]["state"] == "delivered");
    lead(&world, "the answer to be marked", sent).await?;
    // By the command, in the topic and elsewhere.
    telegram.say_in(GROUP, ANNA, "Anna", json!({ "text": "/r in oak", "message_thread_id": topic, "is_topic_message": true }));
    said(&telegram, VERA, 2).await?;
    telegram.say_in(GROUP, ANNA, "Anna", json!({ "text": "/r 1 or in ash" }));
    assert_eq!(said(&telegram, VERA, 3).await?[1..], ["in oak", "or in ash"]);
    // By the API and the command.
    world.post("/leads/1/reply", &json!({ "text": "by the API" })).await?.expect(202)?;
    world.gateway.cli(&["leads", "reply", "1", "by", "the", "command"]).await?;
    assert_eq!(said(&telegram, VERA, 5).await?[3..], ["by the API", "by the command"]);
    Ok(())
}

#[tokio::test]
async fn a_blocked_bot_is_told_and_not_tried_again() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "").await?;
    telegram.say(VERA, "Vera", "hello");
    said(&telegram, GROUP, 1).await?;
    telegram.refuse(VERA, 403, "Forbidden: bot was blocked by the user");
    world.post("/leads/1/reply", &json!({ "text": "are you there?" })).await?.expect(202)?;
    let failed = |lead: &Value| timeline(lead).iter().any(|one| one["content"]["sending"]["state"] == "failed");
    let lead = lead(&world, "the failure", failed).await?;
    assert!(lead.to_string().contains("blocked"), "{lead}");
    let notices = said(&telegram, GROUP, 2).await?;
    assert!(notices.iter().any(|text| text.contains("did not arrive")), "{notices:?}");
    // By mail there is no way, and that is said.
    let answer = world.post("/leads/1/reply", &json!({ "text": "hello?", "via": "mail" })).await?.expect(409)?;
    assert!(answer.text().contains("call them"), "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn the_first_press_wins_the_second_reads_who_and_strangers_get_a_no() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "").await?;
    link(&world, &telegram, "anna", ANNA).await?;
    link(&world, &telegram, "oleg", OLEG).await?;
    telegram.say(VERA, "Vera", "my phone is +7 916 123-45-67");
    said(&telegram, GROUP, 1).await?;
    let notice = messages(&telegram, GROUP)[0].message.context("an id")?;
    let answered = async |count: usize| -> anyhow::Result<String> {
        let calls = telegram.expect("answercallbackquery", count).await?;
        Ok(calls[count - 1].parameters["text"].as_str().unwrap_or_default().to_owned())
    };
    telegram.press(GROUP, notice, 999, "Stranger", "t:1");
    assert!(answered(1).await?.contains("leadgate manager link"));
    assert_eq!(world.only_lead().await?["responsible"], Value::Null);
    telegram.press(GROUP, notice, ANNA, "Anna", "t:1");
    answered(2).await?;
    telegram.press(GROUP, notice, OLEG, "Oleg", "t:1");
    assert!(answered(3).await?.contains("Anna"));
    let lead = world.only_lead().await?;
    assert_eq!((&lead["responsible"], &lead["stage"]), (&json!("anna"), &json!("IN_PROCESS")));
    let edits = telegram.calls("editmessagetext");
    assert!(edits.iter().any(|edit| edit.parameters["text"].as_str().is_some_and(|text| text.contains("Anna"))), "{edits:?}");
    telegram.press(GROUP, notice, OLEG, "Oleg", "j:1");
    answered(4).await?;
    assert_eq!(world.only_lead().await?["stage"], json!("JUNK"));
    telegram.press(GROUP, notice, ANNA, "Anna", "u:1");
    answered(5).await?;
    assert_eq!(world.only_lead().await?["stage"], json!("IN_PROCESS"));
    telegram.press(GROUP, notice, ANNA, "Anna", "what is this");
    answered(6).await?;
    Ok(())
}

/// Where the button "open" below a message leads, on the gateway of a test.
fn opens(message: &Called) -> Option<String> {
    let rows = message.parameters["reply_markup"]["inline_keyboard"].as_array()?;
    let urls = rows.iter().flat_map(|row| row.as_array().into_iter().flatten()).filter_map(|button| button["url"].as_str());
    urls.filter_map(|url| url.strip_prefix(PUBLIC)).map(str::to_owned).next()
}

#[tokio::test]
async fn the_button_opens_a_page_that_shows_the_lead() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let bot = telegram.section("bot", &format!("staff_chat = {GROUP}"));
    let server = format!("public_url = \"{PUBLIC}\"");
    let world = World::new(&Setup { more: format!("{bot}{MANAGERS}"), server, ..Setup::default() }).await?;
    link(&world, &telegram, "anna", ANNA).await?;
    let name = "<script>Vera</script>";
    telegram.say(VERA, name, "<img src=x> How much is it?");
    said(&telegram, GROUP, 1).await?;
    telegram.send(VERA, name, json!({ "contact": { "phone_number": "79161234567", "first_name": name, "user_id": VERA } }));
    said(&telegram, GROUP, 2).await?;
    let path = opens(&messages(&telegram, GROUP)[0]).context("a button that opens the lead")?;
    let before = world.only_lead().await?;
    let page = send(world.web.get(world.gateway.url(&path))).await?.expect(200)?;
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "no-store"));
    let text = page.text();
    assert!(text.contains("tel:+79161234567") && text.contains("nobody has it"), "{text}");
    assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
    assert_eq!(world.only_lead().await?, before, "looking changes nothing");
    let (payload, mac) = path.split_once('.').context("a token")?;
    let cut = format!("{payload}.{}", &mac[..mac.len() - 1]);
    for bad in [cut, path.replace("/open/", "/act/")] {
        send(world.web.get(world.gateway.url(&bad))).await?.expect(404)?;
    }
    // The message shows how the lead stands after a press, and still opens it.
    let notice = messages(&telegram, GROUP)[0].message.context("an id")?;
    telegram.press(GROUP, notice, ANNA, "Anna", "t:1");
    let edits = telegram.expect("editmessagetext", 1).await?;
    let path = opens(&edits[0]).context("a button that opens the lead")?;
    let text = send(world.web.get(world.gateway.url(&path))).await?.expect(200)?.text();
    assert!(text.contains("in work") && text.contains("Anna"), "{text}");
    // In a group that is not the company's any more it is worth nothing.
    let config = std::fs::read_to_string(&world.gateway.config)?;
    std::fs::write(&world.gateway.config, config.replace(&format!("staff_chat = {GROUP}"), "staff_chat = -1009"))?;
    world.gateway.signal("HUP").await?;
    until("the group to be another's", async || {
        Ok((send(world.web.get(world.gateway.url(&path))).await?.status == 403).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_code_counts_once_and_a_manager_makes_no_lead() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = with(&telegram, "", "[[managers]]\nid = \"anna\"\n[[notify]]\nto = [\"anna\"]\n").await?;
    link(&world, &telegram, "anna", ANNA).await?;
    assert!(world.gateway.cli(&["manager", "accounts"]).await?.contains("anna"));
    telegram.say(OLEG, "Oleg", "/start m_WRONG");
    let wrong = said(&telegram, OLEG, 1).await?;
    assert!(wrong[0].contains('4'), "so many tries are left: {wrong:?}");
    telegram.say(VERA, "Vera", "hello");
    let told = said(&telegram, ANNA, 2).await?;
    assert!(told[1].contains("hello"), "{told:?}");
    // What she answers there goes to the customer, and is no lead of hers.
    let notice = messages(&telegram, ANNA)[1].message.context("an id")?;
    until("the notice to be settled", async || {
        let jobs = world.all("/outbox?target=telegram:bot&state=done").await?;
        Ok(jobs.iter().any(|job| job["event"] == "lead.created").then_some(()))
    })
    .await?;
    telegram.send(ANNA, "Anna", reply(notice, "we are here"));
    assert_eq!(said(&telegram, VERA, 1).await?, ["we are here"]);
    assert_eq!(world.leads().await?.len(), 1);
    world.gateway.cli(&["manager", "unlink", "anna"]).await?;
    assert!(world.gateway.cli(&["manager", "accounts"]).await?.contains("Nobody"));
    Ok(())
}

#[tokio::test]
async fn an_album_is_one_activity_and_its_pictures_are_fetched() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "").await?;
    for part in 0..10 {
        let id = format!("picture-{part}");
        telegram.keep_file(&id, format!("bytes of {part}").into_bytes());
        let caption = if part == 0 { json!({ "caption": "Our kitchen" }) } else { json!({}) };
        let mut content =
            json!({ "media_group_id": "album", "photo": [{ "file_id": id, "file_unique_id": id, "width": 90, "height": 90 }] });
        if let (Some(content), Value::Object(caption)) = (content.as_object_mut(), caption) {
            content.extend(caption);
        }
        telegram.send(VERA, "Vera", content);
    }
    let whole = |lead: &Value| {
        let told = timeline(lead);
        told.len() == 1 && told[0]["content"]["files"].as_array().is_some_and(|files| files.len() == 10)
    };
    let lead = lead(&world, "the album with its pictures", whole).await?;
    assert_eq!(timeline(&lead)[0]["content"]["message"], json!("Our kitchen"));
    let file = timeline(&lead)[0]["content"]["files"][0]["sha256"].as_str().map(str::to_owned).context("a file")?;
    let bytes = send(world.api(reqwest::Method::GET, &format!("/attachments/{file}"))).await?.expect(200)?;
    assert!(bytes.text().starts_with("bytes of"), "{}", bytes.text());
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_had_says_why() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "").await?;
    let file = |id: &str, size: u64| json!({ "document": { "file_id": id, "file_unique_id": id, "file_name": "plan.pdf", "file_size": size } });
    telegram.send(VERA, "Vera", file("gone", 5));
    telegram.send(VERA, "Vera", file("large", 30 << 20));
    let told = |lead: &Value| {
        let offered: Vec<Value> =
            timeline(lead).iter().flat_map(|one| one["content"]["offered"].as_array().cloned().unwrap_or_default()).collect();
        offered.len() == 2 && offered.iter().all(|file| file["problem"].as_str().is_some_and(|words| !words.is_empty()))
    };
    let lead = lead(&world, "why they were not fetched", told).await?;
    assert!(lead.to_string().contains("20 MB"), "{lead}");
    Ok(())
}

#[tokio::test]
async fn a_topic_that_was_deleted_is_made_anew_and_a_group_that_moved_is_followed() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    telegram.forum(GROUP);
    let world = talking(&telegram, "").await?;
    telegram.say(VERA, "Vera", "first");
    said(&telegram, GROUP, 1).await?;
    let topic = messages(&telegram, GROUP)[0].parameters["message_thread_id"].as_i64().context("a topic")?;
    telegram.delete_topic(GROUP, topic);
    telegram.say(VERA, "Vera", "second");
    said(&telegram, GROUP, 2).await?;
    assert_ne!(messages(&telegram, GROUP)[1].parameters["message_thread_id"], json!(topic));
    assert_eq!(telegram.calls("createforumtopic").len(), 2);
    telegram.migrate(GROUP, -1002);
    telegram.say(VERA, "Vera", "third");
    let there = said(&telegram, -1002, 1).await?;
    assert!(there[0].contains("third"), "{there:?}");
    // What is written there is the company's own.
    telegram.say_in(-1002, ANNA, "Anna", json!({ "text": "/r 1 hello" }));
    assert_eq!(said(&telegram, VERA, 1).await?, ["hello"]);
    assert_eq!(world.leads().await?.len(), 1, "Vera's alone");
    Ok(())
}

#[tokio::test]
async fn an_edit_after_the_lead_was_closed_changes_what_was_said() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "").await?;
    let id = telegram.say(VERA, "Vera", "ten doors");
    lead(&world, "the lead", |_| true).await?;
    world.gateway.cli(&["leads", "close", "1", "--as", "converted"]).await?;
    telegram.push(json!({ "edited_message": { "message_id": id, "date": 1_795_000_000, "edit_date": 1_795_000_100, "text": "twelve doors",
        "from": { "id": VERA, "is_bot": false, "first_name": "Vera" }, "chat": { "id": VERA, "type": "private", "first_name": "Vera" } } }));
    let edited = |lead: &Value| timeline(lead)[0]["content"]["message"] == "twelve doors";
    let lead = lead(&world, "the edit", edited).await?;
    assert_eq!((&lead["stage"], timeline(&lead).len()), (&json!("CONVERTED"), 1));
    Ok(())
}

#[tokio::test]
async fn somebody_elses_card_is_nobodys_phone_and_two_customers_stay_two() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, DIALOGUE).await?;
    telegram.send(VERA, "Vera", json!({ "contact": { "phone_number": "79160000001", "first_name": "Petr", "user_id": 42 } }));
    telegram.say(VERA + 1, "Boris", "hello");
    said(&telegram, VERA, 1).await?;
    said(&telegram, VERA + 1, 1).await?;
    let leads = world.leads().await?;
    assert_eq!(leads.len(), 2, "{leads:?}");
    assert!(leads.iter().all(|lead| lead["phone"] == Value::Null), "{leads:?}");
    Ok(())
}

#[tokio::test]
async fn who_stops_the_bot_hears_nothing_more_and_is_noted() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, DIALOGUE).await?;
    telegram.say(VERA, "Vera", "hello");
    said(&telegram, VERA, 2).await?;
    telegram.say(VERA, "Vera", "/stop");
    let before = said(&telegram, VERA, 3).await?.len();
    let noted = |lead: &Value| timeline(lead).iter().any(|one| one["kind"] == "note");
    lead(&world, "the note", noted).await?;
    telegram.say(VERA, "Vera", "one more thing");
    let both = |lead: &Value| timeline(lead).iter().filter(|one| one["kind"] == "message").count() == 2;
    lead(&world, "what she said then", both).await?;
    until("what follows to be done", async || {
        let waiting = world.all("/outbox?target=telegram:bot&state=waiting&state=sending").await?;
        Ok(waiting.is_empty().then_some(()))
    })
    .await?;
    assert_eq!(telegram.sent_to(VERA).len(), before);
    Ok(())
}
