//! A form of one's own site: whatever way it is sent, it arrives.

use anyhow::Context as _;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Setup, TOKEN};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The values of a kind as typed, of a lead's first activity.
fn typed(lead: &Value, kind: &str) -> Vec<String> {
    let values = lead["timeline"][0]["content"]["values"].as_array().cloned().unwrap_or_default();
    values.iter().filter(|value| value["kind"] == kind).filter_map(|value| value["typed"].as_str().map(str::to_owned)).collect()
}

/// A value of the first touch and where it was found.
fn touch<'a>(lead: &'a Value, key: &str) -> Option<(&'a str, &'a str)> {
    let values = lead["first_touch"]["values"].as_array()?;
    let value = values.iter().find(|value| value["key"] == key)?;
    Some((value["value"].as_str()?, value["from"].as_str()?))
}

/// A field that is kept as it is.
fn field<'a>(lead: &'a Value, name: &str) -> Option<&'a str> {
    let fields = lead["timeline"][0]["content"]["fields"].as_array()?;
    fields.iter().find(|field| field["name"] == name)?["value"].as_str()
}

/// Posts bytes of a type.
async fn post(world: &World, content_type: &str, body: impl Into<Vec<u8>>) -> anyhow::Result<()> {
    let request = world.web.post(world.gateway.action()).header("content-type", content_type).body(body.into());
    send(request).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn urlencoded_with_everything_a_form_has() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let request = world.web.post(world.gateway.url("/in/site/test-token-0123456789/?utm_medium=cpc&utm_source=action&city=Tver"));
    let fields = [
        ("Имя", "Анна Петрова"),
        ("Телефон", "8 (916) 123-45-67"),
        ("E-mail", " Anna.Petrova@Yandex.ru "),
        ("Сообщение", "Здравствуйте!\r\nПерезвоните."),
        ("utm_source", "field"),
        ("color", "red"),
        ("color", "blue"),
        ("page", "https://shop.example/p?utm_source=page&utm_campaign=spring"),
        ("consent", "Согласен на обработку данных"),
        ("password", "hunter2"),
        ("card_number", "4111 1111 1111 1111"),
        ("form_name", "Callback"),
    ];
    send(request.header("user-agent", "Test/1.0").form(&fields)).await?.expect(200)?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["name"], "Анна Петрова");
    assert_eq!(typed(&lead, "phone"), ["8 (916) 123-45-67"]);
    assert_eq!(lead["person"]["identities"].as_array().context("identities")?.len(), 2, "{lead}");
    assert_eq!(lead["timeline"][0]["content"]["message"], "Здравствуйте!\nПерезвоните.");
    assert_eq!(touch(&lead, "utm_source"), Some(("field", "field")));
    assert_eq!(touch(&lead, "utm_medium"), Some(("cpc", "action_url")));
    assert_eq!(touch(&lead, "utm_campaign"), Some(("spring", "page_url")));
    assert_eq!(field(&lead, "city"), Some("Tver"), "what the action URL says is kept");
    let colors: Vec<_> =
        lead["timeline"][0]["content"]["fields"].as_array().context("fields")?.iter().filter(|f| f["name"] == "color").collect();
    assert_eq!(colors.len(), 2, "both values of a repeated field are kept: {lead}");
    let consent = &lead["timeline"][0]["content"]["consents"][0];
    assert_eq!(consent["text"], "Согласен на обработку данных");
    assert_eq!(consent["given"], true);
    assert_eq!(consent["page"], "https://shop.example/p?utm_source=page&utm_campaign=spring");
    assert_eq!(consent["address"], "127.0.0.1");
    assert_eq!(lead["timeline"][0]["content"]["form"]["name"], "Callback");
    let raw = world.raw(&lead["timeline"][0]["submission"]).await?;
    let told = lead.to_string();
    for secret in ["hunter2", "4111 1111", "4111+1111"] {
        assert!(!raw.contains(secret) && !told.contains(secret), "{secret} is kept:\n{raw}\n{told}");
    }
    assert!(raw.contains("password="), "the field itself is seen: {raw}");
    Ok(())
}

#[tokio::test]
async fn multipart_with_files() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let plan = b"%PDF-1.4 a plan".to_vec();
    let form = Form::new()
        .text("name", "Борис")
        .text("phone", "+7 916 200-00-01")
        .part("file", Part::bytes(plan.clone()).file_name("план дома.pdf").mime_str("application/pdf")?)
        .part("file2", Part::bytes(b"<script>alert(1)</script>".to_vec()).file_name("page.html").mime_str("text/html")?)
        .part("empty", Part::bytes(Vec::new()).file_name(""));
    send(world.web.post(world.gateway.action()).multipart(form)).await?.expect(200)?;
    let lead = world.only_lead().await?;
    let files = lead["timeline"][0]["content"]["files"].as_array().context("files")?.clone();
    assert_eq!(files.len(), 1, "only the plan is kept: {files:?}");
    assert_eq!(files[0]["name"], "план дома.pdf");
    assert_eq!(files[0]["size"], plan.len());
    assert!(field(&lead, "file page.html").is_some_and(|why| why.starts_with("not kept")), "{lead}");

    let sha256 = files[0]["sha256"].as_str().context("a hash")?;
    let file = send(world.api(Method::GET, &format!("/attachments/{sha256}?name=%D0%BF.html"))).await?.expect(200)?;
    assert_eq!(file.body, plan);
    assert!(file.header("content-disposition").starts_with("attachment"), "{:?}", file.headers);
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert!(file.header("content-security-policy").contains("sandbox"), "{:?}", file.headers);
    assert_eq!(file.header("content-type"), "application/octet-stream");
    assert_eq!(send(world.web.get(world.gateway.url(&format!("/api/v1/attachments/{sha256}")))).await?.status, 401);
    let missing = send(world.api(Method::GET, &format!("/attachments/{}", "0".repeat(64)))).await?;
    assert_eq!(missing.status, 404);
    let raw = world.raw(&lead["timeline"][0]["submission"]).await?;
    assert!(raw.contains(sha256) && !raw.contains("%PDF"), "the raw form names the file and does not hold it: {raw}");
    Ok(())
}

#[tokio::test]
async fn json_and_beacons_and_old_encodings() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let body = json!({ "name": "Вера", "phone": "+7 916 200-00-02", "answers": { "rooms": 3, "balcony": true } }).to_string();
    post(&world, "application/json", body).await?;
    // navigator.sendBeacon with a text.
    post(&world, "text/plain;charset=UTF-8", json!({ "name": "Глеб", "phone": "+7 916 200-00-03" }).to_string()).await?;
    // fetch with a form's text and no thought for its type.
    post(&world, "text/plain;charset=UTF-8", "name=%D0%94%D0%B0%D1%80%D1%8C%D1%8F&phone=%2B79162000004").await?;
    post(&world, "application/octet-stream", "name=Egor&phone=%2B79162000005").await?;
    // A page in windows-1251.
    post(&world, "application/x-www-form-urlencoded", "name=%C0%ED%ED%E0&phone=%2B79162000006&message=%CF%F0%E8%E2%E5%F2")
        .await?;
    post(&world, "application/x-www-form-urlencoded", "_charset_=windows-1251&name=%C8%E2%E0%ED&phone=%2B79162000007").await?;
    let leads = world.leads().await?;
    let names: Vec<_> = leads.iter().rev().map(|lead| lead["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["Вера", "Глеб", "Дарья", "Egor", "Анна", "Иван"]);
    let phones: Vec<_> =
        leads.iter().rev().map(|lead| lead["phone"].as_str().unwrap_or_default().replace([' ', '-', '(', ')'], "")).collect();
    assert_eq!(phones, (2..8).map(|n| format!("+791620000{n:02}")).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_used_is_kept_and_flagged() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    world.form(&[("name", "Жанна"), ("phone", "12345"), ("email", "zhanna@@x"), ("_id", "bad")]).await?.expect(200)?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["name"], "Жанна");
    assert_eq!(typed(&lead, "phone"), ["12345"]);
    assert_eq!(typed(&lead, "email"), ["zhanna@@x"]);
    for value in lead["timeline"][0]["content"]["values"].as_array().context("values")? {
        assert!(value["flags"].as_array().is_some_and(|flags| flags.contains(&json!("invalid"))), "{value}");
        assert_eq!(value["strength"], "none");
    }
    assert!(lead["person"].is_null(), "a name alone is nobody: {lead}");
    let reasons = lead["timeline"][0]["reasons"].to_string();
    assert!(reasons.contains("nothing in it says who it is from") && reasons.contains("12345"), "{reasons}");

    world.form(&[("message", "Сколько стоит?"), ("_id", "nobody")]).await?.expect(200)?;
    let leads = world.leads().await?;
    assert_eq!(leads.len(), 2);
    assert!(leads[0]["contact"].is_null() && leads[0]["name"] == "", "{}", leads[0]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_for_a_person() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    post(&world, "application/json", "{\"name\": \"Зоя\", \"phone\"").await?;
    post(&world, "multipart/form-data; boundary=x", "--y\r\nnothing of the kind").await?;
    post(&world, "application/x-www-form-urlencoded", "").await?;
    post(&world, "application/json", "[".repeat(100_000)).await?;
    assert_eq!(world.leads().await?.len(), 0);
    let held = world.submissions("quarantined").await?;
    assert_eq!(held.len(), 4, "{held:?}");
    for one in &held {
        assert!(one["reasons"].to_string().contains("cannot be read"), "{one}");
    }
    let json = held.iter().rev().find(|one| one["content_type"] == "application/json").context("the JSON is held")?;
    assert_eq!(world.raw(&json["id"]).await?, "{\"name\": \"Зоя\", \"phone\"", "with its bytes");
    let shown = world.gateway.cli(&["quarantine", "show", json["id"].as_str().context("an id")?]).await?;
    assert!(shown.contains("Зоя") && shown.contains("cannot be read"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_sender_that_is_too_slow_or_breaks_off_costs_nothing() -> anyhow::Result<()> {
    let setup = Setup { server: "body_timeout = \"200 ms\"\nheader_timeout = \"200 ms\"".to_owned(), ..Setup::default() };
    let mut world = World::new(&setup).await?;
    // The gateway hangs up on a silent connection: none is kept for the next question.
    world.web = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
    let path = format!("/in/site/{TOKEN}");
    let begun = |body: &str| format!("POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 50\r\n\r\n{body}");
    let mut slow = TcpStream::connect(world.gateway.address).await?;
    slow.write_all(begun("name=Anna&").as_bytes()).await?;
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // A head that never ends is not waited for either.
    let mut silent = TcpStream::connect(world.gateway.address).await?;
    silent.write_all(b"POST /in/site").await?;
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).await?;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let mut broken = TcpStream::connect(world.gateway.address).await?;
    broken.write_all(begun("name=Boris&phone=").as_bytes()).await?;
    broken.shutdown().await?;
    let mut answer = String::new();
    broken.read_to_string(&mut answer).await?;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.all("/submissions").await?.len(), 0, "half a form is no form");

    // In pieces, but whole.
    let mut chunked = TcpStream::connect(world.gateway.address).await?;
    let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    chunked.write_all(format!("{head}a\r\nname=Vera&\r\n13\r\nphone=%2B7916200004\r\n1\r\n0\r\n0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    chunked.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(world.only_lead().await?["phone"], "+7 916 200-00-40");
    Ok(())
}

#[tokio::test]
async fn what_was_sent_whole_is_kept_though_the_sender_hung_up_at_once() -> anyhow::Result<()> {
    const SENT: usize = 40;
    let world = World::new(&Setup::default()).await?;
    for n in 0..SENT {
        let body = format!("name=Anna&phone=%2B791620001{n:02}");
        let head = format!("POST /in/site/{TOKEN} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut sender = TcpStream::connect(world.gateway.address).await?;
        sender.write_all(format!("{head}{body}").as_bytes()).await?;
        sender.shutdown().await?;
    }
    let all = async || Ok((world.all("/leads").await?.len() == SENT).then_some(()));
    until("every lead is there", all).await
}

#[tokio::test]
async fn too_much_is_refused_and_told() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let body = format!("name=Big&phone=%2B79162000010&message={}", "x".repeat(1_300_000));
    let request = world.web.post(world.gateway.action()).header("content-type", "application/x-www-form-urlencoded");
    let answer = send(request.header("accept-language", "ru").body(body)).await?.expect(413)?;
    assert!(answer.text().contains("Сообщение слишком большое"), "{}", answer.text());
    assert!(answer.header("content-type").starts_with("text/html"));
    let many = "f=1&".repeat(600);
    let request = world.web.post(world.gateway.action()).header("content-type", "application/x-www-form-urlencoded");
    send(request.body(many)).await?.expect(413)?;
    assert_eq!(world.leads().await?.len(), 0);
    let held = world.submissions("quarantined").await?;
    assert_eq!(held.len(), 2, "{held:?}");
    for one in &held {
        let raw = world.raw(&one["id"]).await?;
        assert!(
            raw.starts_with("content-type: application/x-www-form-urlencoded") && raw.len() < 1000,
            "the head alone is kept: {raw}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_too_large_costs_only_itself() -> anyhow::Result<()> {
    let setup = Setup { site: format!("{}\nmax_file_mb = 1\nmax_files = 2", Setup::default().site), ..Setup::default() };
    let world = World::new(&setup).await?;
    let file = |name: &str, size: usize| Part::bytes(vec![b'x'; size]).file_name(name.to_owned());
    let form = Form::new()
        .text("name", "Илья")
        .text("phone", "+7 916 200-00-11")
        .part("a", file("small.txt", 10))
        .part("b", file("large.txt", (1 << 20) + 1))
        .text("message", "after the files");
    let answer = send(world.web.post(world.gateway.action()).multipart(form)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let lead = world.only_lead().await?;
    assert_eq!(lead["timeline"][0]["content"]["message"], "after the files");
    let files = lead["timeline"][0]["content"]["files"].as_array().context("files")?.clone();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(files[0]["name"], "small.txt");
    assert!(field(&lead, "file large.txt").is_some_and(|why| why.starts_with("not kept")), "{lead}");
    Ok(())
}

#[tokio::test]
async fn one_sign_flags_and_two_are_spam() -> anyhow::Result<()> {
    let setup = Setup {
        site: "allow_origins = [\"*\"]\nrequire_origin = false\nmin_fill_ms = 600000\nper_minute = 1000000".to_owned(),
        ..Setup::default()
    };
    let world = World::new(&setup).await?;
    world.form(&[("name", "Кира"), ("phone", "+7 916 200-00-20"), ("_gotcha", "x"), ("_id", "1")]).await?.expect(200)?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["suspect"], true, "{lead}");
    // The page was shown when the first form came: 10 minutes have not passed since.
    let shown: jiff::Timestamp = lead["created_at"].as_str().context("a time")?.parse()?;
    let shown = shown.as_millisecond().to_string();
    world.form(&[("name", "Лев"), ("phone", "+7 916 200-00-21"), ("_t", &shown), ("_id", "2")]).await?.expect(200)?;
    world
        .form(&[("name", "Мира"), ("phone", "+7 916 200-00-22"), ("_t", &shown), ("_honey", "x"), ("_id", "3")])
        .await?
        .expect(200)?;
    world
        .form(&[("name", "Нина"), ("phone", "+7 916 200-00-23"), ("_t", "1"), ("botcheck", ""), ("_id", "4")])
        .await?
        .expect(200)?;
    let leads = world.leads().await?;
    let told: Vec<_> =
        leads.iter().rev().map(|lead| (lead["name"].as_str().unwrap_or_default(), lead["suspect"] == true)).collect();
    assert_eq!(told, [("Кира", true), ("Лев", true), ("Нина", false)]);
    let spam = world.submissions("spam").await?;
    assert_eq!(spam.len(), 1, "{spam:?}");
    let reasons = spam[0]["reasons"].to_string();
    assert!(reasons.contains("_honey") && reasons.contains("ms after the page was shown"), "{reasons}");
    // A spammer's id must not swallow the person's own form.
    world.form(&[("name", "Мира"), ("phone", "+7 916 200-00-22"), ("_id", "3")]).await?.expect(200)?;
    assert_eq!(world.leads().await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_test_is_a_test_and_the_same_again_is_a_repeat() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    world.form(&[("name", "Test"), ("phone", "+7 916 200-00-30"), ("test", "1"), ("_id", "t")]).await?.expect(200)?;
    assert_eq!(world.get("/leads").await?["items"], json!([]), "tests are out of the usual list");
    assert_eq!(world.get("/status").await?["open_leads"], 0, "and of the counts");
    let lead = world.only_lead().await?;
    assert_eq!(lead["test"], true);

    // With an id: the same is a repeat for ever, another content is a further activity on the same lead.
    let fields = [("name", "Олег"), ("phone", "+7 916 200-00-31"), ("_id", "same")];
    for _ in 0..3 {
        world.form(&fields).await?.expect(200)?;
    }
    world.form(&[("name", "Олег"), ("phone", "+7 916 200-00-32"), ("_id", "same")]).await?.expect(200)?;
    // Without one: the same content within five minutes is a repeat.
    for _ in 0..2 {
        world.form(&[("name", "Пётр"), ("phone", "+7 916 200-00-33")]).await?.expect(200)?;
    }
    let leads = world.get("/leads").await?;
    let told: Vec<_> = leads["items"]
        .as_array()
        .context("items")?
        .iter()
        .map(|lead| (lead["name"].clone(), lead["activities"].clone()))
        .collect();
    assert_eq!(told, [(json!("Пётр"), json!(1)), (json!("Олег"), json!(2))]);
    let olegs: Vec<_> =
        world.all("/submissions").await?.into_iter().filter(|one| one["lead"] == leads["items"][1]["id"]).collect();
    assert_eq!(olegs.iter().map(|one| one["repeats"].as_u64().unwrap_or_default()).sum::<u64>(), 2, "{olegs:?}");
    let corrected = world.get(&format!("/leads/{}", leads["items"][1]["id"])).await?;
    assert!(corrected.to_string().contains("+79162000032"), "the corrected phone is kept: {corrected}");
    Ok(())
}
