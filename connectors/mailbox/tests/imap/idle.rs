//! Waiting for the server to speak.

use std::time::Duration;

use leadgate_mailbox::imap::{ImapError, Session, Woken};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{Server, Talk, plain};

const MOST: Duration = Duration::from_mins(9);

async fn waiting<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(Talk<TcpStream>) -> F + Send + 'static,
) -> (Server, Session) {
    let server = Server::once(async move |mut talk: Talk<TcpStream>| {
        talk.login("IDLE").await;
        talk.examine(5).await;
        serve(talk).await;
    })
    .await;
    let mut session = Session::open(&plain(server.port)).await.unwrap();
    session.select("INBOX", false).await.unwrap();
    (server, session)
}

/// Ends an IDLE in order.
async fn leave(talk: &mut Talk<TcpStream>) {
    assert_eq!(talk.line().await, "DONE");
    talk.done("OK done").await;
}

#[tokio::test]
async fn a_change_wakes() {
    let (server, mut session) = waiting(async |mut talk| {
        for change in ["* 6 EXISTS\r\n", "* 1 EXPUNGE\r\n", "* 2 FETCH (FLAGS (\\Seen))\r\n", "* VANISHED 3\r\n"] {
            talk.expect("IDLE").await;
            talk.say("+ idling\r\n").await;
            talk.say("* OK Still here\r\n").await;
            talk.say(change).await;
            leave(&mut talk).await;
        }
    })
    .await;
    for _ in 0..4 {
        assert_eq!(session.idle(MOST).await, Ok(Woken::Changed));
    }
    server.end().await;
}

#[tokio::test]
async fn it_wakes_with_the_line() {
    let (told, when) = tokio::sync::oneshot::channel();
    let (server, mut session) = waiting(async |mut talk| {
        talk.expect("IDLE").await;
        talk.say("+ idling\r\n").await;
        let began = Instant::now();
        talk.say("* 6 EXISTS\r\n").await;
        leave(&mut talk).await;
        told.send(began).unwrap();
    })
    .await;
    session.idle(MOST).await.unwrap();
    let woken = Instant::now();
    // Nothing but the way there and back; a second is for a machine that has other things to do.
    assert!(woken - when.await.unwrap() < Duration::from_secs(1));
    server.end().await;
}

#[tokio::test]
async fn a_change_before_the_plus_wakes() {
    let (server, mut session) = waiting(async |mut talk| {
        for change in ["* 6 EXISTS\r\n", "* 6 EXPUNGE\r\n"] {
            talk.expect("IDLE").await;
            talk.say(change).await;
            talk.say("+ idling\r\n").await;
            leave(&mut talk).await;
        }
    })
    .await;
    assert_eq!(session.idle(MOST).await, Ok(Woken::Changed));
    assert_eq!(session.idle(MOST).await, Ok(Woken::Changed));
    server.end().await;
}

#[tokio::test]
async fn what_came_since_the_last_look_wakes_at_once() {
    let (server, mut session) = waiting(async |mut talk| {
        // It may have come after the server looked.
        talk.answer("UID SEARCH UID 6:*", "* SEARCH\r\n* 6 EXISTS\r\n").await;
        talk.answer("UID SEARCH UID 6:*", "* SEARCH 6\r\n").await;
        talk.answer("UID FETCH 6 (UID BODY.PEEK[])", "* 6 FETCH (UID 6 BODY[] {1}\r\nx)\r\n* 7 EXISTS\r\n").await;
        // The same number again is no change.
        talk.expect("IDLE").await;
        talk.say("* 7 EXISTS\r\n+ idling\r\n* 7 EXISTS\r\n").await;
        leave(&mut talk).await;
    })
    .await;
    assert_eq!(session.uids(6, None).await.unwrap(), [0_u32; 0]);
    assert_eq!(session.idle(MOST).await, Ok(Woken::Changed));
    assert_eq!(session.uids(6, None).await.unwrap(), [6]);
    session.fetch(&[6]).await.unwrap();
    assert_eq!(session.idle(MOST).await, Ok(Woken::Changed));
    tokio::time::pause();
    assert_eq!(session.idle(MOST).await, Ok(Woken::Time));
    server.end().await;
}

#[tokio::test]
async fn its_time_runs_whatever_the_server_says() {
    let (server, mut session) = waiting(async |mut talk| {
        talk.expect("IDLE").await;
        talk.say("+ idling\r\n").await;
        let mut every = tokio::time::interval(Duration::from_secs(10));
        loop {
            tokio::select! {
                _ = every.tick() => talk.say("* OK Still here\r\n").await,
                line = talk.line() => break assert_eq!(line, "DONE"),
            }
        }
        talk.done("OK done").await;
    })
    .await;
    tokio::time::pause();
    let began = Instant::now();
    assert_eq!(session.idle(MOST).await, Ok(Woken::Time));
    assert!((MOST..MOST + Duration::from_secs(15)).contains(&began.elapsed()), "{:?}", began.elapsed());
    server.end().await;
}

#[tokio::test]
async fn the_end_is_no_waking() {
    let (server, mut session) = waiting(async |mut talk| {
        talk.expect("IDLE").await;
        talk.say("+ idling\r\n").await;
    })
    .await;
    let error = session.idle(MOST).await.unwrap_err();
    assert!(matches!(&error, ImapError::Network(words) if words.ends_with("closed the connection")), "{error:?}");
    server.end().await;
}

#[tokio::test]
async fn a_goodbye_is_no_waking() {
    for before in ["", "+ idling\r\n"] {
        let (server, mut session) = waiting(async move |mut talk| {
            talk.expect("IDLE").await;
            talk.say(before).await;
            talk.say("* BYE shutting down\r\n").await;
            talk.leave().await;
        })
        .await;
        assert!(matches!(session.idle(MOST).await, Err(ImapError::Network(_))));
        drop(session);
        server.end().await;
    }
}

#[tokio::test]
async fn a_frozen_server_is_noticed() {
    let (server, mut session) = waiting(async |mut talk| {
        talk.expect("IDLE").await;
        talk.say("+ idling\r\n").await;
        talk.leave().await;
    })
    .await;
    tokio::time::pause();
    let began = Instant::now();
    assert!(matches!(session.idle(MOST).await, Err(ImapError::Network(_))));
    assert!(began.elapsed() < MOST + Duration::from_secs(62), "{:?}", began.elapsed());
    drop(session);
    server.end().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_to_it_is_noticed() {
    let (server, mut session) = waiting(async |mut talk| talk.leave().await).await;
    tokio::time::pause();
    assert!(matches!(session.idle(MOST).await, Err(ImapError::Network(_))));
    drop(session);
    server.end().await;
}

#[tokio::test]
async fn a_refusal_is_remembered() {
    for refusal in ["NO not here", "BAD what?"] {
        let (server, mut session) = waiting(async move |mut talk| {
            talk.expect("IDLE").await;
            talk.done(refusal).await;
            talk.answer("UID SEARCH UID 6:*", "* SEARCH\r\n").await;
        })
        .await;
        assert!(session.offers("IDLE"));
        assert_eq!(session.idle(MOST).await, Ok(Woken::Time));
        assert!(!session.offers("IDLE"));
        assert!(matches!(session.idle(MOST).await, Err(ImapError::Server(_))));
        assert_eq!(session.uids(6, None).await.unwrap(), [0_u32; 0]);
        server.end().await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_wait_is_not_asked_again() {
    let (server, mut session) = waiting(async |mut talk| {
        talk.expect("IDLE").await;
        talk.say("+ idling\r\n").await;
        talk.done("OK enough").await;
    })
    .await;
    assert_eq!(session.idle(MOST).await, Ok(Woken::Time));
    assert!(!session.offers("IDLE"));
    server.end().await;
}
