//! Who calls: asked while it rings, answered in time.

use leadgate_tests::client::{Answer, World};
use leadgate_tests::gateway::Setup;
use serde_json::{Value, json};

use crate::clouds::{PLIVO, TWILIO, VONAGE};
use crate::open::{ITOOLABS, contact};
use crate::played::{Call, Plot, Sent, lead_of, setup, told};

const MANAGERS: &str =
    "[[managers]]\nid = \"oleg\"\nname = \"Олег\"\nextension = \"702\"\n[[managers]]\nid = \"vera\"\nname = \"Вера\"\n";

async fn office() -> anyhow::Result<World> {
    let usual = setup(&ITOOLABS.section("pbx", ""));
    World::new(&Setup { more: MANAGERS.to_owned(), ..usual }).await
}

async fn ask(world: &World, call: &Call) -> anyhow::Result<Answer> {
    ITOOLABS.sign("pbx", &contact(call))?.send(world).await
}

/// What is answered, to the byte.
fn said(answer: &Answer) -> (u16, &str, String) {
    (answer.status, answer.header("content-type"), answer.text())
}

async fn enquiry(world: &World, name: &str, phone: &str, manager: Option<&str>) -> anyhow::Result<Value> {
    world.form(&[("name", name), ("phone", phone), ("_id", phone)]).await?.expect(200)?;
    let lead = lead_of(world, phone.trim_start_matches('+')).await?;
    if let Some(manager) = manager {
        world.patch(&format!("/leads/{}", lead["id"]), &json!({ "responsible": manager })).await?.expect(200)?;
    }
    Ok(lead)
}

#[tokio::test]
async fn known_ones_are_told_by_name_and_whose_they_are() -> anyhow::Result<()> {
    let world = office().await?;
    enquiry(&world, "Анна Петрова", "+79161250001", Some("oleg")).await?;
    enquiry(&world, "Борис \"Боб\" Ким", "+79161250002", Some("vera")).await?;
    enquiry(&world, "Глеб Ли", "+79161250003", None).await?;
    for (number, expected) in [
        ("79161250001", r#"{"contact_name":"Анна Петрова","responsible":"702"}"#),
        // Nothing is configured of the manager's telephone, or nobody has taken the lead.
        ("79161250002", r#"{"contact_name":"Борис \"Боб\" Ким"}"#),
        ("79161250003", r#"{"contact_name":"Глеб Ли"}"#),
        ("89161250003", r#"{"contact_name":"Глеб Ли"}"#),
        ("79161259999", "{}"),
        ("", "{}"),
        ("anonymous", "{}"),
        ("702", "{}"),
    ] {
        let answer = ask(&world, &Call::new(&format!("asked-{number}"), number)?).await?;
        assert_eq!(said(&answer), (200, "application/json", expected.to_owned()), "{number}");
    }
    assert_eq!(world.leads().await?.len(), 3, "that somebody asks is no enquiry");
    // Who does not know the key learns of nobody.
    let call = Call::new("stranger", "79161250001")?;
    let answer = ITOOLABS.sign("pbx", &contact(&call).with(&[("crm_token", "guessed")]))?.send(&world).await?;
    assert_eq!(said(&answer), (401, "application/json", r#"{"error":"Invalid token"}"#.to_owned()));
    let answer = ITOOLABS.sign("pbx", &contact(&call))?;
    let answer = crate::played::Ready { path: answer.path.replace("test-token", "text-token"), ..answer }.send(&world).await?;
    assert_eq!(answer.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_question_is_the_first_that_is_heard_of_the_call() -> anyhow::Result<()> {
    let world = office().await?;
    let call = Call::new("c1", "79161250010")?;
    assert_eq!(said(&ask(&world, &call).await?).2, "{}");
    let noted = world.submissions("noted").await?;
    assert_eq!(noted.len(), 1, "{noted:?}");
    ITOOLABS.tell_all(&world, "pbx", &call, Plot::Answered).await?;
    told(&lead_of(&world, &call.number).await?)?;
    // Asked once more, they are known by now, though not by name.
    assert_eq!(said(&ask(&world, &call).await?).2, "{}");
    Ok(())
}

#[tokio::test]
async fn whoever_asks_what_to_do_with_a_call_hears_it_at_once() -> anyhow::Result<()> {
    let forward = "forward = \"+7 495 111-01-01\"\ngreeting = \"Окна & двери\"";
    let sections = [&TWILIO, &PLIVO, &VONAGE].map(|provider| provider.section(provider.kind, forward)).concat();
    let world = World::new(&setup(&sections)).await?;
    let (base, number) = ("https://leads.example.com/in", "79161250020");
    let token = leadgate_tests::gateway::TOKEN;
    let asked = |sent: Sent, rest: &'static str| Sent { rest, ..sent };
    let call = Call::new("asked", number)?;
    let twilio = asked((TWILIO.tells)(&call, Plot::Missed).remove(0), "/voice");
    let answer = TWILIO.sign("twilio", &twilio)?.send(&world).await?;
    let heard = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"en-US\">Окна &amp; двери</Say><Dial timeout=\"30\" \
         action=\"{base}/twilio/{token}/voice/dial\" method=\"POST\"><Number>+74951110101</Number></Dial></Response>"
    );
    assert_eq!(said(&answer), (200, "text/xml; charset=utf-8", heard));
    let plivo = asked((PLIVO.tells)(&call, Plot::Missed).remove(0), "/answer");
    let answer = PLIVO.sign("plivo", &plivo)?.send(&world).await?;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml; charset=utf-8"));
    assert!(answer.text().contains(&format!("action=\"{base}/plivo/{token}/answer/dial\"")), "{}", answer.text());
    let vonage = asked((VONAGE.tells)(&call, Plot::Missed).remove(0), "/answer");
    let answer = VONAGE.sign("vonage", &vonage)?.send(&world).await?;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json()?[1]["eventUrl"], json!([format!("{base}/vonage/{token}")]));
    // How it went is the end of it.
    let dialled = asked(
        Sent::form(&[
            ("CallSid", "asked"),
            ("From", &format!("+{number}")),
            ("To", "+74951234567"),
            ("Direction", "inbound"),
            ("CallStatus", "in-progress"),
            ("DialCallStatus", "completed"),
            ("DialCallDuration", "42"),
        ]),
        "/voice/dial",
    );
    let answer = TWILIO.sign("twilio", &dialled)?.send(&world).await?;
    let enough = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>".to_owned();
    assert_eq!(said(&answer), (200, "text/xml; charset=utf-8", enough));
    let content = told(&lead_of(&world, number).await?)?;
    let (_, view) = crate::played::call_of(&content)?;
    assert_eq!((view.agent.as_deref(), view.talk_s), (Some("+74951110101"), Some(42)), "{content:?}");
    Ok(())
}

#[tokio::test]
async fn a_known_caller_rings_who_works_with_them_first() -> anyhow::Result<()> {
    let usual = setup(&TWILIO.section("calls", "forward = \"+7 495 111-01-01\"\nto_responsible = true"));
    let managers = "[[managers]]\nid = \"oleg\"\nextension = \"+7 903 444-55-66\"\n";
    let world = World::new(&Setup { more: managers.to_owned(), ..usual }).await?;
    let number = "79161250030";
    enquiry(&world, "Анна Петрова", &format!("+{number}"), Some("oleg")).await?;
    let base = format!("https://leads.example.com/in/calls/{}", leadgate_tests::gateway::TOKEN);
    let dial = |to: &str, action: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial timeout=\"30\" answerOnBridge=\"true\" \
             action=\"{base}{action}\" method=\"POST\"><Number>{to}</Number></Dial></Response>"
        )
    };
    let kind = "text/xml; charset=utf-8";
    let ring = |number: &str| -> anyhow::Result<Sent> {
        let call = Call::new(&format!("CA{number}"), number)?;
        Ok(Sent { rest: "/voice", ..(TWILIO.tells)(&call, Plot::Missed).remove(0) })
    };
    let answer = TWILIO.sign("calls", &ring("79161259998")?)?.send(&world).await?;
    assert_eq!(said(&answer), (200, kind, dial("+74951110101", "/voice/dial")), "nobody knows them");
    let answer = TWILIO.sign("calls", &ring(number)?)?.send(&world).await?;
    let first = "/voice/first?responsible=%2B79034445566";
    assert_eq!(said(&answer), (200, kind, dial("+79034445566", first)));
    // What Twilio asks next, at the very address it was given.
    let dialled = |rest: &'static str, query: &str, status: &str| Sent {
        rest,
        query: query.to_owned(),
        ..Sent::form(&[
            ("CallSid", &format!("CA{number}")),
            ("From", &format!("+{number}")),
            ("To", "+74951234567"),
            ("Direction", "inbound"),
            ("CallStatus", "in-progress"),
            ("DialCallStatus", status),
            ("DialCallDuration", "42"),
        ])
    };
    let next = dialled("/voice/first", "?responsible=%2B79034445566", "no-answer");
    let answer = TWILIO.sign("calls", &next)?.send(&world).await?;
    assert_eq!(said(&answer), (200, kind, dial("+74951110101", "/voice/dial")));
    let answer = TWILIO.sign("calls", &dialled("/voice/dial", "", "completed"))?.send(&world).await?;
    assert_eq!(said(&answer).2, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    let lead = lead_of(&world, number).await?;
    let calls: Vec<&Value> = lead["timeline"].as_array().into_iter().flatten().filter(|one| one["kind"] == "call").collect();
    assert_eq!(calls.len(), 1, "{lead}");
    let content = serde_json::from_value(calls[0]["content"].clone())?;
    let (facts, view) = crate::played::call_of(&content)?;
    assert_eq!((view.agent.as_deref(), view.talk_s), (Some("+74951110101"), Some(42)), "{facts:?}");
    Ok(())
}
