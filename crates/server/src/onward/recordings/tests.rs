//! Recordings fetched from servers of our own on loopback, for a connector that says as a test wants it.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use leadgate_core::ids::{EventId, SourceId};
use leadgate_core::onward::{Brief, EventData, Job, JobId, Recipient};
use leadgate_core::ports::{Outcome, Parsed, Push, Refusal, Reply, Request};
use leadgate_core::secret::Secret;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LoadOptions};

const NOW: &str = "2026-11-21T10:00:00Z";
const WAV: &[u8] = b"RIFF\x24\x08\0\0WAVEfmt and so on";

/// Says what it is told to, and notes what it heard.
#[derive(Default)]
struct Fake {
    says: Mutex<VecDeque<Result<Fetch, NoFetch>>>,
    heard: Mutex<Vec<Option<Vec<u8>>>>,
}

/// As a source holds it.
struct Held(Arc<Fake>);

impl Push for Held {
    fn parse(&self, _: &Request<'_>) -> Result<Parsed, Refusal> {
        Ok(Parsed::Probe(Reply::text(200, "")))
    }

    fn reply(&self, _: &Request<'_>, _: Outcome<'_>) -> Reply {
        Reply::text(200, "")
    }

    fn fetches(&self) -> Option<Duration> {
        Some(Duration::from_secs(40))
    }

    fn fetch(&self, _: &OfferedFile, answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        self.0.heard.lock().unwrap().push(answer.map(<[u8]>::to_vec));
        let mut says = self.0.says.lock().unwrap();
        if says.len() > 1 { says.pop_front().unwrap() } else { says[0].clone() }
    }
}

/// A gateway that may call this machine, and a server there that gives each connection the next of its answers.
struct Rig {
    _folder: TempDir,
    recordings: Recordings,
    fake: Arc<Fake>,
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    async fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                kept.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                let _hung_up = stream.write_all(&answer).await;
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("leadgate.toml");
        let inner = "inner_services = [\"127.0.0.1\", \"localhost\"]";
        std::fs::write(&config, format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"data\"\n{inner}\n")).unwrap();
        let load = move || {
            let options = LoadOptions { config: Some(config.clone()), env: Vec::new().into_iter() };
            Config::load(options).map_err(anyhow::Error::from)
        };
        let clock = Clock::manual(NOW.parse().unwrap(), 7);
        let app = App::build(load().unwrap(), clock, Box::new(load)).unwrap();
        let gateway = Arc::clone(app.gateway());
        let fake = Arc::new(Fake::default());
        let (id, push) = (SourceId::parse("pbx").unwrap(), Box::new(Held(Arc::clone(&fake))));
        let client = gateway.outward.guarded().unwrap();
        let source = Arc::new(LiveSource::new(id, "fake", true, push, Vec::new()));
        let recordings = Recordings { gateway, client, source, delay: Duration::from_secs(40) };
        Self { _folder: folder, recordings, fake, port, heard }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn says(&self, says: Vec<Result<Fetch, NoFetch>>) {
        *self.fake.says.lock().unwrap() = says.into();
    }

    async fn one(&self, age: SignedDuration, link: &str) -> Result<Result<FileRef, String>, DeliverError> {
        let file =
            OfferedFile { id: link.to_owned(), unique: "u1".to_owned(), name: "record.php".to_owned(), ..OfferedFile::default() };
        Round { of: &self.recordings, age, until: Instant::now() + LONGEST }.one(&file).await
    }

    /// Why there is nothing now, while it is young.
    async fn later(&self, link: &str) -> (String, Option<Duration>) {
        match self.one(SignedDuration::ZERO, link).await {
            Err(DeliverError::Later { words, after }) => (words, after),
            other => panic!("{other:?}"),
        }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn at(url: String) -> Fetch {
    Fetch { url, headers: Vec::new(), form: None, hosts: vec!["127.0.0.1".to_owned()], asks: false }
}

fn asks(url: String) -> Fetch {
    Fetch { asks: true, headers: vec![("authorization", Secret::new("key:sign"))], ..at(url) }
}

#[tokio::test]
async fn a_recording_is_kept_as_what_it_is() {
    let rig = Rig::start(vec![answer("200 OK\r\ncontent-type: text/html", WAV)]).await;
    rig.says(vec![Ok(at(rig.url("/a")))]);
    let file = rig.one(SignedDuration::ZERO, &rig.url("/a")).await.unwrap().unwrap();
    assert_eq!((file.name.as_str(), file.content_type.as_str(), file.field.as_str()), ("record.wav", "audio/wav", "u1"));
    assert_eq!(file.size, WAV.len() as u64);
    let (size, stream) = rig.recordings.gateway.attachments.read(&file.sha256).await.unwrap().unwrap();
    let bytes: Vec<Bytes> = futures_util::TryStreamExt::try_collect(stream).await.unwrap();
    assert_eq!((size, bytes.concat().as_slice()), (file.size, WAV));
}

#[tokio::test]
async fn the_service_is_asked_where_it_is() {
    let rig = Rig::start(vec![answer("200 OK", b"one"), answer("200 OK", b"two"), answer("200 OK", WAV)]).await;
    let elsewhere = format!("http://localhost:{}/file", rig.port);
    rig.says(vec![Ok(asks(rig.url("/ask"))), Ok(asks(rig.url("/more"))), Ok(at(elsewhere))]);
    assert!(rig.one(SignedDuration::ZERO, "id-7").await.unwrap().is_ok());
    let told = rig.fake.heard.lock().unwrap().clone();
    assert_eq!(told, [None, Some(b"one".to_vec()), Some(b"two".to_vec())]);
    let heard = rig.heard();
    assert!(heard[1].starts_with("GET /more ") && heard[1].contains("authorization: key:sign"), "{heard:?}");
    assert!(heard[2].starts_with("GET /file ") && !heard[2].contains("key:sign"), "{heard:?}");

    // It is not asked for ever.
    let rig = Rig::start(vec![answer("200 OK", b"one"); 5]).await;
    rig.says(vec![Ok(asks(rig.url("/ask")))]);
    assert_eq!(rig.later("id-7").await.0, "the service does not say where it is, however often it is asked");
    assert_eq!(rig.heard().len(), 3);

    let rig = Rig::start(vec![answer("200 OK", &[b'x'; 70_000]), answer("403 No", b"no")]).await;
    rig.says(vec![Ok(asks(rig.url("/ask")))]);
    assert_eq!(rig.later("id-7").await.0, "the answer is longer than 65536 bytes");
    assert_eq!(rig.later("id-7").await.0, "answered 403");
}

#[tokio::test]
async fn a_posted_form_leads_to_the_file_and_stays_behind() {
    let there = Rig::start(vec![answer("200 OK", WAV)]).await;
    let to = format!("302 Found\r\nlocation: http://localhost:{}/once", there.port);
    let rig = Rig::start(vec![answer(&to, b"")]).await;
    let form = Fetch { form: Some(Secret::new("key=s")), hosts: vec!["LOCALHOST".to_owned()], ..asks(rig.url("/post")) };
    rig.says(vec![Ok(Fetch { asks: false, ..form })]);
    assert!(rig.one(SignedDuration::ZERO, "id-7").await.unwrap().is_ok());
    let (heard, after) = (rig.heard(), there.heard());
    assert!(heard[0].starts_with("POST /post ") && heard[0].ends_with("\r\n\r\nkey=s"), "{heard:?}");
    assert!(heard[0].contains("content-type: application/x-www-form-urlencoded"), "{heard:?}");
    assert!(after[0].starts_with("GET /once ") && !after[0].contains("key"), "{after:?}");
}

#[tokio::test]
async fn it_goes_to_no_other_host() {
    let rig = Rig::start(vec![answer("302 Found\r\nlocation: http://localhost:1/x", b"")]).await;
    rig.says(vec![Ok(Fetch { hosts: vec!["127.0.0.1".to_owned(), ".example.com".to_owned()], ..at(rig.url("/a")) })]);
    assert_eq!(rig.later(&rig.url("/a")).await.0, "it was redirected to localhost, where it may not go");

    // A link that came with a delivery; what the connector makes itself is its own affair.
    let rig = Rig::start(vec![answer("200 OK", WAV)]).await;
    let within = |hosts: &[&str]| Ok(Fetch { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..at(rig.url("/a")) });
    for hosts in [&[][..], &[".example.com"]] {
        rig.says(vec![within(hosts)]);
        let (words, _) = rig.later(&rig.url("/a")).await;
        assert_eq!(words, "it lies at 127.0.0.1, which is no host of its source: see recording_hosts", "{hosts:?}");
    }
    assert!(rig.heard().is_empty());
    assert!(rig.one(SignedDuration::ZERO, "id-7").await.unwrap().is_ok());

    // Neither without TLS, nor within the company's own network.
    for url in ["http://records.example.com/a.mp3", "https://10.0.0.7/a.mp3", "https://[::1]/a.mp3", "file:///etc/passwd", ""] {
        rig.says(vec![Ok(at(url.to_owned()))]);
        rig.later("id-7").await;
    }
    assert_eq!(rig.heard().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_may_come_and_is_given_up_with_words() {
    let page = answer("200 OK", b"<!doctype html><title>Log in</title>");
    let (gone, busy) = (answer("404 Not Found", b""), answer("503 Busy\r\nretry-after: 900", b""));
    let empty = answer("204 No Content", b"");
    let rig = Rig::start(vec![gone.clone(), page.clone(), empty, busy.clone(), gone, page, busy.clone(), busy]).await;
    rig.says(vec![Ok(at(rig.url("/a")))]);
    let minute = Some(Duration::from_mins(1));
    for (words, after) in [
        ("answered 404", minute),
        ("a page came, which is no recording", minute),
        ("nothing came, which is no recording", minute),
        ("answered 503", Some(Duration::from_mins(15))),
    ] {
        assert_eq!(rig.later("id-7").await, (words.to_owned(), after));
    }
    let (day, week) = (SignedDuration::from_hours(24), SignedDuration::from_hours(24 * 7));
    for words in ["not fetched in 24 hours: answered 404", "not fetched in 24 hours: a page came, which is no recording"] {
        assert_eq!(rig.one(day, "id-7").await.unwrap().unwrap_err(), words);
    }
    assert!(rig.one(day, "id-7").await.is_err(), "the service's trouble is waited for");
    assert_eq!(rig.one(week, "id-7").await.unwrap().unwrap_err(), "not fetched in 168 hours: answered 503");

    rig.says(vec![Err(NoFetch::Later("busy".to_owned())), Err(NoFetch::Never("no key".to_owned()))]);
    assert_eq!(rig.later("id-7").await, ("busy".to_owned(), minute));
    assert_eq!(rig.one(SignedDuration::ZERO, "id-7").await.unwrap().unwrap_err(), "no key");
}

#[tokio::test]
async fn what_is_too_large_or_breaks_off_is_not_kept() {
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\nRIFF0000WAVE", FILE_BYTES + 1).into_bytes();
    let half = [b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n", WAV].concat();
    let rig = Rig::start(vec![long, half]).await;
    rig.says(vec![Ok(at(rig.url("/a")))]);
    assert_eq!(rig.one(SignedDuration::ZERO, "id-7").await.unwrap().unwrap_err(), "it is larger than 100 MB");
    assert!(rig.later("id-7").await.0.starts_with("it cannot be reached"));
    let round = Round { of: &rig.recordings, age: SignedDuration::ZERO, until: Instant::now() };
    let left = round.one(&OfferedFile::default()).await;
    assert!(matches!(left, Err(DeliverError::Later { words, .. }) if words == "there was no time left for it"));
}

#[tokio::test]
async fn a_recording_is_left_alone_at_first() {
    let rig = Rig::start(vec![]).await;
    let happened: Timestamp = NOW.parse().unwrap();
    let event = EventId(uuid::Uuid::from_u128(1));
    let parcel = |seconds: i64| Parcel {
        job: Job {
            seq: 1,
            id: JobId::of(event, "files:pbx", &Recipient::Target),
            target: "files:pbx".to_owned(),
            recipient: Recipient::Target,
            event,
            name: leadgate_core::onward::event::FILE_OFFERED.to_owned(),
            data: EventData::default(),
            at: happened,
            since: happened,
            attempt: 1,
        },
        installation: uuid::Uuid::nil(),
        brief: Brief::default(),
        now: happened + SignedDuration::from_secs(seconds),
    };
    let early = rig.recordings.deliver(&parcel(15)).await.unwrap_err();
    assert_eq!(early, DeliverError::Later { words: "it may not be there yet".to_owned(), after: Some(Duration::from_secs(25)) });
    assert_eq!(rig.recordings.deliver(&parcel(40)).await.unwrap().words, "there is nothing to fetch any more");
}
