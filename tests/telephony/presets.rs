//! One's own PBX and the presets of the mapping: what is theirs alone.

use anyhow::Context as _;
use leadgate_core::call::CallOutcome;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::TOKEN;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::own::{ASTERISK, BINOTEL, CALLRAIL, FREESWITCH, TELPHIN, THREE_CX, UIS, VOXIMPLANT};
use crate::played::{Body, Call, PUBLIC, Plot, Provider, Ready, Sent, call_of, gateway_of, lead_of, setup, told};

#[tokio::test]
async fn a_wrong_key_password_or_signature_is_refused() -> anyhow::Result<()> {
    let all: [&Provider; 5] = [&CALLRAIL, &VOXIMPLANT, &UIS, &FREESWITCH, &ASTERISK];
    let sections: String = all.iter().map(|provider| provider.section(provider.name, "")).collect();
    let world = World::new(&setup(&sections)).await?;
    let call = Call::new("wrong", "79161270001")?;
    for provider in all {
        for sent in (provider.tells)(&call, Plot::Missed) {
            let good = provider.sign(provider.name, &sent)?;
            let mut wrong = vec![];
            let unsigned = Provider { signer: "plain", ..*provider };
            if provider.name == "uis" {
                wrong.push(provider.sign(provider.name, &sent.clone().with(&[("key", "another")]))?);
                wrong.push(provider.sign(provider.name, &sent.clone().with(&[("key", "")]))?);
            } else {
                wrong.push(unsigned.sign(provider.name, &sent)?);
                wrong.push(provider.sign_as(provider.name, &sent, PUBLIC, &json!({ "secret": "asterisk:another" }))?);
            }
            if ["callrail", "voximplant"].contains(&provider.name) {
                wrong.push(Ready { body: [good.body.as_slice(), b" "].concat(), ..good.clone() });
            }
            for ready in wrong {
                let answer = ready.send(&world).await?;
                let (status, body) = provider.refuses;
                assert_eq!((answer.status, answer.text().as_str()), (status, body), "{}: {ready:?}", provider.name);
            }
        }
    }
    assert!(world.leads().await?.is_empty());
    for one in world.submissions("quarantined").await? {
        let raw = world.raw(&one["id"]).await?;
        assert!(!raw.contains("another") && !raw.contains("key-in-every-body") && !raw.contains("pass-of"), "{raw}");
    }
    for provider in all {
        provider.tell_all(&world, provider.name, &call, Plot::Missed).await?;
    }
    assert_eq!(world.only_lead().await?["timeline"].as_array().map(Vec::len), Some(all.len()));
    Ok(())
}

/// Posts as `mod_json_cdr` does, by libcurl.
async fn curled(world: &World, path: &str, arguments: &[&str], body: &str) -> anyhow::Result<String> {
    let mut curl = Command::new("curl")
        .args(["-sS", "-X", "POST", "-u", FREESWITCH.secret, "-A", "freeswitch-json/1.0", "-w", "%{http_code}"])
        .args(arguments)
        .args(["--data-binary", "@-", &world.gateway.url(path)])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("curl is missing: tests/run installs it")?;
    let mut input = curl.stdin.take().context("an input")?;
    input.write_all(body.as_bytes()).await?;
    drop(input);
    Ok(String::from_utf8(curl.wait_with_output().await?.stdout)?)
}

#[tokio::test]
async fn a_record_of_freeswitch_in_every_form_its_module_writes() -> anyhow::Result<()> {
    let world = gateway_of(&FREESWITCH, "").await?;
    let large = "x".repeat(100 << 10);
    let forms: [(&str, &[&str]); 5] = [
        ("bare", &["-H", "Content-Type: application/json"]),
        // With disable-100-continue it is libcurl that names the type.
        ("bare", &["-H", "Expect:"]),
        ("bare", &["-H", "Content-Type: application/json", "-H", "Expect: 100-continue"]),
        ("escaped", &["-H", "Content-Type: application/x-www-form-urlencoded"]),
        ("base64", &["-H", "Content-Type: application/x-www-form-base64-encoded"]),
    ];
    for (n, (form, arguments)) in forms.into_iter().enumerate() {
        let call = Call::new(&format!("record-{n}"), &format!("7916127100{n}"))?;
        for mut sent in (FREESWITCH.tells)(&call, Plot::Answered) {
            let Body::Json(record) = &mut sent.body else { continue };
            // Some pluses in base64, and more than fits into a packet.
            record["variables"]["sip_full_via"] = format!("~~~>>>???{large}").into();
            let text = record.to_string();
            let body = match form {
                "bare" => text,
                "escaped" => format!("cdr={}", leadgate_tests::people::urlencode(&text)),
                _ => format!("cdr={}", data_encoding::BASE64.encode(text.as_bytes())),
            };
            let path = format!("/in/calls/{TOKEN}{}", sent.query);
            assert_eq!(curled(&world, &path, arguments, &body).await?, "200", "{form} {arguments:?}");
        }
        let content = told(&lead_of(&world, &call.number).await?)?;
        let (facts, view) = call_of(&content)?;
        assert_eq!((view.outcome, view.talk_s), (Some(CallOutcome::Answered), Some(42)), "{form}: {facts:?}");
    }
    Ok(())
}

#[tokio::test]
async fn where_nothing_sums_a_call_up_silence_does() -> anyhow::Result<()> {
    let world = gateway_of(&TELPHIN, "").await?;
    let (answered, missed) = (Call::new("answered", "79161272000")?, Call::new("missed", "79161272001")?);
    TELPHIN.tell_all(&world, "calls", &answered, Plot::Answered).await?;
    TELPHIN.tell_all(&world, "calls", &missed, Plot::Missed).await?;
    assert!(world.leads().await?.is_empty(), "a leg's end is not the call's");
    until("both are over", async || Ok((world.leads().await?.len() == 2).then_some(()))).await?;
    for (call, outcome, agent, talk) in
        [(&answered, CallOutcome::Answered, Some("101"), Some(42)), (&missed, CallOutcome::NoAnswer, None, None)]
    {
        let content = told(&lead_of(&world, &call.number).await?)?;
        let (facts, view) = call_of(&content)?;
        assert_eq!((view.outcome, view.agent.as_deref(), view.talk_s), (Some(outcome), agent, talk), "{facts:?}");
        assert!(facts.silent && facts.summary.is_none(), "{facts:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_tried_six_times_is_one_call() -> anyhow::Result<()> {
    let world = gateway_of(&BINOTEL, "").await?;
    let call = Call::new("six", "79161273000")?;
    let last = (BINOTEL.tells)(&call, Plot::Answered).pop().context("a last word")?;
    for attempt in 1..=6 {
        BINOTEL.tell(&world, "calls", &last.clone().with(&[("attemptsCounter", &attempt.to_string())])).await?;
    }
    let lead = lead_of(&world, &call.number).await?;
    told(&lead)?;
    // Before it is put through, Binotel asks who calls.
    world.form(&[("name", "Анна Ким"), ("phone", "+7 916 127-30-01")]).await?.expect(200)?;
    for (number, said) in [("79161273001", r#"{"name":"Анна Ким","customerData":{"name":"Анна Ким"}}"#), ("79161273009", "{}")]
    {
        let asked = Sent::form(&[
            ("requestType", "apiCallSettings"),
            ("generalCallID", number),
            ("externalNumber", number),
            ("callType", "0"),
        ]);
        let answer = BINOTEL.sign("calls", &asked)?.send(&world).await?;
        assert_eq!((answer.status, answer.header("content-type"), answer.text().as_str()), (200, "application/json", said));
    }
    Ok(())
}

#[tokio::test]
async fn a_template_of_3cx_asks_and_reports() -> anyhow::Result<()> {
    let world = gateway_of(&THREE_CX, "time_zone = \"UTC\"").await?;
    world.form(&[("name", "Анна \"А\" Ким"), ("phone", "+7 916 127-40-00")]).await?.expect(200)?;
    for (number, known) in [("79161274000", true), ("%2B79161274000", true), ("79161274009", false)] {
        let url = world.gateway.url(&format!("/in/calls/{TOKEN}/lookup?number={number}"));
        let answer = send(world.web.request(Method::GET, url)).await?.expect(200)?;
        let contacts = answer.json()?["contacts"].clone();
        let name = if known { json!("Анна \"А\" Ким") } else { json!(null) };
        assert_eq!(contacts[0]["firstname"], name, "{number}: {contacts}");
    }
    for (n, plot) in [Plot::Answered, Plot::Missed].into_iter().enumerate() {
        THREE_CX.tell_all(&world, "calls", &Call::new("", &format!("7916127410{n}"))?, plot).await?;
    }
    let content = told(&lead_of(&world, "79161274100").await?)?;
    let (facts, view) = call_of(&content)?;
    assert_eq!((view.agent.as_deref(), view.talk_s), (Some("101"), Some(42)), "{facts:?}");
    Ok(())
}

#[tokio::test]
async fn a_pbx_that_nobody_knows_is_read_by_what_is_declared() -> anyhow::Result<()> {
    let bare = format!("[sources.bare]\nkind = \"call_webhook\"\ntoken = \"{TOKEN}\"\n");
    let mapped = format!(
        "[sources.mapped]\nkind = \"call_webhook\"\ntoken = \"{TOKEN}\"\nreply = {{ status = 202, type = \"text/plain\", body = \"got {{id}}\" }}\n\
         map = {{ call_id = \"/call/id\", event = {{ from = \"/type\", values = {{ over = \"finished\" }} }}, direction = \"/way\", \
         number = \"/client\", talk = \"/call/talk\", outcome = \"/result\" }}\n"
    );
    let world = World::new(&setup(&format!("{bare}{mapped}"))).await?;
    let post = async |source: &str, body: serde_json::Value| {
        send(world.web.post(world.gateway.url(&format!("/in/{source}/{TOKEN}"))).json(&body)).await
    };
    let own = json!({ "call_id": "1", "event": "finished", "direction": "in", "number": "+79161275000", "talk": 42, "outcome": "answered" });
    assert_eq!(post("bare", own).await?.expect(200)?.text(), "ok");
    let theirs =
        json!({ "call": { "id": 1, "talk": 42 }, "type": "over", "way": "in", "client": "89161275001", "result": "ANSWERED" });
    let answer = post("mapped", theirs).await?.expect(202)?;
    assert!(answer.text().starts_with("got 0"), "{}", answer.text());
    for number in ["79161275000", "79161275001"] {
        let content = told(&lead_of(&world, number).await?)?;
        assert_eq!(call_of(&content)?.1.talk_s, Some(42), "{number}");
    }
    Ok(())
}
