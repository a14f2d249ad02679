//! Calls: signed events a second beside plain forms, what a signature costs to check, and how long a telephone waits for a name.
//!
//! `cargo bench -p leadgate-tests --bench telephony` builds the release gateway. First it is posted status events in Twilio's manner,
//! signed, each of a call and a caller of its own, and then as many forms of the site, in turns, from 64 connections: both are
//! durable leads. The client signs as it goes, which costs it a little of the machine the two share. Then every kind of signature is
//! checked within this process: what it costs is how much longer a signed call takes to read than one that is vouched for. At last
//! somebody's telephone rings beside a million contacts in `SQLite`, and the PBX asks who it is. Every line at the end is
//! `figure <name> <value>`.
//!
//! `LEADGATE_BENCH_SECONDS` (default 5) and `LEADGATE_BENCH_CONTACTS` (default 1000000) make it shorter.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::phone::{self, Hints};
use leadgate_core::ports::{BuildContext, Mode, Parsed, PathToken, Push, Request, Secrets};
use leadgate_core::secret::Secret;
use leadgate_tests::gateway::{Gateway, Setup, TOKEN, build_release};
use leadgate_tests::load::{Body, Message, Messages, run, run_messages};
use leadgate_tests::people;
use ring::signature::Ed25519KeyPair;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PUBLIC: &str = "https://leads.example.com";
const CONNECTIONS: usize = 64;
const ROUNDS: usize = 6;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Each may ask who calls 300 times a minute.
const PBXS: u64 = 20;
const ASKED_EACH: u64 = 250;

fn main() -> anyhow::Result<()> {
    build_release()?;
    let mut figures = verification()?;
    // One thread: the client should leave the machine to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    figures.extend(runtime.block_on(events())?);
    figures.extend(runtime.block_on(lookups())?);
    for (name, value) in figures {
        println!("figure telephony.{name} {value}");
    }
    Ok(())
}

type Named = Vec<(String, String)>;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

// ---------------------------------------------------------------------------------------------------------- events a second

/// A call that is over, in Twilio's manner, signed.
fn completed(n: u64, message: &mut Message) {
    let (from, id) = (format!("+7{}", people::phone(n)), format!("CA{n:032x}"));
    let sequence = (n % 7).to_string();
    // In the order of their names, in which they are signed.
    let fields = [
        ("AccountSid", "AC00112233445566778899aabbccddeeff"),
        ("ApiVersion", "2010-04-01"),
        ("CallDuration", "42"),
        ("CallSid", &id),
        ("CallStatus", "completed"),
        ("CallbackSource", "call-progress-events"),
        ("Called", "+74951234567"),
        ("CalledCountry", "RU"),
        ("Caller", &from),
        ("CallerCountry", "RU"),
        ("Direction", "inbound"),
        ("Duration", "1"),
        ("From", &from),
        ("FromCountry", "RU"),
        ("SequenceNumber", &sequence),
        ("To", "+74951234567"),
        ("ToCountry", "RU"),
    ];
    let mut signed = format!("{PUBLIC}/in/calls/{TOKEN}");
    for (name, value) in fields {
        signed.extend([name, value]);
        let and = if message.body.is_empty() { "" } else { "&" };
        message.body.extend([and, name, "=", &value.replace('+', "%2B")]);
    }
    let signature = BASE64.encode(&hmac_sha1(SECRET, signed.as_bytes()));
    let _infallible = write!(message.headers, "X-Twilio-Signature: {signature}\r\n");
}

async fn events() -> anyhow::Result<Named> {
    let time = Duration::from_secs(number("LEADGATE_BENCH_SECONDS", 5));
    let warm_up = Duration::from_secs(1);
    let usual = Setup::default();
    let source = format!(
        "[sources.calls]\nkind = \"twilio\"\ntoken = \"{TOKEN}\"\nauth_token = \"{SECRET}\"\ncompleted_is_answered = true\n"
    );
    let setup = Setup { server: format!("public_url = \"{PUBLIC}\""), site: format!("{}\n{source}", usual.site), ..usual };
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let counter = Arc::new(AtomicU64::new(1));
    let (forms, calls): (Body, Messages) = (Arc::new(people::form), Arc::new(completed));
    let (site, line) = (format!("/in/site/{TOKEN}"), format!("/in/calls/{TOKEN}"));
    let (mut rates, mut ratios, mut p99s) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        // In turns: whoever comes later finds a larger database, and a disk that others have warmed.
        let form = async || run(gateway.address, &site, CONNECTIONS, warm_up, time, &counter, &forms).await;
        let call = async || run_messages(gateway.address, &line, CONNECTIONS, (warm_up, time), &counter, &calls).await;
        let (form, call) = if round % 2 == 1 {
            let form = form().await?;
            (form, call().await?)
        } else {
            let call = call().await?;
            (form().await?, call)
        };
        anyhow::ensure!(form.bad + call.bad == 0, "{} forms and {} calls were no success", form.bad, call.bad);
        println!(
            "round {round}: {:.0} forms/s (p99 {:.1} ms); {:.0} signed events/s (p50 {:.1} ms, p99 {:.1} ms); ratio {:.3}",
            form.rate,
            form.p99_ms,
            call.rate,
            call.p50_ms,
            call.p99_ms,
            call.rate / form.rate
        );
        rates.push(call.rate);
        ratios.push(call.rate / form.rate);
        p99s.push(call.p99_ms);
    }
    gateway.stop().await?;
    Ok(vec![
        ("rate".to_owned(), format!("{:.0}", median(&mut rates))),
        ("ratio".to_owned(), format!("{:.3}", median(&mut ratios))),
        ("p99_ms".to_owned(), format!("{:.1}", median(&mut p99s))),
    ])
}

// --------------------------------------------------------------------------------------------------------------- signatures

fn hmac_sha1(key: &str, message: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap_or_else(|_never| unreachable!("a key of any length"));
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn hmac_sha256(key: &str, message: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap_or_else(|_never| unreachable!("a key of any length"));
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

/// A signed callback.
struct Call {
    name: &'static str,
    kind: &'static str,
    keys: String,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn received_at() -> Timestamp {
    Timestamp::from_second(1_795_255_200).unwrap_or_default()
}

fn calls(url: &str) -> anyhow::Result<Vec<Call>> {
    let mut message = Message::default();
    completed(7, &mut message);
    let sha1 = message.headers.trim().trim_start_matches("X-Twilio-Signature: ").to_owned();
    let pairs: Vec<(String, String)> = message
        .body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.replace("%2B", "+")))
        .collect();
    let joined: String = pairs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let sha256 = BASE64.encode(&hmac_sha256("shared", format!("{url}{joined}").as_bytes()));
    let plivo_body = message.body.replace("CallSid", "CallUUID");
    let mut plivo: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}{value}", name.replace("CallSid", "CallUUID"))).collect();
    plivo.sort_unstable();
    let nonce = "12345678901234567890";
    let plivo = BASE64.encode(&hmac_sha256(SECRET, format!("{url}?{}.{nonce}", plivo.concat()).as_bytes()));
    let at = received_at().as_second();
    let telnyx_body = format!(
        r#"{{"data":{{"record_type":"event","event_type":"call.hangup","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0","occurred_at":"2026-11-21T10:00:00Z","payload":{{"call_session_id":"s1","call_leg_id":"l1","call_control_id":"v3:c1","connection_id":"7","direction":"incoming","from":"+79161234567","to":"+74951234567","hangup_cause":"normal_clearing","hangup_source":"caller","start_time":"2026-11-21T09:59:00Z","end_time":"2026-11-21T10:00:00Z"}}}},"meta":{{"attempt":1,"delivered_to":"{url}"}}}}"#
    );
    let seed: Vec<u8> = (0..32).collect();
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| anyhow::anyhow!("{error}"))?;
    let telnyx = BASE64.encode(key.sign(format!("{at}|{telnyx_body}").as_bytes()).as_ref());
    let vonage_body = r#"{"conversation_uuid":"CON-1","uuid":"u1","status":"completed","direction":"inbound","from":"79161234567","to":"74951234567","timestamp":"2026-11-21T10:00:00Z","start_time":"2026-11-21T09:59:00Z","end_time":"2026-11-21T10:00:00Z","duration":"42"}"#;
    let claims = format!(
        r#"{{"iss":"Vonage","iat":{at},"jti":"j1","api_key":"abcd1234","payload_hash":"{}"}}"#,
        HEXLOWER.encode(&Sha256::digest(vonage_body.as_bytes()))
    );
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let token = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims));
    let token = format!("{token}.{}", BASE64URL_NOPAD.encode(&hmac_sha256(SECRET, token.as_bytes())));
    let mango = format!(
        r#"{{"entry_id":"E1","call_direction":1,"from":{{"number":"79161234567"}},"to":{{"extension":"101","number":"sip:anna@okna.mangosip.ru"}},"line_number":"74951234567","create_time":{},"forward_time":{},"talk_time":{},"end_time":{at},"entry_result":1,"disconnect_reason":1110}}"#,
        at - 60,
        at - 59,
        at - 42
    );
    let sign = HEXLOWER.encode(&Sha256::digest(format!("code{mango}{SECRET}").as_bytes()));
    let signed = ["+79161234567", "74951234567", "2026-11-21 10:00:00"].concat();
    let zadarma = BASE64.encode(HEXLOWER.encode(&hmac_sha1(SECRET, signed.as_bytes())).as_bytes());
    let twilio = format!("auth_token = \"{SECRET}\"\nshared_key = \"shared\"");
    let settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256".to_owned();
    Ok(vec![
        Call {
            name: "twilio_sha1",
            kind: "twilio",
            keys: twilio.clone(),
            content_type: FORM,
            headers: vec![("x-twilio-signature", sha1)],
            body: message.body.clone(),
        },
        Call {
            name: "twilio_sha256",
            kind: "twilio",
            keys: twilio,
            content_type: FORM,
            headers: vec![("x-twilio-signature", sha256), ("x-twilio-webhooks-signature-settings", settings)],
            body: message.body,
        },
        Call {
            name: "plivo",
            kind: "plivo",
            keys: format!("auth_token = \"{SECRET}\""),
            content_type: FORM,
            headers: vec![("x-plivo-signature-v3", plivo), ("x-plivo-signature-v3-nonce", nonce.to_owned())],
            body: plivo_body,
        },
        Call {
            name: "telnyx",
            kind: "telnyx",
            keys: "public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"".to_owned(),
            content_type: JSON,
            headers: vec![("telnyx-signature-ed25519", telnyx), ("telnyx-timestamp", at.to_string())],
            body: telnyx_body,
        },
        Call {
            name: "vonage",
            kind: "vonage",
            keys: format!("signature_secret = \"{SECRET}\""),
            content_type: JSON,
            headers: vec![("authorization", format!("Bearer {token}"))],
            body: vonage_body.to_owned(),
        },
        Call {
            name: "mango",
            kind: "mango",
            keys: format!("key = \"code\"\nsalt = \"{SECRET}\""),
            content_type: FORM,
            headers: Vec::new(),
            body: format!("vpbx_api_key=code&sign={sign}&json={}", people::urlencode(&mango)),
        },
        Call {
            name: "zadarma",
            kind: "zadarma",
            keys: format!("secret = \"{SECRET}\""),
            content_type: FORM,
            headers: vec![("signature", zadarma)],
            body: "event=NOTIFY_END&call_start=2026-11-21+10%3A00%3A00&pbx_call_id=in_1&caller_id=%2B79161234567&called_did=74951234567\
                   &internal=101&duration=42&disposition=answered&status_code=16&is_recorded=1&call_id_with_rec=1.rec"
                .to_owned(),
        },
    ])
}

fn source(kind: &str, keys: &str) -> anyhow::Result<Box<dyn Push>> {
    let known = leadgate_telephony::KINDS.iter().find(|known| known.name == kind).context("no such kind")?;
    let context = BuildContext {
        source: SourceId::parse("calls")?,
        language: "en".to_owned(),
        company: "Company".to_owned(),
        public_url: PUBLIC.to_owned(),
        country: None,
        ours: Arc::default(),
        data: std::path::PathBuf::new(),
    };
    let built = (known.build)(keys.parse()?, &Plain, &context);
    match built.map_err(|problems| anyhow::anyhow!("{kind}: {problems:?}"))?.mode {
        Mode::Push(push) => Ok(push),
        Mode::Pull(_) | Mode::Both(..) => anyhow::bail!("{kind} is a pull source"),
    }
}

/// Microseconds to read a call, with its signature and without; medians of many short runs, in turns.
fn verification() -> anyhow::Result<Named> {
    const AT_ONCE: u32 = 200;
    const RUNS: u32 = 300;
    let (url, source_id) = (format!("{PUBLIC}/in/calls/{TOKEN}"), SourceId::parse("calls")?);
    let mut figures = Vec::new();
    for call in calls(&url)? {
        let push = source(call.kind, &call.keys)?;
        let mut headers = vec![("content-type".to_owned(), call.content_type.to_owned())];
        headers.extend(call.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let body = Bytes::from(call.body);
        let request = |path_token| Request {
            id: people::delivery(1, received_at()).id,
            source: &source_id,
            method: "POST",
            url: &url,
            headers: &headers,
            body: &body,
            parts: None,
            peer: None,
            received_at: received_at(),
            path_token,
            rest: "",
        };
        let (signed, vouched) = (request(PathToken::Valid), request(PathToken::Vouched));
        let parsed = push.parse(&signed).map_err(|refusal| anyhow::anyhow!("{}: {refusal:?}", call.name))?;
        let Parsed::Submissions(items) = parsed else { anyhow::bail!("{} tells of no call", call.name) };
        anyhow::ensure!(items.iter().all(|item| item.hold.is_none() && item.draft.call.is_some()), "{}: {items:?}", call.name);
        let micros = |request: &Request<'_>| {
            let begin = Instant::now();
            for _ in 0..AT_ONCE {
                black_box(push.parse(black_box(request)).is_ok());
            }
            begin.elapsed().as_secs_f64() * 1e6 / f64::from(AT_ONCE)
        };
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            with.push(micros(&signed));
            without.push(micros(&vouched));
        }
        let (with, without) = (median(&mut with), median(&mut without));
        println!(
            "{:<14} {:>5} bytes: read in {with:.1} us, {:.1} us of that its signature",
            call.name,
            body.len(),
            with - without
        );
        figures.push((format!("verify_{}_us", call.name), format!("{:.1}", with - without)));
    }
    Ok(figures)
}

// ---------------------------------------------------------------------------------------------------------------- who calls

/// Those of the people whose phone is one, and nobody else's: whoever made them up knows no plan of numbers. The first one's means nobody.
fn alone(contacts: u64) -> Vec<u64> {
    let mut times: HashMap<String, u32> = HashMap::new();
    for n in 1..contacts {
        *times.entry(people::phone(n)).or_default() += 1;
    }
    let hints = Hints { provider_format: true, ..Hints::default() };
    let is_one = |phone: &String| !phone::read(&format!("7{phone}"), &hints).phones.is_empty();
    let has_one =
        |n: &u64| Some(people::phone(*n)).filter(|phone| times.get(phone) == Some(&1)).is_some_and(|phone| is_one(&phone));
    // As many as are asked about, from all over.
    (1..contacts)
        .map(|n| n.wrapping_mul(7919) % contacts)
        .filter(has_one)
        .take(usize::try_from(PBXS * ASKED_EACH).unwrap_or(1))
        .collect()
}

async fn lookups() -> anyhow::Result<Named> {
    let contacts = number("LEADGATE_BENCH_CONTACTS", 1_000_000);
    let folder = tempfile::tempdir()?;
    let begin = Instant::now();
    people::fill(&folder.path().join("data/leadgate.db"), contacts).await?;
    println!("{contacts} contacts put in within {:.0} s", begin.elapsed().as_secs_f64());
    let usual = Setup::default();
    let mut sections = String::new();
    for n in 0..PBXS {
        let _infallible =
            write!(sections, "[sources.pbx{n}]\nkind = \"itoolabs\"\ntoken = \"{TOKEN}\"\ncrm_token = \"{SECRET}\"\n");
    }
    let setup = Setup { site: format!("{}\n{sections}", usual.site), ..usual };
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let alone = alone(contacts);
    let web = reqwest::Client::new();
    let mut took = Vec::new();
    for n in 0..PBXS * ASKED_EACH {
        // Half of those who call are known.
        let known = n % 2 == 0;
        let person = if known { alone[usize::try_from(n)? % alone.len()] } else { (1 << 30) + n };
        let body =
            format!("cmd=contact&crm_token={SECRET}&callid=bench{n}&phone=7{}&diversion=74951234567", people::phone(person));
        let url = gateway.url(&format!("/in/pbx{}/{TOKEN}", n % PBXS));
        let request = web.post(url).header("content-type", FORM).body(body);
        let asked = Instant::now();
        let answer = request.send().await?.error_for_status()?.text().await?;
        took.push(asked.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(
            answer.contains("contact_name") == known,
            "question {n}, person {person}, {:.1?}: {answer}",
            asked.elapsed()
        );
    }
    gateway.stop().await?;
    took.sort_by(f64::total_cmp);
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!(
        "who calls, beside {contacts} contacts, the call noted: p50 {p50:.2} ms, p99 {p99:.2} ms, at most {:.1} ms",
        took[took.len() - 1]
    );
    Ok(vec![("lookup_p50_ms".to_owned(), format!("{p50:.2}")), ("lookup_p99_ms".to_owned(), format!("{p99:.2}"))])
}
