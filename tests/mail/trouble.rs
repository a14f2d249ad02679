//! Everything a mail server does to those who read there.

use std::fmt::Write as _;

use leadgate_tests::client::{World, until};
use leadgate_tests::dovecot::{Dovecot, PASSWORD, USER};
use leadgate_tests::mail::letter;
use leadgate_tests::people;

use crate::watched::{Deliveries, LONG_AGO, SOURCE, append, each_once, keeps, kept, report, section, setup, watched, watching};

/// What does not answer is noticed soon.
const IMPATIENT: &str = "timeout = \"2 s\"\nidle = \"30 s\"\npoll = \"5 s\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_the_server_die_while_mails_are_read_and_waited_for() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    append(&server, "INBOX", 0..1_500).await?;
    let world = World::new(&setup(&section(&server, LONG_AGO))).await?;
    for (kind, many) in [("imap", 50), ("imap-login", 300), ("imap", 600)] {
        keeps(&world, many).await?;
        server.kill(kind)?;
    }
    keeps(&world, 1_500).await?;
    watching(&world, SOURCE).await?;
    // Now it waits in IDLE.
    for (n, kind) in (1_500..).zip(["imap", "imap-login"]) {
        until("there is somebody to kill", async || Ok((server.kill(kind)? > 0).then_some(()))).await?;
        append(&server, "INBOX", n..n + 1).await?;
        keeps(&world, n + 1).await?;
        watching(&world, SOURCE).await?;
    }
    each_once(&world, 0..1_502).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_freezes_stops_or_loses_its_power_is_read_on_afterwards() -> anyhow::Result<()> {
    let (mut server, world) = watched(IMPATIENT).await?;
    append(&server, "INBOX", 0..10).await?;
    keeps(&world, 10).await?;
    // Frozen while it waits.
    server.freeze()?;
    until("it is told to be down", async || Ok((report(&world, SOURCE).await?["state"] == "down").then_some(()))).await?;
    let words = report(&world, SOURCE).await?["words"].clone();
    assert!(words.as_str().is_some_and(|words| !words.is_empty() && !words.contains(PASSWORD)), "{words}");
    server.thaw()?;
    append(&server, "INBOX", 10..20).await?;
    keeps(&world, 20).await?;
    // Frozen while it reads.
    let deliveries = Deliveries::begin(&server, 20, 300);
    keeps(&world, 40).await?;
    server.freeze()?;
    until("it is told to be down", async || Ok((report(&world, SOURCE).await?["state"] == "down").then_some(()))).await?;
    server.thaw()?;
    let mut all = deliveries.end().await?;
    keeps(&world, all).await?;
    // Stopped in order, and again without warning; mails come in meanwhile.
    for orderly in [true, false] {
        watching(&world, SOURCE).await?;
        if orderly {
            server.stop().await?;
        } else {
            server.cut().await?;
        }
        server.drop_in(USER, "INBOX", letter(all).as_bytes())?;
        until("it is told to be down", async || Ok((report(&world, SOURCE).await?["state"] == "down").then_some(()))).await?;
        server.up().await?;
        all += 1;
        keeps(&world, all).await?;
    }
    watching(&world, SOURCE).await?;
    each_once(&world, 0..all).await
}

#[tokio::test]
async fn uids_dealt_anew_make_no_new_lead() -> anyhow::Result<()> {
    let mut server = Dovecot::start().await?;
    append(&server, "INBOX", 0..300).await?;
    let world = World::new(&setup(&section(&server, LONG_AGO))).await?;
    keeps(&world, 300).await?;
    watching(&world, SOURCE).await?;
    let before = server.imap(USER).await?.folder("INBOX").await?;
    server.stop().await?;
    server.forget_uids(USER)?;
    // This one came while nobody looked, and has a new number like all.
    server.drop_in(USER, "INBOX", letter(300).as_bytes())?;
    server.up().await?;
    let after = server.imap(USER).await?.folder("INBOX").await?;
    assert_ne!(after.uid_validity, before.uid_validity);
    keeps(&world, 301).await?;
    append(&server, "INBOX", 301..302).await?;
    keeps(&world, 302).await?;
    watching(&world, SOURCE).await?;
    each_once(&world, 0..302).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_that_go_away_while_others_are_read_take_no_other_with_them() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    append(&server, "INBOX", 0..1_000).await?;
    let mut other = server.imap(USER).await?;
    other.select("INBOX").await?;
    let world = World::new(&setup(&section(&server, LONG_AGO))).await?;
    keeps(&world, 20).await?;
    // UIDs begin with 1, letters with 0.
    other.expunge("501,503,505,901:951").await?;
    let gone = |n: &u64| [500, 502, 504].contains(n) || (900..=950).contains(n);
    append(&server, "INBOX", 1_000..1_001).await?;
    watching(&world, SOURCE).await?;
    until("the last is read", async || {
        Ok(world.leads().await?.iter().any(|lead| lead["email"] == people::email(1_000)).then_some(()))
    })
    .await?;
    watching(&world, SOURCE).await?;
    // Those that went away were read before or not.
    let leads = world.leads().await?;
    let read = |n: &u64| leads.iter().any(|lead| lead["email"] == people::email(*n));
    println!("{} of 54 were read before they went away", (0..1_000).filter(gone).filter(read).count());
    each_once(&world, (0..1_001).filter(|n| !gone(n) || read(n))).await
}

/// Mails that programs broke, and some made to do harm.
fn poison() -> Vec<Vec<u8>> {
    let head = "From: Eve <eve@mail.ru>\r\nTo: info@zavod.ru\r\nSubject: poison\r\nMIME-Version: 1.0\r\n";
    let text = |rest: &str| format!("{head}{rest}").into_bytes();
    let mut nested = head.to_owned();
    for n in 0..20_000 {
        let _infallible = write!(nested, "Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
    }
    let inside = head.to_owned() + &"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n".repeat(2_000);
    let fields = "X-Field: value\r\n".repeat(50_000);
    vec![
        Vec::new(),
        b"\r\n\r\n".to_vec(),
        b"no header at all, only a line of text".to_vec(),
        b"\0\0\0\0\0\0\0\0".to_vec(),
        text("X-Nul: a\0b\r\n\r\nnul\0in the text\r\n"),
        text("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAAAEhlbGxvAAAA\r\n"),
        text("Subject: =?utf-8?B?AAAAAA==?=\r\nMessage-ID: <\0@\0>\r\n\r\nsubject of nothing but nul\r\n"),
        text("Content-Type: multipart/mixed; boundary=never\r\n\r\nthere is no such boundary\r\n"),
        text("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\n--\r\n"),
        text("Content-Type: text/html; charset=no-such-charset\r\nContent-Transfer-Encoding: x-unknown\r\n\r\n<b>\u{1F4A3}"),
        text(
            "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!\r\n",
        ),
        b"From: <\"\"@host>\r\nTo: <>\r\nReply-To: ,,,;;;\r\nDate: yesterday\r\nSubject:\r\n\r\nodd addresses\r\n".to_vec(),
        b"From: \r\n\r\n".to_vec(),
        text(&format!("X-Long: {}\r\n\r\na long line\r\n", "x".repeat(2 << 20))),
        text(&format!("{fields}\r\nmany fields\r\n")),
        text(&format!("References: {}\r\n\r\nmany references\r\n", "<a@b> ".repeat(20_000))),
        text(&format!("Content-Type: text/html\r\n\r\n{}", "<div><table><tr><td>".repeat(20_000))),
        nested.into_bytes(),
        inside.into_bytes(),
        (0..60_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_and_huge_mails_stop_none_of_their_neighbours() -> anyhow::Result<()> {
    let (server, world) = watched("").await?;
    let poison = poison();
    let bad = poison.len() as u64;
    for (n, mail) in (0..).zip(&poison) {
        server.drop_in(USER, "INBOX", letter(n).as_bytes())?;
        server.drop_in(USER, "INBOX", mail)?;
    }
    let mut imap = server.imap(USER).await?;
    let huge = leadgate_tests::mail::sized_letter(bad, 40 << 20);
    imap.append("INBOX", &[huge.into_bytes(), letter(bad + 1).into_bytes()]).await?;
    let good = bad + 2;
    until("every good one is a lead", async || {
        let leads = world.leads().await?;
        Ok((0..good).all(|n| leads.iter().any(|lead| lead["email"] == people::email(n))).then_some(()))
    })
    .await?;
    watching(&world, SOURCE).await?;
    // Each of the bad ones is a lead or waits for a person, with its bytes.
    // Mails of nothing at all are one mail that came again.
    let again: u64 = world.all("/submissions").await?.iter().filter_map(|kept| kept["repeats"].as_u64()).sum();
    assert_eq!(kept(&world).await? + again, good + bad);
    assert_eq!(again, 2, "three of them hold nothing");
    let leads = world.leads().await?;
    let quarantined = world.submissions("quarantined").await?;
    println!("{} of {bad} bad mails wait for a person", quarantined.len());
    let id = leads.iter().find(|lead| lead["email"] == people::email(bad)).map(|lead| lead["id"].clone()).unwrap_or_default();
    let lead = world.get(&format!("/leads/{id}")).await?;
    let mail = &lead["timeline"][0]["content"]["mail"];
    assert!(mail["truncated"].as_u64().is_some_and(|bytes| bytes >= 40 << 20), "{mail}");
    println!("peak memory {:.0} MB", world.gateway.peak_memory_mb()?);
    let log = world.gateway.log()?;
    assert!(!log.contains("panick"), "{log}");
    // It still listens.
    append(&server, "INBOX", good..good + 1).await?;
    keeps(&world, good + bad + 1 - again).await
}

#[tokio::test]
async fn a_refused_login_is_told_and_a_right_one_is_enough() -> anyhow::Result<()> {
    let mut server = Dovecot::start().await?;
    append(&server, "INBOX", 0..3).await?;
    server.password(USER, "changed by the owner").await?;
    let world = World::new(&setup(&section(&server, LONG_AGO))).await?;
    let refused = async || Ok(Some(report(&world, SOURCE).await?).filter(|report| report["state"] == "refused"));
    let told = until("it is refused", refused).await?;
    assert!(told["words"].as_str().is_some_and(|words| !words.is_empty()), "{told}");
    let tried = world.gateway.run(&["source", "test", SOURCE]).await?;
    let said = format!("{}{}", String::from_utf8_lossy(&tried.stdout), String::from_utf8_lossy(&tried.stderr));
    assert!(!tried.status.success() && said.contains("password") && !said.contains(PASSWORD), "{said}");
    // The owner gives the gateway the new one.
    let config = std::fs::read_to_string(&world.gateway.config)?;
    std::fs::write(&world.gateway.config, config.replace(PASSWORD, "changed by the owner"))?;
    world.gateway.signal("HUP").await?;
    keeps(&world, 3).await?;
    watching(&world, SOURCE).await?;
    each_once(&world, 0..3).await
}
