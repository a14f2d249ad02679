//! The server that the other tests stand on does what they take for granted.

use std::time::{Duration, Instant};

use leadgate_tests::client::until;
use leadgate_tests::dovecot::{Dovecot, PASSWORD, USER};
use leadgate_tests::mail::{Imap, letter};

#[tokio::test]
async fn what_is_delivered_appended_and_dropped_in_is_there_as_it_was() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    let mut imap = server.imap(USER).await?;
    assert_eq!(imap.folder("INBOX").await?.mails, 0);
    let dotted = letter(1).replace("Good day", "..\r\n.Good day");
    server.lmtp().await?.deliver("anna@mail.ru", USER, dotted.as_bytes()).await?;
    imap.append("INBOX", &[letter(2), letter(3)]).await?;
    server.drop_in(USER, "INBOX", letter(4).as_bytes())?;
    imap.select("INBOX").await?;
    let delivered = String::from_utf8(imap.mail(1).await?.unwrap())?;
    assert!(delivered.ends_with(dotted.split_once("\r\n").unwrap().1), "{delivered}");
    assert!(delivered.contains("Delivered-To: info@zavod.ru"), "{delivered}");
    for n in 2..=4 {
        assert_eq!(imap.mail(n).await?.unwrap(), letter(n.into()).into_bytes());
    }
    let folder = imap.folder("INBOX").await?;
    assert_eq!((folder.mails, folder.uid_next), (4, 5));
    let flags = imap.flags("INBOX").await?;
    assert_eq!(flags.len(), 4);
    assert!(flags.values().all(std::collections::BTreeSet::is_empty), "looking changes nothing: {flags:?}");
    Ok(())
}

#[tokio::test]
async fn mails_go_away_and_move_and_an_idle_program_hears_of_new_ones() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    let mut imap = server.imap(USER).await?;
    imap.append("INBOX", &[letter(1), letter(2), letter(3)]).await?;
    imap.create("&BBcEMARPBDIEOgQ4-").await?;
    imap.select("INBOX").await?;
    imap.expunge("2").await?;
    imap.move_to("3", "&BBcEMARPBDIEOgQ4-").await?;
    assert_eq!(imap.flags("INBOX").await?.into_keys().collect::<Vec<_>>(), [1]);
    assert_eq!(imap.mail(2).await?, None);
    assert_eq!(imap.folder("&BBcEMARPBDIEOgQ4-").await?.mails, 1);
    let waiting = tokio::spawn(async move { imap.idle().await.map(|()| Instant::now()) });
    until("it waits", async || Ok(server.log().contains("Login").then_some(()))).await?;
    let mut other = server.imap(USER).await?;
    let mut told = Instant::now();
    // The first may be there before the program waits.
    for n in 4.. {
        if waiting.is_finished() {
            break;
        }
        told = Instant::now();
        other.append("INBOX", &[letter(n)]).await?;
        let heard = async || Ok((waiting.is_finished() || told.elapsed() > Duration::from_secs(2)).then_some(()));
        until("it hears", heard).await?;
    }
    println!("IDLE told after {:?}", waiting.await??.duration_since(told));
    Ok(())
}

#[tokio::test]
async fn it_stops_dies_freezes_forgets_and_refuses_as_it_is_told() -> anyhow::Result<()> {
    let mut server = Dovecot::start().await?;
    let mut imap = server.imap(USER).await?;
    imap.append("INBOX", &[letter(1)]).await?;
    let before = imap.folder("INBOX").await?;

    assert_eq!(server.kill("imap")?, 1);
    assert!(imap.folder("INBOX").await.is_err(), "its process is dead");

    let mut imap = server.imap(USER).await?;
    server.freeze()?;
    let silent = tokio::time::timeout(Duration::from_millis(300), imap.folder("INBOX")).await;
    assert!(silent.is_err(), "nobody answers: {silent:?}");
    server.thaw()?;

    let begun = Instant::now();
    server.stop().await?;
    println!("stopped after {:?}", begun.elapsed());
    assert!(server.imap(USER).await.is_err());
    server.forget_uids(USER)?;
    server.up().await?;
    let after = server.imap(USER).await?.folder("INBOX").await?;
    assert_eq!(after.mails, before.mails);
    assert_ne!(after.uid_validity, before.uid_validity);

    server.password(USER, "another").await?;
    assert!(Imap::open(server.imap_port(), USER, PASSWORD).await.is_err());
    server.imap(USER).await?;

    server.cut().await?;
    server.up().await?;
    assert_eq!(server.imap(USER).await?.folder("INBOX").await?, after);
    Ok(())
}
