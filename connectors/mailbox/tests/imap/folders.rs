//! Folders and what is changed in them.

use leadgate_mailbox::imap::{FolderInfo, ImapError, Session};
use tokio::net::TcpStream;

use crate::support::{Server, Talk, plain};

async fn logged_in<F: Future<Output = ()> + Send + 'static>(
    capabilities: &'static str,
    serve: impl FnOnce(Talk<TcpStream>) -> F + Send + 'static,
) -> (Server, Session) {
    let server = Server::once(async move |mut talk: Talk<TcpStream>| {
        talk.login(capabilities).await;
        serve(talk).await;
    })
    .await;
    let session = Session::open(&plain(server.port)).await.unwrap();
    (server, session)
}

const STATE: &str = "* 0 EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\n* OK [UIDNEXT 1] ok\r\n";

fn folder(name: &str, marks: &[&str]) -> FolderInfo {
    FolderInfo { name: name.to_owned(), marks: marks.iter().map(|mark| (*mark).to_owned()).collect() }
}

#[tokio::test]
async fn names_and_marks() {
    let (server, mut session) = logged_in("", async |mut talk| {
        let list = "* LIST (\\HasNoChildren) \"/\" inbox\r\n\
                    * LIST (\\HasNoChildren \\sent) \"/\" \"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-\"\r\n\
                    * LIST (\\NOSELECT \\HasChildren) \"/\" {7}\r\n[Gmail]\r\n\
                    * LIST (\\Junk) NIL \"R&-D \\\"x\\\"\"\r\n\
                    * LIST oops\r\n\
                    * LIST () \".\" \"Q&A\"\r\n";
        talk.answer("LIST \"\" \"*\"", list).await;
        talk.answer("EXAMINE \"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-\"", STATE).await;
        // As this server writes it.
        talk.answer("EXAMINE \"Q&A\"", STATE).await;
        talk.answer("EXAMINE \"R&-D \\\"x\\\"\"", STATE).await;
    })
    .await;
    let expected = [
        folder("INBOX", &["\\HasNoChildren"]),
        folder("Отправленные", &["\\HasNoChildren", "\\Sent"]),
        folder("[Gmail]", &["\\Noselect", "\\HasChildren"]),
        folder("R&D \"x\"", &["\\Junk"]),
        folder("Q&A", &[]),
    ];
    assert_eq!(session.folders().await.unwrap(), expected);
    for name in ["Отправленные", "Q&A", "R&D \"x\""] {
        session.select(name, false).await.unwrap();
    }
    server.end().await;
}

#[tokio::test]
async fn marks_are_asked_for_where_they_must_be() {
    let (server, mut session) = logged_in("SPECIAL-USE LIST-EXTENDED", async |mut talk| {
        talk.answer("LIST \"\" \"*\" RETURN (SPECIAL-USE)", "* LIST (\\Sent) \"/\" Sent\r\n").await;
        talk.expect("LIST \"\" \"*\" RETURN (SPECIAL-USE)").await;
        talk.done("BAD what?").await;
        talk.answer("LIST \"\" \"*\"", "* LIST () \"/\" Sent\r\n").await;
    })
    .await;
    assert_eq!(session.folders().await.unwrap(), [folder("Sent", &["\\Sent"])]);
    assert_eq!(session.folders().await.unwrap(), [folder("Sent", &[])]);
    server.end().await;
}

#[tokio::test]
async fn a_missing_folder_is_told_from_a_refused_one() {
    let list = "* LIST () \"/\" INBOX\r\n* LIST (\\Noselect) \"/\" Archive\r\n* LIST () \"/\" Locked\r\n";
    let (server, mut session) = logged_in("", async move |mut talk| {
        talk.expect("EXAMINE \"Gone\"").await;
        talk.done("NO [NONEXISTENT] Unknown Mailbox").await;
        for name in ["Gone", "Archive", "Locked"] {
            talk.expect(&format!("EXAMINE \"{name}\"")).await;
            talk.done("NO it could not be opened").await;
            talk.answer("LIST \"\" \"*\"", list).await;
        }
        talk.expect("STATUS \"Gone\" (MESSAGES UIDNEXT UIDVALIDITY)").await;
        talk.done("NO no such").await;
        talk.answer("LIST \"\" \"*\"", list).await;
        // The connection is good for the others.
        talk.answer("EXAMINE \"INBOX\"", STATE).await;
    })
    .await;
    let gone = Err(ImapError::NoFolder("Gone".to_owned()));
    assert_eq!(session.select("Gone", false).await, gone);
    assert_eq!(session.select("Gone", false).await, gone);
    for (name, why) in [("Archive", "holds folders only"), ("Locked", "it could not be opened")] {
        let error = session.select(name, false).await.unwrap_err();
        assert!(matches!(&error, ImapError::Server(words) if words.contains(why)), "{error:?}");
    }
    assert_eq!(session.status("Gone").await, gone);
    session.select("INBOX", false).await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn a_server_with_names_of_its_own_is_understood() {
    let (server, mut session) = logged_in("", async |mut talk| {
        talk.expect("SELECT \"&BBcEMARPBDIEOgQ4-\"").await;
        talk.done("NO [NONEXISTENT] no such folder").await;
        talk.answer("LIST \"\" \"*\"", "* LIST () \"/\" \"Заявки\"\r\n").await;
        talk.answer("SELECT \"Заявки\"", STATE).await;
        talk.answer(
            "STATUS \"Заявки\" (MESSAGES UIDNEXT UIDVALIDITY)",
            "* STATUS \"Заявки\" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 9)\r\n",
        )
        .await;
    })
    .await;
    assert_eq!(session.select("Заявки", true).await.unwrap().uid_validity, 9);
    assert_eq!(session.status("Заявки").await.unwrap().uid_validity, 9);
    server.end().await;
}

#[tokio::test]
async fn flags() {
    let (server, mut session) = logged_in("", async |mut talk| {
        talk.answer("UID STORE 1:2,5 +FLAGS.SILENT (\\Seen)", "* 1 FETCH (FLAGS (\\Seen))\r\n").await;
        talk.expect("UID STORE 7 +FLAGS.SILENT ($LeadImported)").await;
        talk.done("NO [LIMIT] too many keywords").await;
        talk.expect("UID STORE 7 +FLAGS.SILENT (done)").await;
        talk.done("NO [EXPUNGEISSUED] gone").await;
        talk.answer("NOOP", "* 7 EXPUNGE\r\n").await;
        talk.answer("UID STORE 7 +FLAGS.SILENT (done)", "").await;
    })
    .await;
    session.flag(&[5, 2, 1], "\\Seen").await.unwrap();
    assert!(matches!(session.flag(&[7], "$LeadImported").await, Err(ImapError::Server(_))));
    session.flag(&[7], "done").await.unwrap();
    // Nothing of this goes out.
    assert!(matches!(session.flag(&[7], "a) \r\nL9 LOGOUT").await, Err(ImapError::Server(_))));
    session.flag(&[], "\\Seen").await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn mails_are_moved_and_the_folder_is_made() {
    let (server, mut session) = logged_in("MOVE UIDPLUS", async |mut talk| {
        talk.answer("UID MOVE 3,5 \"Done\"", "* OK [COPYUID 1 3,5 1:2] moved\r\n* 3 EXPUNGE\r\n* 4 EXPUNGE\r\n").await;
        talk.expect("UID MOVE 6 \"&BBMEPgRCBD4EMgQ+-\"").await;
        talk.done("NO [TRYCREATE] no such folder").await;
        talk.answer("LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n").await;
        talk.answer("CREATE \"&BBMEPgRCBD4EMgQ+-\"", "").await;
        talk.expect("SUBSCRIBE \"&BBMEPgRCBD4EMgQ+-\"").await;
        talk.done("NO not here").await;
        talk.answer("UID MOVE 6 \"&BBMEPgRCBD4EMgQ+-\"", "").await;
        // Another was faster; and it does not work in the end.
        talk.expect("UID MOVE 7 \"Full\"").await;
        talk.done("NO [TRYCREATE] no such folder").await;
        talk.expect("CREATE \"Full\"").await;
        talk.done("NO [ALREADYEXISTS] it is there").await;
        talk.answer("SUBSCRIBE \"Full\"", "").await;
        talk.expect("UID MOVE 7 \"Full\"").await;
        talk.done("NO [OVERQUOTA] no room").await;
    })
    .await;
    session.move_to(&[3, 5], "Done").await.unwrap();
    session.move_to(&[6], "Готово").await.unwrap();
    let error = session.move_to(&[7], "Full").await.unwrap_err();
    assert!(matches!(&error, ImapError::Server(words) if words.contains("no room")), "{error:?}");
    server.end().await;
}

#[tokio::test]
async fn without_move_only_what_was_copied_is_removed() {
    let (server, mut session) = logged_in("UIDPLUS", async |mut talk| {
        talk.answer("UID COPY 3:4 \"Done\"", "").await;
        talk.answer("UID STORE 3:4 +FLAGS.SILENT (\\Deleted)", "").await;
        talk.answer("UID EXPUNGE 3:4", "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\n").await;
        // What was not copied is not removed.
        talk.expect("UID COPY 5 \"Done\"").await;
        talk.done("NO [OVERQUOTA] no room").await;
        talk.answer("LIST \"\" \"*\"", "* LIST () \"/\" Done\r\n").await;
        talk.expect("LOGOUT").await;
    })
    .await;
    session.move_to(&[3, 4], "Done").await.unwrap();
    assert!(matches!(session.move_to(&[5], "Done").await, Err(ImapError::Server(_))));
    session.close().await;
    server.end().await;
}

#[tokio::test]
async fn without_move_and_uidplus_nothing_is_moved() {
    let (server, mut session) = logged_in("", async |mut talk| talk.expect("LOGOUT").await).await;
    let error = session.move_to(&[3], "Done").await.unwrap_err();
    assert!(matches!(&error, ImapError::Server(words) if words.contains("neither MOVE nor UIDPLUS")), "{error:?}");
    session.close().await;
    server.end().await;
}
