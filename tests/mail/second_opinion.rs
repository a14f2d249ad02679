//! What the gateway kept beside what `async-imap` sees in the same mailbox. The gateway cuts the server's answers itself (see
//! ARCHITECTURE.md); a library that many programs use is its second opinion.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use leadgate_tests::client::World;
use leadgate_tests::dovecot::{Dovecot, PASSWORD, USER};
use leadgate_tests::mail::{letter, sized_letter};
use tokio::net::TcpStream;

use crate::watched::{LONG_AGO, SOURCE, section, setup, watching};

/// Mails in which a reader of answers may lose its way: what looks like a literal, a tag or the end of an answer, lines without end,
/// bytes beyond ASCII, an empty body.
fn misleading() -> Vec<String> {
    let begin = |n: u32| {
        format!(
            "From: Anna <anna{n}@firma-mail.ru>\r\nTo: info@zavod.ru\r\nMessage-ID: <odd-{n}@firma-mail.ru>\r\nSubject: No {n}\r\n"
        )
    };
    let bodies = [
        "Order {5}\r\n)\r\nL7 OK FETCH completed\r\n* 3 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n".to_owned(),
        "* BYE\r\n+ go on\r\n\r\n.\r\n".to_owned(),
        "x".repeat(70_000),
        "Content-Type: no header, {12}".to_owned(),
        "Здравствуйте, \u{1f600} {99999999999}\r\n".to_owned(),
        String::new(),
    ];
    let mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    (0..).zip(bodies).map(|(n, body)| format!("{}{mime}{body}", begin(n))).collect()
}

/// Every mail of the inbox as `async-imap` reads it, by UID: how large the server says it is, and its bytes.
async fn seen(server: &Dovecot) -> anyhow::Result<BTreeMap<u32, (u32, Vec<u8>)>> {
    let mut client = async_imap::Client::new(TcpStream::connect((Ipv4Addr::LOCALHOST, server.imap_port())).await?);
    client.read_response().await?.context("a greeting")?;
    let mut session = client.login(USER, PASSWORD).await.map_err(|(error, _)| error)?;
    let there = session.examine("INBOX").await?.exists;
    let mails: Vec<_> = session.uid_fetch("1:*", "(UID RFC822.SIZE BODY.PEEK[])").await?.try_collect().await?;
    assert_eq!(mails.len(), usize::try_from(there)?);
    let mut seen = BTreeMap::new();
    for mail in &mails {
        let (uid, size, body) = (mail.uid.context("a UID")?, mail.size.context("a size")?, mail.body().unwrap_or_default());
        seen.insert(uid, (size, body.to_vec()));
    }
    session.logout().await?;
    Ok(seen)
}

#[tokio::test]
async fn what_is_kept_is_what_another_library_sees() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    let mut mails = misleading();
    mails.extend((0..40).map(letter));
    mails.push(sized_letter(40, 300_000));
    server.imap(USER).await?.append("INBOX", &mails).await?;
    let world = World::new(&setup(&section(&server, LONG_AGO))).await?;
    watching(&world, SOURCE).await?;
    let seen = seen(&server).await?;
    assert!(seen.values().all(|(size, body)| usize::try_from(*size).is_ok_and(|size| size == body.len())));
    let seen: BTreeSet<String> = seen.into_values().map(|(_, body)| String::from_utf8(body)).collect::<Result<_, _>>()?;
    assert_eq!(seen, mails.iter().cloned().collect(), "it sees what was put there");
    let mut kept = BTreeSet::new();
    for submission in world.all("/submissions").await? {
        kept.insert(world.raw(&submission["id"]).await?);
    }
    let differs: Vec<_> = kept.symmetric_difference(&seen).map(|mail| mail.get(..120).unwrap_or(mail)).collect();
    assert!(differs.is_empty(), "{differs:#?}");
    Ok(())
}
