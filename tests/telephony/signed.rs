//! Who signs is believed, in every form a signature has; and nobody else.

use anyhow::Context as _;
use leadgate_tests::client::{Answer, World, until};
use leadgate_tests::gateway::{Setup, TOKEN, run};
use serde_json::{Value, json};

use crate::clouds::{PLIVO, TELNYX, TWILIO, VONAGE};
use crate::open::ITOOLABS;
use crate::pbxs::{MANGO, ZADARMA};
use crate::played::{Call, PUBLIC, Plot, Provider, Ready, Sent, call_of, gateway_of, lead_of, setup, told};
use crate::{clouds, pbxs, signer};

/// Digits of the number that is called from: none of them is told to whoever looks at what was refused.
const NUMBER: &str = "79161239988";

/// A gateway with sources of everybody who signs, each under the name of its kind.
async fn gateway_of_all(more: &str) -> anyhow::Result<(World, Vec<&'static Provider>)> {
    let all: Vec<&Provider> = clouds::PROVIDERS.iter().chain(pbxs::PROVIDERS).copied().chain([&ITOOLABS]).collect();
    let sections: String = all.iter().map(|provider| provider.section(provider.kind, more)).collect();
    Ok((World::new(&setup(&sections)).await?, all))
}

fn is_refused(provider: &Provider, answer: &Answer) -> anyhow::Result<()> {
    let (status, body) = provider.refuses;
    anyhow::ensure!((answer.status, answer.text().as_str()) == (status, body), "{} {}", answer.status, answer.text());
    Ok(())
}

/// The last digit of the number is another one.
fn another_number(mut ready: Ready) -> anyhow::Result<Ready> {
    let text = String::from_utf8(ready.body)?;
    anyhow::ensure!(text.contains(NUMBER), "{text}");
    ready.body = text.replace(NUMBER, "79161239989").into_bytes();
    Ok(ready)
}

/// The third character from the end of each header that signs is another one.
fn another_signature(mut ready: Ready) -> Ready {
    for (name, value) in &mut ready.headers {
        let signs = ["signature", "authorization", "telnyx-signature-ed25519"];
        if (signs.contains(&name.to_ascii_lowercase().as_str()) || name.ends_with("Signature") || name.ends_with("-V3"))
            && let Some(at) = value.len().checked_sub(5)
        {
            let other = if &value[at..=at] == "A" { "B" } else { "A" };
            value.replace_range(at..=at, other);
        }
    }
    ready
}

#[tokio::test]
async fn whatever_was_changed_on_the_way_is_refused_and_no_lead() -> anyhow::Result<()> {
    let (world, all) = gateway_of_all("lead_on = \"ring\"").await?;
    let call = Call::new("tampered", NUMBER)?;
    for provider in &all {
        let sent = (provider.tells)(&call, Plot::Missed).remove(0);
        let good = provider.sign(provider.kind, &sent)?;
        let mut changed = vec![];
        if provider.signer == "plain" {
            let token = String::from_utf8(good.body.clone())?.replace(provider.secret, "another-key-of-a-crm");
            changed.push(("token", Ready { body: token.into_bytes(), ..good.clone() }));
        } else {
            changed.push(("body", another_number(good.clone())?));
        }
        if !matches!(provider.signer, "mango" | "plain") {
            changed.push(("header", another_signature(good.clone())));
            changed.push(("no header", Ready { headers: good.headers[good.headers.len() - 1..].to_vec(), ..good.clone() }));
        }
        if matches!(provider.signer, "twilio" | "plivo") {
            changed.push(("query", Ready { path: format!("{}?CallStatus=busy", good.path), ..good.clone() }));
            changed.push(("path", Ready { path: format!("{}/voice/dial", good.path), ..good.clone() }));
            let more = Ready { body: [good.body.as_slice(), b"&Blank="].concat(), ..good.clone() };
            changed.push(("a blank parameter more", more));
            changed.push(("scheme", provider.sign_as(provider.kind, &sent, &PUBLIC.replace("https:", "http:"), &json!({}))?));
        }
        if matches!(provider.signer, "telnyx" | "vonage") {
            changed.push(("a space more", Ready { body: [good.body.as_slice(), b" "].concat(), ..good.clone() }));
        }
        for (what, ready) in changed {
            is_refused(provider, &ready.send(&world).await?).with_context(|| format!("{}: {what}", provider.kind))?;
        }
        let elsewhere = Ready { path: good.path.replace(TOKEN, "test-token-of-nobody"), ..good.clone() };
        assert_eq!(elsewhere.send(&world).await?.status, 404, "{}: without the source's token nothing is there", provider.kind);
    }
    assert!(world.leads().await?.is_empty());
    // What is kept of them, for the day a secret was mistyped, holds no secret.
    let held = world.submissions("quarantined").await?;
    for one in &held {
        let why = one["reasons"].to_string();
        assert!(["sign", "token"].iter().any(|word| why.contains(word)), "{one}");
        let raw = world.raw(&one["id"]).await?;
        for provider in &all {
            assert!(provider.secret.is_empty() || !raw.contains(provider.secret), "{}: {raw}", provider.kind);
        }
        assert!(!raw.contains("code-of-the-pbx") && !raw.contains("another-key-of-a-crm"), "{raw}");
    }
    for provider in &all {
        assert!(held.iter().any(|one| one["source"] == provider.kind), "{} has one to look at: {held:?}", provider.kind);
        let good = provider.sign(provider.kind, &(provider.tells)(&call, Plot::Missed).remove(0))?;
        provider.is_thanked(&good.send(&world).await?).context(provider.kind)?;
    }
    assert_eq!(world.leads().await?.len(), 1, "what is signed is heard: one customer rang at every line");
    Ok(())
}

#[tokio::test]
async fn why_it_was_refused_is_shown_without_what_is_nobody_s_business() -> anyhow::Result<()> {
    let (world, all) = gateway_of_all("").await?;
    let call = Call::new("refused", NUMBER)?;
    for provider in &all {
        let sent = (provider.tells)(&call, Plot::Missed).remove(0);
        let good = provider.sign(provider.kind, &sent)?;
        let ready = if provider.signer == "plain" {
            Ready { body: String::from_utf8(good.body)?.replace(provider.secret, "wrong").into_bytes(), ..good }
        } else {
            another_number(good)?
        };
        let ready = Ready { path: format!("{}?phone=%2B{NUMBER}", ready.path), ..ready };
        is_refused(provider, &ready.send(&world).await?).context(provider.kind)?;
    }
    // What is counted is written when it stops, if not before.
    let (config, folder) = (world.gateway.config.clone(), world.folder);
    world.gateway.stop().await?;
    let shown = run(&config, None, &["sources"]).await?;
    let text = String::from_utf8(shown.stdout)?;
    assert!(shown.status.success(), "{text}");
    for (kind, words) in [
        ("twilio", "https://leads.example.com/in/twilio/…?phone=… with AccountSid, ApiVersion, CallSid, CallStatus"),
        ("plivo", "https://leads.example.com/in/plivo/…?phone=… with CallUUID"),
        ("telnyx", " bytes of the body"),
        ("vonage", "payload_hash"),
        ("mango", "vpbx_api_key+json+salt"),
        ("zadarma", "caller_id+called_did+call_start"),
        ("itoolabs", "crm_token is wrong"),
    ] {
        let of_it = text.split(&format!("{kind} (")).nth(1).with_context(|| format!("{kind} is shown: {text}"))?;
        let refused = of_it.lines().find(|line| line.contains("last refused")).with_context(|| format!("{kind}: {of_it}"))?;
        assert!(refused.contains(words), "{kind}: {refused}");
        assert!(of_it.contains("1 quarantined\n"), "it is kept, and counted once: {of_it}");
        assert!(!refused.contains(&NUMBER[1..]) && !refused.contains(TOKEN), "{kind}: {refused}");
    }
    drop(folder);
    Ok(())
}

#[tokio::test]
async fn behind_a_declared_proxy_it_is_the_address_that_the_provider_called() -> anyhow::Result<()> {
    let call = Call::new("proxied", NUMBER)?;
    let behind = |ready: Ready, scheme: &str| {
        ready.header("host", "leads.example.com").header("x-forwarded-proto", scheme).header("x-forwarded-for", "203.0.113.9")
    };
    let sections = [&TWILIO, &PLIVO].map(|provider| provider.section(provider.kind, "")).concat();
    for (server, https, http) in [
        // What the configuration says counts before what anybody else says.
        ("public_url = \"https://leads.example.com\"", true, true),
        ("trusted_proxies = [\"127.0.0.1\"]", true, false),
        // Nobody has declared it.
        ("", false, false),
    ] {
        let world = World::new(&Setup { server: server.to_owned(), ..setup(&sections) }).await?;
        for provider in [&TWILIO, &PLIVO] {
            let sent = (provider.tells)(&call, Plot::Missed).remove(0);
            let signed = provider.sign(provider.kind, &sent)?;
            for (scheme, good) in [("https", https), ("http", http)] {
                let answer = behind(signed.clone(), scheme).send(&world).await?;
                let what = || format!("{server}: {} by {scheme}", provider.kind);
                if good { provider.is_thanked(&answer) } else { is_refused(provider, &answer) }.with_context(what)?;
            }
        }
        let (config, folder) = (world.gateway.config.clone(), world.folder);
        world.gateway.stop().await?;
        let shown = String::from_utf8(run(&config, None, &["sources"]).await?.stdout)?;
        let told = shown.contains("signed was: http://leads.example.com/in/twilio/… with ");
        assert_eq!(told, !http, "the address that does not fit can be seen: {shown}");
        drop(folder);
    }
    Ok(())
}

#[tokio::test]
async fn secrets_are_changed_without_losing_a_call() -> anyhow::Result<()> {
    const SEED: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
    let two = |keys: &str, more: &str| {
        let (name, value) = keys.split_once(" = ").unwrap_or_default();
        format!("{name} = [{value}, \"{more}\"]")
    };
    let changing = [
        (&TWILIO, two("auth_token = \"0123456789abcdef0123456789abcdef\"", "the-new-token"), "the-new-token"),
        (&PLIVO, two(PLIVO.keys, "the-new-token"), "the-new-token"),
        (&TELNYX, two(TELNYX.keys, "Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc="), SEED),
        (
            &VONAGE,
            two("signature_secret = \"qwertyuiopasdfghjklzxcvbnm123456\"", "a-new-secret-of-at-least-32-bytes"),
            "a-new-secret-of-at-least-32-bytes",
        ),
        (&MANGO, format!("key = \"code-of-the-pbx\"\n{}", two("salt = \"salt-of-the-pbx\"", "pepper")), "pepper"),
        (&ZADARMA, two(ZADARMA.keys, "the-new-secret"), "the-new-secret"),
    ];
    let section = |(provider, keys, _): &(&Provider, String, &str)| {
        format!("[sources.{0}]\nkind = \"{0}\"\ntoken = \"{TOKEN}\"\n{keys}\n", provider.kind)
    };
    let world = World::new(&setup(&changing.iter().map(section).collect::<String>())).await?;
    for (provider, _, new) in &changing {
        let wrong =
            if provider.kind == "telnyx" { "40".repeat(32) } else { "a-secret-of-nobody-of-at-least-32-bytes".to_owned() };
        for (secret, good) in [(provider.secret, true), (*new, true), (wrong.as_str(), false)] {
            let call = Call::new(&format!("{secret:.8}"), NUMBER)?;
            let sent = (provider.tells)(&call, Plot::Missed).remove(0);
            let answer = provider.sign_as(provider.kind, &sent, PUBLIC, &json!({ "secret": secret }))?.send(&world).await?;
            if good { provider.is_thanked(&answer) } else { is_refused(provider, &answer) }
                .with_context(|| format!("{} with {secret}", provider.kind))?;
        }
    }
    // The old one is taken away; what was sent with it before is not accepted again.
    let config = std::fs::read_to_string(&world.gateway.config)?;
    std::fs::write(&world.gateway.config, config.replace("\"0123456789abcdef0123456789abcdef\", ", ""))?;
    world.gateway.signal("HUP").await?;
    let sent = (TWILIO.tells)(&Call::new("after", NUMBER)?, Plot::Missed).remove(0);
    until("the old one is taken away", async || {
        let answer = TWILIO.sign("twilio", &sent)?.send(&world).await?;
        Ok(is_refused(&TWILIO, &answer).ok())
    })
    .await?;
    let answer = TWILIO.sign_as("twilio", &sent, PUBLIC, &json!({ "secret": "the-new-token" }))?.send(&world).await?;
    TWILIO.is_thanked(&answer)
}

#[tokio::test]
async fn every_form_a_callback_has() -> anyhow::Result<()> {
    let (world, _) = gateway_of_all("lead_on = \"ring\"").await?;
    let odd = [("CallerName", "Иван + Пётр & Co"), ("Empty", ""), ("Spaced", " a  b "), ("Percent", "100%2B")];
    let number = format!("+{NUMBER}");
    let twice = |mut sent: Sent| {
        if let crate::played::Body::Form(fields) = &mut sent.body {
            let more = [("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")];
            fields.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        sent
    };
    let ringing = |id: &str| {
        Ok::<_, anyhow::Error>((
            (TWILIO.tells)(&Call::new(id, NUMBER)?, Plot::Missed).remove(0).with(&odd),
            (PLIVO.tells)(&Call::new(id, NUMBER)?, Plot::Missed).remove(0).with(&odd),
        ))
    };
    let with_query = |sent: Sent| Sent { query: "?b=2&a=%D1%8F+%2B&b=1&c=".to_owned(), ..sent };
    let with_plain_query = |sent: Sent| Sent { query: "?b=2&a=a+%2B+b&b=1&c=".to_owned(), ..sent };
    let (twilio, plivo) = ringing("odd")?;
    let json_body = Sent::json(json!({ "CallSid": "json", "CallStatus": "ringing", "From": number, "To": "+74951234567" }));
    let got = Sent::form(&[
        ("conversation_uuid", "got"),
        ("status", "ringing"),
        ("from", NUMBER),
        ("to", "74951234567"),
        ("direction", "inbound"),
    ])
    .got();
    let vonage = (VONAGE.tells)(&Call::new("vonage", NUMBER)?, Plot::Missed).remove(0);
    let parts = (ZADARMA.tells)(&Call::new("parts", NUMBER)?, Plot::Missed).remove(0).with(&odd);
    let texml = (TELNYX.tells)(&Call::new("texml", NUMBER)?, Plot::Out).remove(0).with(&odd);
    let shared = json!({ "secret": "a-key-for-signatures-alone", "algorithm": "HMAC_SHA256" });
    let at_port = |port: u16| json!({ "url": format!("{PUBLIC}:{port}/in/twilio/{TOKEN}") });
    let cases: Vec<(&Provider, Sent, Value, bool)> = vec![
        (&TWILIO, twilio.clone(), json!({}), true),
        (&TWILIO, twice(twilio.clone()), json!({}), true),
        (&TWILIO, with_query(twice(twilio.clone())), json!({}), true),
        (&TWILIO, with_query(twilio.clone()).got(), json!({}), true),
        (&TWILIO, json_body.clone(), json!({}), true),
        (&TWILIO, with_query(json_body.clone()), json!({}), true),
        (&TWILIO, twilio.clone(), shared.clone(), true),
        (&TWILIO, json_body, shared, true),
        // By the account's token it is SHA-1, by the other key it is not.
        (&TWILIO, twilio.clone(), json!({ "algorithm": "HMAC_SHA256" }), false),
        (&TWILIO, twilio.clone(), json!({ "secret": "a-key-for-signatures-alone" }), false),
        // Twilio signs the usual port, or does not.
        (&TWILIO, twilio.clone(), at_port(443), true),
        (&TWILIO, twilio, at_port(8443), false),
        (&PLIVO, plivo.clone(), json!({}), true),
        (&PLIVO, twice(plivo.clone()), json!({}), true),
        // Plivo's own library reads no query but an English one.
        (&PLIVO, with_plain_query(twice(plivo.clone())), json!({}), true),
        (&PLIVO, with_plain_query(plivo).with(&[("CallerName", "Ivan + Co")]).got(), json!({}), true),
        (&ZADARMA, parts, json!({ "multipart": true }), true),
        (&TELNYX, texml, json!({}), true),
        (&VONAGE, vonage, json!({ "claims": { "api_key": "another" } }), false),
        (&VONAGE, got, json!({}), true),
    ];
    for (n, (provider, sent, more, good)) in cases.iter().enumerate() {
        let answer = provider.sign_as(provider.kind, sent, PUBLIC, more)?.send(&world).await?;
        let heard = if *good { provider.is_thanked(&answer) } else { is_refused(provider, &answer) };
        heard.with_context(|| format!("{n}: {} {sent:?} {more}", provider.kind))?;
    }
    Ok(())
}

#[tokio::test]
async fn of_a_part_that_is_signed_it_is_known_that_it_is_a_part() -> anyhow::Result<()> {
    let world = gateway_of(&ZADARMA, "").await?;
    let call = Call::new("partly", NUMBER)?;
    let mut events = (ZADARMA.tells)(&call, Plot::Missed);
    let end = events.pop().context("an end")?;
    // Zadarma signs two numbers and a time: that it lasted longer, whoever stands between may say.
    let mut ready = ZADARMA.sign("calls", &end)?;
    ready.body = String::from_utf8(ready.body)?.replace("duration=0", "duration=7").into_bytes();
    ZADARMA.is_thanked(&ready.send(&world).await?)?;
    let content = told(&lead_of(&world, NUMBER).await?)?;
    let (facts, view) = call_of(&content)?;
    assert_eq!((facts.partly_signed, view.wait_s), (true, Some(7)), "{facts:?}");
    Ok(())
}

#[tokio::test]
async fn mango_s_own_client_posts_to_it() -> anyhow::Result<()> {
    let world = gateway_of(&MANGO, "").await?;
    let call = Call::new("mango", NUMBER)?;
    // With a slash at the end of the address and without one, as people write it.
    for (n, slash) in ["/", "//"].into_iter().enumerate() {
        let to = world.gateway.url(&format!("/in/calls/{TOKEN}{slash}"));
        for sent in (MANGO.tells)(&Call { id: format!("mango-{n}"), ..call.clone() }, Plot::Answered) {
            let crate::played::Body::Json(body) = &sent.body else { continue };
            let made = signer::ask(&json!({
                "provider": "mango", "method": "POST", "key": "code-of-the-pbx", "secret": MANGO.secret, "to": to,
                "path": sent.rest.trim_start_matches('/'), "json": body.to_string(),
            }))?;
            assert_eq!((&made["status"], &made["answer"]), (&json!(200), &json!("")), "{made}");
        }
    }
    let lead = lead_of(&world, NUMBER).await?;
    assert_eq!(lead["timeline"].as_array().map(Vec::len), Some(2), "{lead}");
    // The cabinet's check of the connection: there is nothing to sign, and nothing to keep.
    let check = Sent::form(&[("vpbx_api_key", "code-of-the-pbx"), ("sign", "0123")]);
    let ready = Provider { signer: "plain", ..PLAIN_MANGO }.sign("calls", &check)?;
    let before = world.all("/submissions").await?.len();
    MANGO.is_thanked(&ready.send(&world).await?)?;
    assert_eq!(world.all("/submissions").await?.len(), before);
    Ok(())
}

/// Mango without a signature.
const PLAIN_MANGO: Provider = Provider {
    name: "mango",
    kind: "mango",
    signer: "plain",
    secret: "",
    keys: "",
    tells: |_, _| Vec::new(),
    unknown: || Sent::form(&[]),
    thanks: (200, "text/plain; charset=utf-8", ""),
    refuses: (403, "forbidden\n"),
    agent: "",
};
