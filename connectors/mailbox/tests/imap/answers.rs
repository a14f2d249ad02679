//! Commands and their answers, right and wrong: nothing that breaks may look like an empty mailbox.

use jiff::civil::date;
use leadgate_mailbox::imap::{FolderState, ImapError, Session};
use tokio::net::TcpStream;

use crate::support::{Server, Talk, plain};

/// A server with `INBOX` open, and what it does then.
async fn inbox<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(Talk<TcpStream>) -> F + Send + 'static,
) -> (Server, Session) {
    inbox_with("IDLE", serve).await
}

async fn inbox_with<F: Future<Output = ()> + Send + 'static>(
    capabilities: &'static str,
    serve: impl FnOnce(Talk<TcpStream>) -> F + Send + 'static,
) -> (Server, Session) {
    let server = Server::once(async move |mut talk: Talk<TcpStream>| {
        talk.login(capabilities).await;
        talk.examine(5).await;
        serve(talk).await;
    })
    .await;
    let mut session = Session::open(&plain(server.port)).await.unwrap();
    session.select("INBOX", false).await.unwrap();
    (server, session)
}

fn mail(uid: u32, body: &str) -> String {
    format!("* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n{body})\r\n", body.len())
}

fn bodies(found: Vec<(u32, bytes::Bytes)>) -> Vec<(u32, String)> {
    found.into_iter().map(|(uid, body)| (uid, String::from_utf8(body.to_vec()).unwrap())).collect()
}

#[tokio::test]
async fn a_folder_is_opened_and_read() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.answer("UID SEARCH UID 3:*", "* SEARCH 5 4\r\n* 5 FETCH (FLAGS (\\Seen))\r\n* SEARCH 3\r\n").await;
        let heads = "* 3 FETCH (UID 3 RFC822.SIZE 10 INTERNALDATE \" 1-Feb-2026 09:08:07 +0300\")\r\n* 4 FETCH (RFC822.SIZE 11 UID 4 )\r\n";
        talk.answer("UID FETCH 3:5 (UID RFC822.SIZE INTERNALDATE)", heads).await;
        talk.answer("UID FETCH 3:4,9 (UID BODY.PEEK[])", format!("{}{}", mail(4, "four"), mail(3, ""))).await;
        talk.answer("UID FETCH 3 (UID BODY.PEEK[]<0.2>)", "* 3 FETCH (UID 3 BODY[]<0> {3}\r\nabc)\r\n").await;
        talk.answer("UID FETCH 3 (UID BODY.PEEK[HEADER])", "* 3 FETCH (UID 3 BODY[HEADER] \"a\")\r\n").await;
        talk.expect("LOGOUT").await;
        talk.say("* BYE bye\r\n").await;
        talk.done("OK done").await;
        talk.gone().await;
    })
    .await;
    assert_eq!(session.uids(3, None).await.unwrap(), [3, 4, 5]);
    let heads = session.heads(3, 5).await.unwrap();
    let heads: Vec<_> = heads.iter().map(|head| (head.uid, head.size, head.at.map(|at| at.to_string()))).collect();
    assert_eq!(heads, [(3, 10, Some("2026-02-01T06:08:07Z".to_owned())), (4, 11, None)]);
    assert_eq!(bodies(session.fetch(&[4, 3, 9]).await.unwrap()), [(3, String::new()), (4, "four".to_owned())]);
    assert_eq!(session.fetch_start(3, 2).await.unwrap().as_deref(), Some(&b"ab"[..]));
    assert_eq!(bodies(session.fetch_headers(&[3]).await.unwrap()), [(3, "a".to_owned())]);
    session.close().await;
    server.end().await;
}

#[tokio::test]
async fn lists_hold_what_was_asked_only() {
    let (server, mut session) = inbox(async |mut talk| {
        // The last mail is always in `n:*`.
        talk.answer("UID SEARCH UID 90:*", "* SEARCH 5\r\n").await;
        talk.answer("UID SEARCH UID 1:* SINCE 1-Jan-2026", "* SEARCH 5 5 2 \r\n").await;
        let heads = "* 7 FETCH (UID 7 RFC822.SIZE 1)\r\n* 4 FETCH (UID 4 RFC822.SIZE 1)\r\n* 4 FETCH (FLAGS ())\r\n";
        talk.answer("UID FETCH 1:5 (UID RFC822.SIZE INTERNALDATE)", heads).await;
        talk.answer("UID FETCH 4 (UID BODY.PEEK[])", format!("{}{}{}", mail(3, "x"), mail(4, "y"), mail(5, "z"))).await;
    })
    .await;
    assert_eq!(session.uids(90, None).await.unwrap(), [0_u32; 0]);
    assert_eq!(session.uids(0, Some(date(2026, 1, 1))).await.unwrap(), [2, 5]);
    assert_eq!(session.heads(0, 5).await.unwrap().iter().map(|head| head.uid).collect::<Vec<_>>(), [4]);
    assert_eq!(session.heads(6, 5).await.unwrap(), []);
    assert_eq!(bodies(session.fetch(&[4]).await.unwrap()), [(4, "y".to_owned())]);
    assert_eq!(session.fetch(&[]).await.unwrap(), []);
    server.end().await;
}

#[tokio::test]
async fn a_fetch_that_is_refused_halfway_fails() {
    for end in ["NO lost", "BAD lost"] {
        let (server, mut session) = inbox(async move |mut talk| {
            talk.expect("UID FETCH 1:5 (UID BODY.PEEK[])").await;
            talk.say(mail(1, "one")).await;
            talk.done(end).await;
        })
        .await;
        let error = session.fetch(&[1, 2, 3, 4, 5]).await.unwrap_err();
        assert!(matches!(&error, ImapError::Server(words) if words.ends_with("does not give its mails: lost")), "{error:?}");
        server.end().await;
    }
}

#[tokio::test]
async fn the_end_between_two_mails_fails() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.expect("UID FETCH 1:5 (UID BODY.PEEK[])").await;
        talk.say(mail(1, "one")).await;
    })
    .await;
    let error = session.fetch(&[1, 2, 3, 4, 5]).await.unwrap_err();
    assert!(matches!(&error, ImapError::Network(words) if words.ends_with("closed the connection")), "{error:?}");
    server.end().await;
}

#[tokio::test]
async fn the_end_inside_of_a_mail_fails() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.expect("UID FETCH 1 (UID BODY.PEEK[])").await;
        talk.say("* 1 FETCH (UID 1 BODY[] {100}\r\nhalf").await;
    })
    .await;
    assert!(matches!(session.fetch(&[1]).await, Err(ImapError::Network(_))));
    server.end().await;
}

#[tokio::test]
async fn a_search_that_is_refused_finds_not_nothing() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.expect("UID SEARCH UID 1:*").await;
        talk.done("NO [SERVERBUG] index is broken").await;
        talk.answer("UID SEARCH UID 1:*", "* SEARCH\r\n").await;
    })
    .await;
    let error = session.uids(1, None).await.unwrap_err();
    assert!(matches!(&error, ImapError::Server(words) if words.contains("index is broken")), "{error:?}");
    assert_eq!(session.uids(1, None).await.unwrap(), [0_u32; 0]);
    server.end().await;
}

#[tokio::test]
async fn after_the_end_every_step_fails() {
    let (server, mut session) = inbox(async |talk| drop(talk)).await;
    assert!(matches!(session.uids(1, None).await, Err(ImapError::Network(_))));
    assert!(matches!(session.uids(1, None).await, Err(ImapError::Network(_))));
    assert!(matches!(session.select("INBOX", false).await, Err(ImapError::Network(_))));
    assert!(matches!(session.status("INBOX").await, Err(ImapError::Network(_))));
    assert!(matches!(session.heads(1, 2).await, Err(ImapError::Network(_))));
    assert!(matches!(session.fetch(&[1]).await, Err(ImapError::Network(_))));
    assert!(matches!(session.flag(&[1], "\\Seen").await, Err(ImapError::Network(_))));
    assert!(matches!(session.folders().await, Err(ImapError::Network(_))));
    server.end().await;
}

#[tokio::test]
async fn what_nobody_asked_for_is_passed_over() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.answer("UID SEARCH UID 1:*", "* X-FOO bar (\"\"\"\"\r\n* SEARCH 1\r\n* 1 FETCH (BODYSTRUCTURE (\"\"\"\" NIL))\r\n")
            .await;
        talk.answer("UID FETCH 1 (UID BODY.PEEK[])", format!("* ESEARCH UID ALL 1\r\n{}* OK\r\n", mail(1, "one"))).await;
    })
    .await;
    assert_eq!(session.uids(1, None).await.unwrap(), [1]);
    assert_eq!(bodies(session.fetch(&[1]).await.unwrap()), [(1, "one".to_owned())]);
    server.end().await;
}

#[tokio::test]
async fn a_mail_that_cannot_be_read_is_an_error_and_its_neighbours_can() {
    let (server, mut session) = inbox(async |mut talk| {
        // Its bracket is closed too early.
        let broken = "* 1 FETCH (UID 1) BODY[] {3}\r\none)\r\n";
        talk.answer("UID FETCH 1:2 (UID BODY.PEEK[])", format!("{broken}{}", mail(2, "two"))).await;
        talk.answer("UID FETCH 1 (UID BODY.PEEK[])", broken).await;
        talk.answer("UID FETCH 2 (UID BODY.PEEK[])", mail(2, "two")).await;
    })
    .await;
    assert!(matches!(session.fetch(&[1, 2]).await, Err(ImapError::Unreadable(_))));
    assert!(matches!(session.fetch(&[1]).await, Err(ImapError::Unreadable(_))));
    assert_eq!(bodies(session.fetch(&[2]).await.unwrap()), [(2, "two".to_owned())]);
    server.end().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_an_error() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.answer("UID SEARCH UID 1:*", "* SEARCH 1 two 3\r\n").await;
        talk.answer("STATUS \"Sent\" (MESSAGES UIDNEXT UIDVALIDITY)", "* STATUS Sent (MESSAGES many)\r\n").await;
    })
    .await;
    assert!(matches!(session.uids(1, None).await, Err(ImapError::Unreadable(_))));
    assert!(matches!(session.status("Sent").await, Err(ImapError::Unreadable(_))));
    server.end().await;
}

#[tokio::test]
async fn one_odd_date_hides_no_mail() {
    let (server, mut session) = inbox(async |mut talk| {
        let odd =
            "* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE NIL)\r\n* 2 FETCH (UID 2 RFC822.SIZE 6 INTERNALDATE \"32-Foo-1 x\")\r\n";
        talk.answer("UID FETCH 1:2 (UID RFC822.SIZE INTERNALDATE)", odd).await;
        let sizes = "* 1 FETCH (UID 1 RFC822.SIZE 5)\r\n* 2 FETCH (UID 2 RFC822.SIZE 6)\r\n";
        talk.answer("UID FETCH 1:2 (UID RFC822.SIZE)", sizes).await;
    })
    .await;
    let heads = session.heads(1, 2).await.unwrap();
    assert_eq!(heads.iter().map(|head| (head.uid, head.size, head.at)).collect::<Vec<_>>(), [(1, 5, None), (2, 6, None)]);
    server.end().await;
}

#[tokio::test]
async fn a_mail_without_content_is_asked_for_again_and_then_an_error() {
    let (server, mut session) = inbox(async |mut talk| {
        for none in ["* 1 FETCH (UID 1 BODY[] NIL)\r\n", "* 1 FETCH (UID 1 )\r\n"] {
            talk.answer("UID FETCH 1 (UID BODY.PEEK[])", none).await;
            talk.answer("NOOP", "").await;
            talk.answer("UID FETCH 1 (UID BODY.PEEK[])", none).await;
        }
        // Another took it away meanwhile.
        talk.expect("UID FETCH 1:2 (UID BODY.PEEK[])").await;
        talk.say(mail(2, "two")).await;
        talk.done("NO [EXPUNGEISSUED] gone").await;
        talk.answer("NOOP", "* 1 EXPUNGE\r\n").await;
        talk.answer("UID FETCH 1:2 (UID BODY.PEEK[])", mail(2, "two")).await;
    })
    .await;
    for _ in 0..2 {
        let error = session.fetch(&[1]).await.unwrap_err();
        assert!(matches!(&error, ImapError::Unreadable(words) if words.ends_with("gives no content of mail UID 1")), "{error:?}");
    }
    assert_eq!(bodies(session.fetch(&[1, 2]).await.unwrap()), [(2, "two".to_owned())]);
    server.end().await;
}

#[tokio::test]
async fn a_mail_without_size_is_an_error() {
    let (server, mut session) = inbox(async |mut talk| {
        let none = "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2 RFC822.SIZE 6)\r\n";
        talk.answer("UID FETCH 1:2 (UID RFC822.SIZE INTERNALDATE)", none).await;
        talk.answer("UID FETCH 1:2 (UID RFC822.SIZE)", none).await;
    })
    .await;
    assert!(matches!(session.heads(1, 2).await, Err(ImapError::Unreadable(_))));
    server.end().await;
}

#[tokio::test]
async fn a_mail_larger_than_anything_is_refused_at_once() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.expect("UID FETCH 1 (UID BODY.PEEK[])").await;
        talk.say("* 1 FETCH (UID 1 BODY[] {536870913}\r\n").await;
        talk.gone().await;
    })
    .await;
    assert!(matches!(session.fetch(&[1]).await, Err(ImapError::Unreadable(_))));
    drop(session);
    server.end().await;
}

#[tokio::test]
async fn a_goodbye_is_the_end() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.expect("UID SEARCH UID 1:*").await;
        talk.say("* BYE shutting down\r\n").await;
        talk.done("OK done").await;
    })
    .await;
    let error = session.uids(1, None).await.unwrap_err();
    assert!(matches!(&error, ImapError::Network(words) if words.ends_with("ended the connection: shutting down")), "{error:?}");
    server.end().await;
}

#[tokio::test]
async fn an_answer_to_something_else_is_the_end() {
    for answer in ["L99 OK done\r\n", "+ go on\r\n"] {
        let (server, mut session) = inbox(async move |mut talk| {
            talk.expect("UID SEARCH UID 1:*").await;
            talk.say(answer).await;
            talk.gone().await;
        })
        .await;
        assert!(matches!(session.uids(1, None).await, Err(ImapError::Unreadable(_))));
        assert!(matches!(session.uids(1, None).await, Err(ImapError::Network(_))));
        drop(session);
        server.end().await;
    }
}

#[tokio::test]
async fn silence_ends_every_step() {
    let (server, mut session) = inbox(async |mut talk| talk.leave().await).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let error = session.uids(1, None).await.unwrap_err();
    assert!(matches!(&error, ImapError::Network(words) if words.ends_with("did not answer within 60 s")), "{error:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(62), "{:?}", began.elapsed());
    drop(session);
    server.end().await;
}

#[tokio::test]
async fn silence_inside_of_a_large_mail_ends_it() {
    let (server, mut session) = inbox(async |mut talk| {
        talk.expect("UID FETCH 1 (UID BODY.PEEK[])").await;
        talk.say("* 1 FETCH (UID 1 BODY[] {10000000}\r\n").await;
        talk.say(vec![b'x'; 1_000_000]).await;
        talk.leave().await;
    })
    .await;
    // A megabyte would buy it a quarter of an hour, if nothing but the rate counted.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert!(matches!(session.fetch(&[1]).await, Err(ImapError::Network(_))));
    assert!(began.elapsed() < std::time::Duration::from_secs(62), "{:?}", began.elapsed());
    drop(session);
    server.end().await;
}

#[tokio::test]
async fn a_step_that_was_dropped_leaves_nothing_to_use() {
    let (server, mut session) = inbox(async |mut talk| talk.leave().await).await;
    let dropped = tokio::time::timeout(std::time::Duration::ZERO, session.uids(1, None)).await;
    assert!(dropped.is_err());
    let error = session.uids(1, None).await.unwrap_err();
    assert!(matches!(&error, ImapError::Network(words) if words.ends_with("was left in the middle of a step")), "{error:?}");
    drop(session);
    server.end().await;
}

#[tokio::test]
async fn a_folder_needs_its_numbers() {
    let told = |lines: &[&str]| format!("* {}\r\n", lines.join("\r\n* "));
    let (validity, next) = ("OK [UIDVALIDITY 9] ok", "OK [UIDNEXT 6] ok");
    let selects = [
        (told(&["5 EXISTS", next]), None),
        (told(&["5 EXISTS", validity]), None),
        (told(&["5 EXISTS", next, "OK [UIDVALIDITY 0]"]), None),
        (told(&["5 EXISTS", validity, "OK [UIDNEXT 4294967296]"]), None),
        (String::new(), None),
        (
            told(&["FLAGS (\\Seen)", "5 EXISTS", validity, next, "OK [PERMANENTFLAGS (\\Seen \\*)] ok"]),
            Some(FolderState { uid_validity: 9, uid_next: 6, exists: 5, keywords: true }),
        ),
    ];
    let statuses = [
        ("* STATUS Sent (MESSAGES 5 UIDNEXT 6)\r\n", None),
        ("* STATUS Sent (UIDVALIDITY 9 UIDNEXT 6)\r\n", None),
        ("* STATUS Sent ()\r\n", None),
        ("", None),
        (
            "* STATUS Other (MESSAGES 1 UIDNEXT 1 UIDVALIDITY 1)\r\n* STATUS \"Sent\" (UIDVALIDITY 9 UIDNEXT 6 MESSAGES 5)\r\n",
            Some(FolderState { uid_validity: 9, uid_next: 6, exists: 5, keywords: false }),
        ),
    ];
    let (said, asked) = (selects.clone(), statuses);
    let server = Server::once(async move |mut talk: Talk<TcpStream>| {
        talk.login("").await;
        for (lines, _) in &said {
            talk.answer("SELECT \"INBOX\"", lines).await;
        }
        for (line, _) in asked {
            talk.answer("STATUS \"Sent\" (MESSAGES UIDNEXT UIDVALIDITY)", line).await;
        }
    })
    .await;
    let mut session = Session::open(&plain(server.port)).await.unwrap();
    for (lines, expected) in selects {
        assert_eq!(session.select("INBOX", true).await.ok(), expected, "{lines}");
    }
    for (line, expected) in statuses {
        assert_eq!(session.status("Sent").await.ok(), expected, "{line}");
    }
    server.end().await;
}
