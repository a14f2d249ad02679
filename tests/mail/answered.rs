//! A manager answers a notice, and the customer gets the answer: by way of the mailbox that the gateway watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use leadgate_tests::client::{World, until};
use leadgate_tests::dovecot::{Dovecot, USER};
use leadgate_tests::gateway::Setup;
use leadgate_tests::mail::letter;
use leadgate_tests::people;
use leadgate_tests::smtp::{Mail, Smtp};
use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::Value;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use crate::watched::{SOURCE, each_once, keeps, section, setup, watching};

const VERA: &str = "vera@firma-mail.ru";
const ANNA: &str = "anna@zavod.ru";

/// A company whose mailbox is that of [`USER`], and whose answers go by the gateway.
pub(crate) async fn by_gateway(smtp: &Smtp, more: &str) -> anyhow::Result<(Dovecot, World)> {
    let server = Dovecot::start().await?;
    server.imap(USER).await?.select("INBOX").await?;
    let mail = smtp.section().replace("leads@zavod.ru", USER);
    let people = format!("[[managers]]\nid = \"anna\"\nname = \"Anna\"\nemail = \"{ANNA}\"\n{more}\n");
    let notify = "[[notify]]\nto = [\"anna\"]\nevents = [\"lead.created\", \"lead.attached\"]\n";
    let sections = format!("{mail}reply_via = \"gateway\"\n{people}{notify}{}", section(&server, "largest_mb = 40"));
    // The addresses alone are the company's, not their domain.
    let world = World::new(&Setup { company: String::new(), ..setup(&sections) }).await?;
    watching(&world, SOURCE).await?;
    Ok((server, world))
}

/// The address alone that an answer to a mail goes to.
pub(crate) fn answers_to(mail: &Mail) -> String {
    mail.header("Reply-To").split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// What a person's mail program makes of an answer to a mail, with further headers and a body.
pub(crate) fn answer(from: &str, to: &Mail, id: &str, more: &str, body: &str) -> String {
    format!(
        "From: {from}\r\nTo: {}\r\nSubject: Re: {}\r\nMessage-ID: <{id}>\r\nIn-Reply-To: {}\r\nReferences: {}\r\n\
         Date: {}\r\nMIME-Version: 1.0\r\n{more}\r\n{body}",
        to.header("Reply-To"),
        to.header("Subject"),
        to.header("Message-ID"),
        to.header("Message-ID"),
        to.header("Date"),
    )
}

/// An answer with a file: what was written, what it answers, and the file's bytes.
fn with_file(to: &Mail, id: &str, file: &[u8]) -> String {
    let encoded = data_encoding::BASE64_MIME.encode(file);
    let body = format!(
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIt costs 40,000, see the drawing.\r\n\r\n\
         On Sat, 21 Nov 2026 at 22:42, Leads wrote:\r\n> New lead\r\n> How much is it? For us alone.\r\n\
         --b\r\nContent-Type: application/pdf; name=\"plan.pdf\"\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n--b--\r\n"
    );
    answer(&format!("Anna <{ANNA}>"), to, id, "Content-Type: multipart/mixed; boundary=b\r\n", &body)
}

/// The activities of a lead that we wrote.
async fn outgoing(world: &World, lead: &str) -> anyhow::Result<Vec<Value>> {
    let lead = world.get(lead).await?;
    let timeline = lead["timeline"].as_array().context("a timeline")?;
    Ok(timeline.iter().filter(|activity| activity["content"]["outgoing"] == true).cloned().collect())
}

#[tokio::test]
async fn a_manager_s_answer_goes_through_the_mailbox_to_the_customer_and_stays_on_the_lead() -> anyhow::Result<()> {
    let smtp = Smtp::willing().await?;
    let (server, world) = by_gateway(&smtp, "").await?;
    world.form(&[("name", "Vera"), ("email", VERA), ("message", "How much is it?")]).await?.expect(200)?;
    let notice = smtp.expect(1).await?.remove(0);
    let token = answers_to(&notice);
    assert!(token.starts_with("info+r1.1-") && token.ends_with("@zavod.ru"), "{token}");

    let file: Vec<u8> = (0..60_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    let mut lmtp = server.lmtp().await?;
    lmtp.deliver(ANNA, &token, with_file(&notice, "answer1@zavod.ru", &file).as_bytes()).await?;
    let relayed = smtp.expect(2).await?.remove(1);
    assert_eq!((relayed.from.as_str(), relayed.to.as_slice()), (USER, &[VERA.to_owned()][..]));
    assert_eq!((relayed.header("Subject").as_str(), relayed.header("Reply-To").as_str()), ("Test", ""), "{}", relayed.text);
    assert_eq!(relayed.header("Auto-Submitted"), "", "a person wrote it");
    assert!(!relayed.text.contains("anna@") && !relayed.words().contains("For us alone"), "{}", relayed.words());
    let parsed = MessageParser::default().parse(relayed.text.as_bytes()).context("a mail")?;
    assert_eq!(parsed.body_text(0).unwrap_or_default().trim(), "It costs 40,000, see the drawing.");
    let files: Vec<_> = parsed.attachments().map(|part| (part.attachment_name(), part.contents())).collect();
    assert_eq!(files, [(Some("plan.pdf"), file.as_slice())]);

    let written = outgoing(&world, "/leads/1").await?;
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!(written[0]["content"]["message"], "It costs 40,000, see the drawing.");
    assert_eq!(written[0]["content"]["files"][0]["name"], "plan.pdf");

    // The customer goes on by mail, and is answered in their own thread.
    let goes_on = format!(
        "From: Vera <{VERA}>\r\nTo: {USER}\r\nSubject: My fence\r\nMessage-ID: <theirs@firma-mail.ru>\r\nIn-Reply-To: {}\r\n\
         Date: {}\r\n\r\nToo much!\r\n",
        relayed.header("Message-ID"),
        relayed.header("Date"),
    );
    lmtp.deliver(VERA, USER, goes_on.as_bytes()).await?;
    let notice = smtp.expect(3).await?.remove(2);
    assert_eq!(notice.to, [ANNA]);
    lmtp.deliver(ANNA, &answers_to(&notice), answer(ANNA, &notice, "answer2@zavod.ru", "", "30,000 then.\r\n").as_bytes())
        .await?;
    let relayed = smtp.expect(4).await?.remove(3);
    assert_eq!(relayed.to, [VERA]);
    assert_eq!(relayed.header("Subject"), "Re: My fence");
    assert_eq!(relayed.header("In-Reply-To"), "<theirs@firma-mail.ru>");
    assert!(relayed.words().contains("30,000 then."), "{}", relayed.words());
    assert_eq!(outgoing(&world, "/leads/1").await?.len(), 2);
    assert_eq!(world.leads().await?.len(), 1, "nobody else is made of it");

    // A mail program that does not say what it answers: the address says it.
    let silent = format!(
        "From: {ANNA}\r\nTo: {}\r\nSubject: Once more\r\nMessage-ID: <silent@zavod.ru>\r\nDate: {}\r\n\r\n28,000?\r\n",
        answers_to(&notice),
        notice.header("Date"),
    );
    lmtp.deliver(ANNA, &answers_to(&notice), silent.as_bytes()).await?;
    let relayed = smtp.expect(5).await?.remove(4);
    assert_eq!((relayed.to.as_slice(), relayed.header("Subject").as_str()), (&[VERA.to_owned()][..], "Once more"));
    assert_eq!(outgoing(&world, "/leads/1").await?.len(), 3);

    // Whoever only knows the address of a notice writes as who they are: nothing goes to the customer.
    let stranger = answer("Eve <eve@firma-mail.ru>", &notice, "eve@firma-mail.ru", "", "Pay to me.\r\n");
    lmtp.deliver("eve@firma-mail.ru", &answers_to(&notice), stranger.as_bytes()).await?;
    // One who also wrote to the customer has done so.
    let both = answer(ANNA, &notice, "answer3@zavod.ru", &format!("Cc: {VERA}\r\n"), "25,000, my last word.\r\n");
    lmtp.deliver(ANNA, &answers_to(&notice), both.as_bytes()).await?;
    let kept = until("it is not passed on", async || {
        let jobs = world.all("/outbox?target=mail&state=done").await?;
        let words = "not passed on: it went to the customer itself";
        Ok(jobs.into_iter().find(|job| job["to"] == "relay" && job["words"] == words))
    });
    kept.await?;
    let to_vera = smtp.mails().iter().filter(|mail| mail.to == [VERA]).count();
    assert_eq!(to_vera, 3, "{:?}", smtp.mails());
    Ok(())
}

/// Refuses mails to one address as long as it says so.
fn refusing(address: &'static str, refuses: &Arc<AtomicBool>) -> impl Fn(usize, &str) -> Option<String> + use<> {
    let refuses = Arc::clone(refuses);
    move |_, line: &str| {
        let refused = refuses.load(Ordering::SeqCst) && line.starts_with("RCPT") && line.contains(address);
        refused.then(|| "550 5.1.1 no such user".to_owned())
    }
}

#[tokio::test]
async fn a_manager_hears_that_the_customer_does_not_have_the_answer() -> anyhow::Result<()> {
    let refuses = Arc::new(AtomicBool::new(true));
    let smtp = Smtp::start(refusing(VERA, &refuses)).await?;
    let (server, world) = by_gateway(&smtp, "language = \"ru\"\n[operator]\nemails = [\"boss@zavod.ru\"]\n").await?;
    world.form(&[("name", "Vera"), ("email", VERA), ("message", "How much is it?")]).await?.expect(200)?;
    let notice = smtp.expect(1).await?.remove(0);
    let mut lmtp = server.lmtp().await?;
    lmtp.deliver(ANNA, &answers_to(&notice), answer(ANNA, &notice, "one@zavod.ru", "", "40,000.\r\n").as_bytes()).await?;
    let told = smtp.expect(3).await?.split_off(1);
    let of = |to: &str| told.iter().find(|mail| mail.to == [to]).with_context(|| format!("a mail to {to}"));
    let failure = MessageParser::default().parse(of(ANNA)?.text.as_bytes()).context("a mail")?.into_owned();
    let subject = failure.subject().unwrap_or_default();
    assert!(
        subject.starts_with("Ваш ответ по заявке 1 (Vera) не передан клиенту: ") && subject.contains("550 5.1.1"),
        "{subject}"
    );
    assert_eq!(failure.in_reply_to().as_text(), Some("one@zavod.ru"), "in the thread of the answer");
    assert!(failure.body_text(0).unwrap_or_default().contains("позвоните или напишите"), "{failure:?}");
    assert!(of("boss@zavod.ru")?.words().contains("given up"), "{told:?}");
    assert_eq!(outgoing(&world, "/leads/1").await?.len(), 1, "what was written is kept");

    // Without text and file there is nothing to pass on; what is too large is not sent in part.
    refuses.store(false, Ordering::SeqCst);
    lmtp.deliver(ANNA, &answers_to(&notice), answer(ANNA, &notice, "two@zavod.ru", "", "\r\n").as_bytes()).await?;
    let empty = smtp.expect(4).await?.remove(3);
    lmtp.deliver(ANNA, &answers_to(&notice), with_file(&notice, "three@zavod.ru", &vec![7; 20_000_001]).as_bytes()).await?;
    let large = smtp.expect(5).await?.remove(4);
    for (mail, words) in [(empty, "нет ни текста, ни файлов"), (large, "файлы больше 20 МБ")] {
        let subject = MessageParser::default().parse(mail.text.as_bytes()).context("a mail")?.subject().map(str::to_owned);
        assert!(mail.to == [ANNA] && subject.as_deref().unwrap_or_default().contains(words), "{subject:?}");
    }
    assert!(smtp.mails().iter().all(|mail| mail.to != [VERA]));
    Ok(())
}

/// What stands against a manager's address.
async fn unreachable(world: &World) -> anyhow::Result<Vec<Value>> {
    let alarms = world.get("/alarms").await?;
    let alarms = alarms.as_array().context("a list")?;
    Ok(alarms.iter().filter(|alarm| alarm["name"] == "manager.unreachable").cloned().collect())
}

#[tokio::test]
async fn a_manager_whose_mails_come_back_is_stood_in_for_by_the_operator() -> anyhow::Result<()> {
    const BOSS: &str = "boss@zavod.ru";
    let refuses = Arc::new(AtomicBool::new(true));
    let smtp = Smtp::start(refusing(ANNA, &refuses)).await?;
    let (server, world) = by_gateway(&smtp, &format!("[operator]\nemails = [\"{BOSS}\"]\n")).await?;
    let enquiry = async |n: u32| {
        let email = format!("customer{n}@firma-mail.ru");
        world.form(&[("name", "Vera"), ("email", &email), ("message", "How much is it?")]).await?.expect(200)
    };
    // Refused: the operator gets the notice at once, and hears why.
    enquiry(1).await?;
    let told = smtp.expect(2).await?;
    assert!(told.iter().all(|mail| mail.to == [BOSS]), "{told:?}");
    assert!(told.iter().any(|mail| answers_to(mail).starts_with("info+r1.1-")), "{told:?}");
    assert!(told.iter().any(|mail| mail.header("Subject").contains("Mails to a manager do not arrive")), "{told:?}");
    let alarms =
        until("the alarm stands", async || Ok(Some(unreachable(&world).await?).filter(|alarms| !alarms.is_empty()))).await?;
    assert_eq!(alarms[0]["key"], "mail:manager:anna", "{alarms:?}");
    assert!(alarms[0]["detail"]["words"].as_str().is_some_and(|words| words.starts_with("anna@zavod.ru: ")), "{alarms:?}");
    let said = world.gateway.cli(&["alarms"]).await?;
    assert!(said.contains("mail:manager:anna"), "{said}");
    // Nothing is tried while it stands, until a person says that all is well.
    refuses.store(false, Ordering::SeqCst);
    enquiry(2).await?;
    assert_eq!(smtp.expect(3).await?[2].to, [BOSS]);
    world.gateway.cli(&["alarms", "clear", "mail:manager:anna"]).await?;
    assert_eq!(unreachable(&world).await?, Vec::<Value>::new());
    enquiry(3).await?;
    let notice = smtp.expect(4).await?.remove(3);
    assert_eq!(notice.to, [ANNA]);

    // Taken, and sent back later. What only says so is not believed.
    let bounce = |id: &str, n: u32| {
        format!(
            "From: Mail Delivery System <mailer-daemon@zavod.ru>\r\nTo: {USER}\r\nSubject: Undelivered Mail\r\n\
             Message-ID: <bounce{n}@zavod.ru>\r\nDate: {}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nNo such user.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.zavod.ru\r\n\r\n\
             Final-Recipient: rfc822; {ANNA}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\nTo: {ANNA}\r\n\r\n--b--\r\n",
            notice.header("Date"),
        )
    };
    let mut lmtp = server.lmtp().await?;
    let before = world.get("/status").await?["submissions"].as_u64().unwrap_or_default();
    lmtp.deliver("", USER, bounce("<0199a1b2-0000-7000-8000-000000000001@zavod.ru>", 1).as_bytes()).await?;
    keeps(&world, before + 1).await?;
    assert_eq!(unreachable(&world).await?, Vec::<Value>::new(), "of no mail of ours");
    lmtp.deliver("", USER, bounce(&notice.header("Message-ID"), 2).as_bytes()).await?;
    let alarms =
        until("the alarm stands", async || Ok(Some(unreachable(&world).await?).filter(|alarms| !alarms.is_empty()))).await?;
    assert_eq!(alarms[0]["detail"]["words"], "anna@zavod.ru: 5.1.1");
    enquiry(4).await?;
    let told = smtp.expect(6).await?.split_off(4);
    assert!(told.iter().all(|mail| mail.to == [BOSS]), "{told:?}");
    Ok(())
}

/// Makes a timer due.
async fn make_due(world: &World, kind: &str) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(world.path().join("data/leadgate.db"));
    let pool = SqlitePool::connect_with(options.busy_timeout(Duration::from_secs(20))).await?;
    let sql = "UPDATE timer SET due_at = 0 WHERE kind = ?1";
    until(&format!("there is a timer {kind}"), async || {
        Ok((sqlx::query(sql).bind(kind).execute(&pool).await?.rows_affected() == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_mailbox_s_canary_comes_back_by_mail_and_is_missed_when_it_does_not() -> anyhow::Result<()> {
    let smtp = Smtp::willing().await?;
    let server = Dovecot::start().await?;
    server.imap(USER).await?.select("INBOX").await?;
    let sections = format!("{}{}", smtp.section(), section(&server, "canary = \"5 min\""));
    let world = World::new(&setup(&sections)).await?;
    watching(&world, SOURCE).await?;
    let lost = async || {
        let alarms = world.get("/alarms").await?;
        anyhow::Ok(
            alarms.as_array().context("a list")?.iter().any(|alarm| alarm["name"] == "canary.lost" && alarm["key"] == SOURCE),
        )
    };
    let first = smtp.expect(1).await?.remove(0);
    assert_eq!(first.to, [USER]);
    assert!(first.header("X-Leadgate-Canary").starts_with(&format!("{SOURCE}.")), "{}", first.text);
    make_due(&world, "canary.expected").await?;
    until("it is missed", async || Ok(lost().await?.then_some(()))).await?;

    let mut lmtp = server.lmtp().await?;
    lmtp.deliver("leads@zavod.ru", USER, first.text.as_bytes()).await?;
    until("it is back", async || Ok((!lost().await?).then_some(()))).await?;
    make_due(&world, "canary").await?;
    let second = smtp.expect(2).await?.remove(1);
    lmtp.deliver("leads@zavod.ru", USER, second.text.as_bytes()).await?;
    // What comes after them tells that they were read.
    lmtp.deliver(&people::email(1), USER, letter(1).as_bytes()).await?;
    keeps(&world, 1).await?;
    each_once(&world, 1..2).await?;
    assert!(!lost().await?);
    Ok(())
}

#[tokio::test]
async fn an_automatic_answer_stands_in_the_thread_of_the_mail() -> anyhow::Result<()> {
    let smtp = Smtp::willing().await?;
    let server = Dovecot::start().await?;
    server.imap(USER).await?.select("INBOX").await?;
    let world = World::new(&setup(&format!("{}{}", smtp.section(), section(&server, "auto_reply = true")))).await?;
    watching(&world, SOURCE).await?;
    let mail = letter(1);
    server.lmtp().await?.deliver(&people::email(1), USER, mail.as_bytes()).await?;
    let answer = smtp.expect(1).await?.remove(0);
    assert_eq!((answer.to.as_slice(), answer.from.as_str()), (&[people::email(1)][..], ""));
    let id = mail.lines().find_map(|line| line.strip_prefix("Message-ID: ")).context("a Message-ID")?.trim();
    assert_eq!((answer.header("In-Reply-To").as_str(), answer.header("References").as_str()), (id, id));
    Ok(())
}
