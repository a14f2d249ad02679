//! A call with a recording: told by the PBX, fetched, and kept with the call whatever else is told of it. The clock is moved by hand.

use std::net::Ipv4Addr;

use jiff::SignedDuration;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const WAV: &[u8] = b"RIFF\x24\x08\0\0WAVEfmt and so on";

/// Where recordings lie: nothing is there at first.
async fn records() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for (status, body) in [("404 Not Found", &b""[..]), ("200 OK", WAV)] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let _length = stream.read(&mut request).await.unwrap();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        }
    });
    port
}

impl Rig {
    async fn tells(&self, duration: &str, link: &str) {
        let path = self.gateway.live().source("pbx").unwrap().path();
        let fields = [
            ("cmd", "history"),
            ("callid", "C1"),
            ("phone", "79161234567"),
            ("diversion", "74951234567"),
            ("type", "in"),
            ("status", "Success"),
            ("user", "ivanov"),
            ("start", "20261121T095900Z"),
            ("duration", duration),
            ("link", link),
        ];
        assert_eq!(self.post(&path, &fields).await.status(), StatusCode::OK);
    }

    async fn content(&self) -> Value {
        self.get("/leads/1").await["timeline"][0]["content"].clone()
    }

    async fn fetching(&self) -> Value {
        self.get("/outbox?target=files:pbx").await["items"][0].clone()
    }
}

#[tokio::test]
async fn a_recording_is_fetched_once_it_is_there_and_stays() {
    let port = records().await;
    let source = "[sources.pbx]\nkind = \"itoolabs\"\nrecordings = \"fetch\"\nrecording_after = \"10 s\"\n\
                  recording_hosts = [\"127.0.0.1\"]\n";
    let server = format!("inner_services = [\"127.0.0.1:{port}\"]");
    let clock = Clock::manual("2026-11-21T10:00:00Z".parse().unwrap(), 7);
    let rig = Rig::in_folder_at(tempfile::tempdir().unwrap(), &server, source, clock);
    assert!(rig.gateway.store().await.is_some());
    let link = format!("http://127.0.0.1:{port}/C1?sig=1");
    rig.tells("65", &link).await;
    let words = async |words: &str| rig.fetching().await["words"] == words;
    rig.until("it is left alone at first", async || words("it may not be there yet").await).await;
    rig.gateway.clock.advance(SignedDuration::from_secs(15));
    rig.until("it is not there", async || words("answered 404").await).await;
    assert_eq!(rig.content().await["offered"][0]["id"], link.as_str());
    rig.gateway.clock.advance(SignedDuration::from_mins(2));
    rig.until("it is fetched", async || words("1 fetched").await).await;
    let call = rig.content().await;
    assert_eq!((&call["offered"], &call["files"][0]["name"]), (&Value::Null, &json!("C1.wav")), "{call}");
    let sha256 = call["files"][0]["sha256"].as_str().unwrap();
    let file = rig.call(Method::GET, &format!("/attachments/{sha256}"), &rig.key).send().await.unwrap();
    assert_eq!(&file.bytes().await.unwrap()[..], WAV);
    // What is told later does not undo it, nor does it ask for the file again.
    rig.tells("70", &format!("http://127.0.0.1:{port}/C1?sig=2")).await;
    let after = rig.content().await;
    assert_eq!((&after["files"], &after["offered"]), (&call["files"], &Value::Null), "{after}");
    assert_ne!(after["call"], call["call"]);
    assert_eq!(rig.get("/outbox?target=files:pbx").await["items"].as_array().unwrap().len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn links_are_kept_where_nothing_is_to_be_fetched() {
    let rig = Rig::start_with("", "[sources.pbx]\nkind = \"itoolabs\"\n").await;
    rig.tells("65", "https://records.megapbx.ru/C1.mp3").await;
    assert_eq!(rig.content().await["offered"][0]["id"], "https://records.megapbx.ru/C1.mp3");
    assert_eq!(rig.get("/outbox?target=files:pbx").await["items"], json!([]));
    rig.stop().await;
}
