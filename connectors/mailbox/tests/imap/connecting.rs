//! The way to the server.

use leadgate_mailbox::imap::{ImapError, Session};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Server, Talk, plain};

#[tokio::test]
async fn another_address_of_the_name_is_tried() {
    // `localhost` has two; nobody listens at one of them.
    let server = Server::once(async |mut talk: Talk<TcpStream>| talk.login("").await).await;
    Session::open(&plain(server.port)).await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Session::open(&plain(port)).await.err().unwrap();
    let expected = format!("localhost:{port} cannot be reached (");
    assert!(matches!(&error, ImapError::Network(words) if words.starts_with(&expected)), "{error:?}");
}

#[tokio::test]
async fn without_encryption_no_other_machine_is_reached() {
    let mut connection = plain(143);
    // What the name meant when the configuration was read counts no more.
    connection.server.host = "192.0.2.1".to_owned();
    let error = Session::open(&connection).await.err().unwrap();
    assert!(matches!(&error, ImapError::Tls(words) if words.starts_with("192.0.2.1 is another machine")), "{error:?}");
}
