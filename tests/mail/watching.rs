//! A mailbox that is watched, with nothing going wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::dovecot::{Dovecot, PASSWORD, USER};
use leadgate_tests::mail::letter;
use leadgate_tests::people;
use sha2::Digest as _;

use crate::watched::{LONG_AGO, SOURCE, append, each_once, keeps, kept, report, section, section_of, setup, watched, watching};

/// "Заявки" as IMAP writes it.
const REQUESTS: &str = "&BBcEMARPBDIEOgQ4-";

#[tokio::test]
async fn a_new_mail_is_a_lead_at_once_and_the_mailbox_stays_as_it_was() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    append(&server, "INBOX", 0..20).await?;
    let mut other = server.imap(USER).await?;
    other.select("INBOX").await?;
    other.command("UID STORE 3:5 +FLAGS.SILENT (\\Seen $Known)").await?;
    let before = other.flags("INBOX").await?;
    let world = World::new(&setup(&section(&server, ""))).await?;
    watching(&world, SOURCE).await?;
    assert_eq!(kept(&world).await?, 0, "it reads from now on");
    let mut lmtp = server.lmtp().await?;
    let mut measured = Vec::new();
    for n in 20..25 {
        // Another program that waits tells what the server itself takes to notice.
        let mut witness = server.imap(USER).await?;
        witness.select("INBOX").await?;
        let witness = tokio::spawn(async move { witness.idle().await.map(|()| Instant::now()) });
        lmtp.deliver(&people::email(n), USER, letter(n).as_bytes()).await?;
        let delivered = Instant::now();
        keeps(&world, n - 19).await?;
        let seen = Instant::now();
        measured.push((seen.duration_since(delivered), seen.saturating_duration_since(witness.await??)));
    }
    println!("a lead after (delivery, the server's notice): {measured:?}");
    assert!(measured.iter().all(|(all, _)| *all < Duration::from_secs(20)), "far sooner than the next look: {measured:?}");
    each_once(&world, 20..25).await?;
    let metrics = send(world.web.get(world.gateway.url("/metrics"))).await?.expect(200)?.text();
    let counted = format!("leadgate_submissions_total{{source=\"{SOURCE}\",outcome=\"created\"}} 5\n");
    assert!(metrics.contains(&counted), "{metrics}");
    let after: BTreeMap<_, _> = other.flags("INBOX").await?.into_iter().filter(|(uid, _)| *uid <= 20).collect();
    assert_eq!(after, before);
    assert!(other.flags("INBOX").await?.range(21..).all(|(_, flags)| flags.is_empty()), "nobody read the new ones");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_older_mails_are_read_on_demand_with_progress() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    append(&server, "INBOX", 0..5_000).await?;
    let world = World::new(&setup(&section(&server, ""))).await?;
    watching(&world, SOURCE).await?;
    assert_eq!(kept(&world).await?, 0, "they were there before");
    let begun = Instant::now();
    world.gateway.cli(&["source", "backfill", SOURCE, "--since", "2000-01-01"]).await?;
    let progress = until("it tells how far it is", async || {
        let report = report(&world, SOURCE).await?;
        // Before it has counted them it says nothing of how many there are.
        Ok(report["folders"][0]["backfill"].as_array().filter(|progress| progress[1] != 0).cloned())
    })
    .await?;
    assert_eq!(progress[1], 5_000, "{progress:?}");
    // What is new does not wait for what is old.
    server.lmtp().await?.deliver(&people::email(5_000), USER, letter(5_000).as_bytes()).await?;
    keeps(&world, 5_001).await?;
    println!("5,000 mails of the past in {:?}", begun.elapsed());
    watching(&world, SOURCE).await?;
    each_once(&world, 0..5_001).await?;
    // Asked for once more, nothing is read twice.
    world.gateway.cli(&["source", "backfill", SOURCE, "--since", "2000-01-01"]).await?;
    watching(&world, SOURCE).await?;
    each_once(&world, 0..5_001).await
}

#[tokio::test]
async fn folders_are_named_as_people_see_them() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    server.imap(USER).await?.create(REQUESTS).await?;
    let folders = "folders = [\"INBOX\", \"Заявки\"]\npoll = \"5 s\"\n";
    let world = World::new(&setup(&section(&server, folders))).await?;
    watching(&world, SOURCE).await?;
    append(&server, REQUESTS, 1..3).await?;
    append(&server, "INBOX", 3..4).await?;
    keeps(&world, 3).await?;
    each_once(&world, 1..4).await?;
    // Moved from one to the other it is the same mail.
    let mut other = server.imap(USER).await?;
    other.select("INBOX").await?;
    other.move_to("1", REQUESTS).await?;
    append(&server, REQUESTS, 4..5).await?;
    keeps(&world, 4).await?;
    watching(&world, SOURCE).await?;
    each_once(&world, 1..5).await?;
    let said = world.gateway.cli(&["source", "test", SOURCE]).await?;
    assert!(said.contains("Заявки"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_managers_sent_is_told_on_the_lead_and_makes_none() -> anyhow::Result<()> {
    let (server, world) = watched("sent = [\"Sent\"]\npoll = \"5 s\"\n").await?;
    append(&server, "INBOX", 1..2).await?;
    keeps(&world, 1).await?;
    let answer = format!(
        "From: Boris <boris@zavod.ru>\r\nTo: {}\r\nSubject: Re: Question 1\r\nMessage-ID: <answer-1@zavod.ru>\r\n\
         Date: Mon, 2 Nov 2026 11:00:00 +0300\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYes, we do. Shall we send it?\r\n",
        people::email(1)
    );
    server.imap(USER).await?.append("Sent", &[answer]).await?;
    keeps(&world, 2).await?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["activities"], 2, "{lead}");
    // What answers the manager belongs to it, from whatever address.
    let reply = "From: Somebody Else <somebody.else@mail.ru>\r\nTo: info@zavod.ru\r\nSubject: Re: Question 1\r\n\
                 Message-ID: <reply-1@mail.ru>\r\nIn-Reply-To: <answer-1@zavod.ru>\r\n\
                 Content-Type: text/plain; charset=utf-8\r\n\r\nPlease do.\r\n";
    server.lmtp().await?.deliver("somebody.else@mail.ru", USER, reply.as_bytes()).await?;
    keeps(&world, 3).await?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["activities"], 3, "{lead}");
    Ok(())
}

#[tokio::test]
async fn every_way_of_connecting_is_safe_or_says_why_not() -> anyhow::Result<()> {
    let mut server = Dovecot::start().await?;
    let fingerprint = sha2::Sha256::digest(server.certificate()).iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    });
    let of = |source: &str, port: u16, more: &str| {
        format!(
            "[sources.{source}]\nkind = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{source}@zavod.ru\"\n\
             password = \"{PASSWORD}\"\n{more}\n"
        )
    };
    let authority = format!("ca = \"{}\"\n", server.authority().display());
    let good = ["tls", "starttls", "pinned", "plain"];
    for user in good.iter().chain(&["unknown", "forged"]) {
        server.account(&format!("{user}@zavod.ru")).await?;
    }
    let sections = [
        of("tls", server.imaps_port(), &authority),
        of("starttls", server.imap_port(), &format!("security = \"starttls\"\n{authority}")),
        of("pinned", server.imaps_port(), &format!("fingerprint = \"{fingerprint}\"\n")),
        of("plain", server.imap_port(), "security = \"plain\"\n"),
        of("unknown", server.imaps_port(), ""),
        of("forged", server.imaps_port(), &format!("fingerprint = \"{}\"\n", "ab".repeat(32))),
    ];
    let world = World::new(&setup(&sections.concat())).await?;
    let mut lmtp = server.lmtp().await?;
    for (n, source) in (0..).zip(good) {
        watching(&world, source).await?;
        lmtp.deliver(&people::email(n), &format!("{source}@zavod.ru"), letter(n).as_bytes()).await?;
    }
    keeps(&world, 4).await?;
    each_once(&world, 0..4).await?;
    for source in ["unknown", "forged"] {
        let tried = world.gateway.run(&["source", "test", source]).await?;
        let said = format!("{}{}", String::from_utf8_lossy(&tried.stdout), String::from_utf8_lossy(&tried.stderr));
        assert!(!tried.status.success(), "{said}");
        let shown = said.to_lowercase().replace(':', "");
        assert!(shown.contains(&fingerprint), "it shows the fingerprint it saw: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
    assert!(!world.gateway.log()?.contains(PASSWORD));
    Ok(())
}

#[tokio::test]
async fn what_was_read_is_marked_or_moved_if_that_is_asked_for() -> anyhow::Result<()> {
    let mut server = Dovecot::start().await?;
    let of = |source: &str, after: &str| section_of(&server, source, &format!("{source}@zavod.ru"), after);
    let sections = [
        of("seen", "after = \"seen\"\n"),
        of("keyword", "after = { keyword = \"$Lead\" }\n"),
        of("move", "after = { move = \"Прочитано\" }\n"),
    ];
    for source in ["seen", "keyword", "move"] {
        server.account(&format!("{source}@zavod.ru")).await?;
    }
    let world = World::new(&setup(&sections.concat())).await?;
    let mut lmtp = server.lmtp().await?;
    for (n, source) in (0..).zip(["seen", "keyword", "move"]) {
        watching(&world, source).await?;
        lmtp.deliver(&people::email(n), &format!("{source}@zavod.ru"), letter(n).as_bytes()).await?;
    }
    keeps(&world, 3).await?;
    for (source, flag) in [("seen", "\\Seen"), ("keyword", "$Lead")] {
        let mut imap = server.imap(&format!("{source}@zavod.ru")).await?;
        let mut flags = BTreeMap::new();
        // One connection asks again and again.
        let mut again = tokio::time::interval(Duration::from_millis(20));
        while flags.get(&1) != Some(&BTreeSet::from([flag.to_owned()])) {
            again.tick().await;
            flags = imap.flags("INBOX").await?;
        }
    }
    until("it is moved", async || {
        let mut imap = server.imap("move@zavod.ru").await?;
        if imap.folder("INBOX").await?.mails != 0 {
            return Ok(None);
        }
        // "Прочитано"
        Ok((imap.folder("&BB8EQAQ+BEcEOARCBDAEPQQ+-").await?.mails == 1).then_some(()))
    })
    .await?;
    each_once(&world, 0..3).await
}

#[tokio::test]
async fn the_same_mail_in_two_mailboxes_is_one_lead() -> anyhow::Result<()> {
    let mut server = Dovecot::start().await?;
    server.account("sales@zavod.ru").await?;
    let sections = [section(&server, ""), section_of(&server, "sales", "sales@zavod.ru", "")];
    let world = World::new(&setup(&sections.concat())).await?;
    watching(&world, SOURCE).await?;
    watching(&world, "sales").await?;
    let mut lmtp = server.lmtp().await?;
    for user in [USER, "sales@zavod.ru"] {
        lmtp.deliver(&people::email(1), user, letter(1).as_bytes()).await?;
    }
    for n in [2, 3] {
        lmtp.deliver(&people::email(n), [USER, "sales@zavod.ru"][usize::from(n == 3)], letter(n).as_bytes()).await?;
    }
    until("all three are leads", async || Ok((world.leads().await?.len() == 3).then_some(()))).await?;
    let leads = world.leads().await?;
    assert!(leads.iter().all(|lead| lead["activities"] == 1), "{leads:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_without_idle_is_asked_now_and_then() -> anyhow::Result<()> {
    let server = Dovecot::with("imap_capability = IMAP4rev1 LITERAL+ UIDPLUS MOVE").await?;
    let world = World::new(&setup(&section(&server, &format!("{LONG_AGO}poll = \"5 s\"\n")))).await?;
    append(&server, "INBOX", 1..2).await?;
    keeps(&world, 1).await?;
    watching(&world, SOURCE).await?;
    append(&server, "INBOX", 2..3).await?;
    keeps(&world, 2).await.context("without IDLE")?;
    each_once(&world, 1..3).await
}
