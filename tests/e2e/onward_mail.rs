//! Others are told by mail: notices with links that act, and answers to customers.

use std::collections::BTreeSet;

use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::Setup;
use leadgate_tests::smtp::{Mail, Smtp};
use reqwest::Method;

const PHONE: &str = "+7 916 123-45-67";
const MANAGERS: &str = "[[managers]]\nid = \"anna\"\nname = \"Anna\"\nemail = \"anna@zavod.ru\"\n\
                        [[managers]]\nid = \"oleg\"\nname = \"Oleg\"\nemail = \"oleg@zavod.ru\"\n";

/// The paths of the links that act in mails.
pub(crate) fn links(mails: &[Mail]) -> BTreeSet<String> {
    let ends = |character: char| character.is_whitespace() || "\"'<>)".contains(character);
    let mut found = BTreeSet::new();
    for mail in mails {
        let words = mail.words();
        for (at, _) in words.match_indices("/act/") {
            found.extend(words[at..].split(ends).next().map(str::to_owned));
        }
    }
    found
}

/// A gateway that tells managers of new leads.
async fn telling(mail: &Smtp, site: &str) -> anyhow::Result<World> {
    let usual = Setup::default();
    let notify = "[[notify]]\nto = [\"anna\"]\nevents = [\"lead.created\"]\n";
    let setup = Setup {
        more: format!("{}{MANAGERS}{notify}", mail.section()),
        site: format!("{}\n{site}", usual.site),
        company: "domains = [\"zavod.ru\"]".to_owned(),
        ..usual
    };
    World::new(&setup).await
}

#[tokio::test]
async fn a_notice_reaches_a_manager_and_the_answer_the_customer() -> anyhow::Result<()> {
    // The first time it is not taken.
    let tries = std::sync::Mutex::new(Vec::new());
    let refused = move |_, line: &str| {
        let mut tries = tries.lock().ok()?;
        if line == "." {
            tries.push(());
        }
        (line == "." && tries.len() == 1).then(|| "451 4.3.0 later".to_owned())
    };
    let mail = Smtp::start(refused).await?;
    let world = telling(&mail, "").await?;
    let name = "Vera\r\nBcc: everybody@example.org\r\n\r\nBuy";
    let form = [("name", name), ("phone", PHONE), ("email", "vera@firma-mail.ru"), ("message", "How much is it?")];
    world.form(&form).await?.expect(200)?;
    let mails = mail.expect(1).await?;
    let notice = &mails[0];
    assert_eq!((notice.to.as_slice(), notice.from.as_str()), (&["anna@zavod.ru".to_owned()][..], "leads@zavod.ru"));
    assert!(notice.header("Reply-To").contains("<vera@firma-mail.ru>"), "{}", notice.header("Reply-To"));
    assert_eq!((notice.header("Bcc"), notice.header("Auto-Submitted")), (String::new(), "auto-generated".to_owned()));
    let words = notice.words();
    assert!(words.contains("How much is it?") && words.contains("tel:+79161234567"), "{words}");
    let jobs = world.all("/outbox?target=mail").await?;
    let id = jobs[0]["id"].as_str().unwrap_or_default();
    assert!(notice.header("Message-ID").contains(id), "the same at every attempt: {}", notice.header("Message-ID"));
    assert!(jobs[0]["attempts"].as_u64() >= Some(2), "{jobs:?}");
    Ok(())
}

#[tokio::test]
async fn a_link_asks_before_it_acts() -> anyhow::Result<()> {
    let mail = Smtp::willing().await?;
    let world = telling(&mail, "").await?;
    world.form(&[("name", "Vera"), ("phone", PHONE)]).await?.expect(200)?;
    let found = links(&mail.expect(1).await?);
    assert_eq!(found.len(), 2, "to take it and to close it: {found:?}");
    let before = world.get("/leads/1").await?;
    let mut take = None;
    for path in &found {
        let page = send(world.web.get(world.gateway.url(path))).await?.expect(200)?;
        send(world.web.head(world.gateway.url(path))).await?.expect(200)?;
        assert_eq!(page.header("referrer-policy"), "same-origin", "the link does not leak");
        let text = page.text();
        assert!(text.contains("<form method=\"post\""), "it asks: {text}");
        if text.contains("Take lead 1?") {
            take = Some(path);
        }
    }
    assert_eq!(world.get("/leads/1").await?, before, "looking changes nothing");
    let take = take.ok_or_else(|| anyhow::anyhow!("one of them takes it"))?;
    // Changed in any place, cut, of another's making: there is no such link, whichever way it is asked for.
    let (payload, mac) = take.trim_start_matches("/act/").split_once('.').unwrap_or_default();
    let swapped = if payload.starts_with('A') { 'B' } else { 'A' };
    let forged = [
        format!("/act/{swapped}{}.{mac}", &payload[1..]),
        format!("/act/{payload}.{}", mac.chars().rev().collect::<String>()),
        format!("/act/{payload}.{}", &mac[..mac.len() - 4]),
        format!("/act/{payload}."),
        format!("/act/{payload}"),
        "/act/x.y".to_owned(),
    ];
    for path in &forged {
        for method in [Method::GET, Method::POST] {
            send(world.web.request(method, world.gateway.url(path))).await?.expect(404)?;
        }
    }
    assert_eq!(world.get("/leads/1").await?, before);
    send(world.web.post(world.gateway.url(take))).await?.expect(200)?;
    let lead = world.get("/leads/1").await?;
    assert_eq!(lead["responsible"], "anna", "{lead}");
    // Once more changes nothing, and somebody else's does not take it away.
    send(world.web.post(world.gateway.url(take))).await?;
    assert_eq!(world.get("/leads/1").await?["responsible"], "anna");
    Ok(())
}

#[tokio::test]
async fn customers_are_answered_once_a_day_and_suspects_never() -> anyhow::Result<()> {
    let mail = Smtp::willing().await?;
    let world = telling(&mail, "auto_reply = { subject = \"Thank you\", text = \"We will call you.\" }").await?;
    let message = "Wire me the money";
    let first = [("name", "Vera Visitor"), ("email", "vera@firma-mail.ru"), ("message", message)];
    world.form(&first).await?.expect(200)?;
    mail.expect(2).await?;
    world.form(&[("email", "Vera@Firma-Mail.ru"), ("message", "once more")]).await?.expect(200)?;
    let suspect = [("name", "Bot"), ("email", "bot@firma-mail.ru"), ("message", "spam"), ("_gotcha", "x")];
    world.form(&suspect).await?.expect(200)?;
    let several = [("name", "Two"), ("email", "one@firma-mail.ru"), ("email", "two@firma-mail.ru")];
    world.form(&several).await?.expect(200)?;
    let answers = until("every answer is decided", async || {
        let jobs = world.all("/outbox?target=mail").await?;
        let answers: Vec<_> = jobs.into_iter().filter(|job| job["to"] == "customer").collect();
        Ok(Some(answers).filter(|answers| answers.len() == 4 && answers.iter().all(|job| job["state"] == "done")))
    })
    .await?;
    let unanswered = |job: &&serde_json::Value| job["words"].as_str().is_some_and(|words| words.starts_with("not answered"));
    assert_eq!(answers.iter().filter(unanswered).count(), 3, "{answers:?}");
    let mails = mail.mails();
    let sent: Vec<&Mail> = mails.iter().filter(|mail| mail.to.iter().any(|to| to.ends_with("firma-mail.ru"))).collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let answer = sent[0];
    assert_eq!(answer.to, ["vera@firma-mail.ru"]);
    assert_eq!((answer.header("Subject").as_str(), answer.header("Auto-Submitted").as_str()), ("Thank you", "auto-replied"));
    let words = answer.words();
    assert!(words.contains("We will call you."), "{words}");
    assert!(!words.contains(message) && !words.contains("Visitor"), "nothing that the visitor wrote: {words}");
    Ok(())
}
