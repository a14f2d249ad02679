//! Others are told by mail: notices with links that act, and answers to customers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::ids::{EventId, LeadId, SourceId, SubmissionId};
use leadgate_core::ports::{Act, NewReply, Store as _, Talks as _};
use leadgate_core::prepare::Prepared;
use leadgate_core::rules::Rules;
use leadgate_core::submission::{ActivityKind, Batch, Codec, ContentHash, Draft, MailFacts, Purpose, Raw, Submission, Typed};
use leadgate_store_sqlite::{Options, SqliteStore};
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
    World::new(&setup(mail, site)).await
}

fn setup(mail: &Smtp, site: &str) -> Setup {
    let usual = Setup::default();
    let notify = "[[notify]]\nto = [\"anna\"]\nevents = [\"lead.created\"]\n";
    Setup {
        more: format!("{}{MANAGERS}{notify}", mail.section()),
        site: format!("{}\n{site}", usual.site),
        company: "domains = [\"zavod.ru\"]".to_owned(),
        ..usual
    }
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

#[expect(clippy::disallowed_methods, reason = "what is owed is not to be too old")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A mail of a customer, and what a manager answers, in the database of a gateway that does not run.
async fn answered(folder: &Path) -> anyhow::Result<()> {
    let store = SqliteStore::open(&folder.join("data/leadgate.db"), Options::default()).await?;
    let (at, id) = (now(), SubmissionId(uuid::Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001)));
    let body = "From: vera@firma-mail.ru\r\nMessage-ID: <question-1@firma-mail.ru>\r\n\r\nHow much is it?\r\n";
    let raw = Raw {
        content_type: "message/rfc822".to_owned(),
        codec: Codec::Plain,
        body: body.into(),
        sha256: [0; 32],
        query: String::new(),
        peer: None,
        head: String::new(),
    };
    let facts = MailFacts { subject: "The price".to_owned(), from: "vera@firma-mail.ru".to_owned(), ..MailFacts::default() };
    let draft = Draft {
        activity: ActivityKind::Email,
        emails: vec![Typed { proven: true, ..Typed::new("from", "vera@firma-mail.ru") }],
        message: Some("How much is it?".to_owned()),
        mail: Some(Box::new(facts)),
        ..Draft::default()
    };
    let submission = Submission {
        id,
        source: SourceId::parse("mailbox")?,
        keys: Vec::new(),
        content: ContentHash::of([("id", "question-1")]),
        received_at: at,
        occurred_at: None,
        historic: false,
        raw,
        draft,
        signals: Vec::new(),
        hold: None,
        purpose: Purpose::Lead,
    };
    let rules = Arc::new(Rules::default());
    let items = vec![Arc::new(Prepared::new(submission, &rules))];
    store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&rules)).await?;
    let reply = NewReply {
        lead: Some(LeadId(1)),
        contact: None,
        text: "It is a gift.\nAnna".to_owned(),
        kind: ActivityKind::Email,
        source: None,
        chat: None,
        target: "mail".to_owned(),
    };
    let act = Act { actor: "api:anna".to_owned(), at, event: EventId::of(id, 200), routes: Arc::default() };
    store.write_reply(reply, act).await??;
    store.close().await;
    Ok(())
}

/// How the answer on the timeline of the first lead fares, once that is known.
async fn fares(world: &World) -> anyhow::Result<serde_json::Value> {
    until("it is known how the answer fares", async || {
        let lead = world.get("/leads/1").await?;
        let sending = lead["timeline"][1]["content"]["sending"].clone();
        Ok(Some(sending).filter(|sending| sending["state"] != "sending"))
    })
    .await
}

#[tokio::test]
async fn what_a_manager_writes_reaches_the_customer_in_the_thread() -> anyhow::Result<()> {
    let mail = Smtp::willing().await?;
    let world = telling(&mail, "").await?;
    world.gateway.stop().await?;
    answered(world.folder.path()).await?;
    let world = World::in_folder(world.folder, &setup(&mail, "")).await?;
    let mails = mail.expect(1).await?;
    let answer = &mails[0];
    assert_eq!((answer.to.as_slice(), answer.from.as_str()), (&["vera@firma-mail.ru".to_owned()][..], "leads@zavod.ru"));
    assert_eq!((answer.header("Subject"), answer.header("Auto-Submitted")), ("Re: The price".to_owned(), String::new()));
    assert_eq!(answer.header("In-Reply-To"), "<question-1@firma-mail.ru>");
    assert!(answer.header("References").contains("<question-1@firma-mail.ru>"), "{}", answer.header("References"));
    assert!(answer.words().contains("It is a gift.\r\nAnna"), "{}", answer.words());
    assert_eq!(fares(&world).await?["state"], "delivered");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_refused_says_so() -> anyhow::Result<()> {
    let mail = Smtp::start(|_, line| line.starts_with("RCPT").then(|| "550 5.1.1 no such user".to_owned())).await?;
    let world = telling(&mail, "").await?;
    world.gateway.stop().await?;
    answered(world.folder.path()).await?;
    let world = World::in_folder(world.folder, &setup(&mail, "")).await?;
    let sending = fares(&world).await?;
    assert_eq!(sending["state"], "failed");
    assert!(sending["words"].as_str().is_some_and(|words| words.contains("550")), "{sending}");
    let jobs = world.all("/outbox?target=mail").await?;
    assert_eq!(jobs.iter().filter(|job| job["to"] == "reply" && job["state"] == "dead").count(), 1, "{jobs:?}");
    Ok(())
}
