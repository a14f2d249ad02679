use bytes::Bytes;
use hmac::{KeyInit as _, Mac as _};
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{Part, Secrets};
use proptest::prelude::*;

use super::*;
use crate::keys::Keys;

/// Secrets of tests are texts.
struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "a text is wanted".to_owned())
    }
}

fn declared(text: &str) -> (Option<Auth>, Vec<String>) {
    let mut keys = Keys::new(text.parse().unwrap());
    let usual = keys.secrets("secret", &Plain);
    let auth = read(&mut keys, &Plain, &usual);
    (auth, keys.finish().into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
}

fn auth(text: &str) -> Auth {
    let (auth, problems) = declared(text);
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    auth.unwrap()
}

/// A call as a sender makes it; everything else about it is fixed.
#[derive(Clone)]
struct Sent {
    url: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    token: PathToken,
    peer: Option<&'static str>,
    parts: bool,
    now: i64,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            url: "https://leads.example/in/x/token",
            headers: Vec::new(),
            body: Vec::new(),
            token: PathToken::Absent,
            peer: None,
            parts: false,
            now: 1_700_000_000,
        }
    }
}

impl Sent {
    fn check(&self, auth: &Auth) -> Result<(), String> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let (source, body) = (SourceId::parse("x").unwrap(), Bytes::from(self.body.clone()));
        let parts = [Part::Field { name: "a".to_owned(), value: Bytes::new() }];
        let now = Timestamp::from_second(self.now).unwrap();
        let request = Request {
            id: SubmissionId(uuid::Uuid::nil()),
            source: &source,
            method: "POST",
            url: self.url,
            headers: &headers,
            body: &body,
            parts: self.parts.then_some(&parts),
            peer: self.peer.map(|peer| peer.parse().unwrap()),
            received_at: now,
            path_token: self.token,
            rest: "",
        };
        let json = std::str::from_utf8(&self.body).ok().and_then(|text| Json::parse(text).ok());
        auth.check(&Call { request: &request, body: json.as_ref(), now }).map_err(|unproven| unproven.0)
    }
}

fn of_jefe(header: &'static str, signature: &str) -> Sent {
    // RFC 2202 and RFC 4231, test case 2.
    Sent { headers: vec![(header, signature.to_owned())], body: b"what do ya want for nothing?".to_vec(), ..Sent::default() }
}

const SHA1: &str = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
const SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

/// A signature of this text in hex, made here.
fn signed(secret: &str, text: impl AsRef<[u8]>) -> String {
    let mac = hmac::Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text.as_ref()).finalize();
    leadgate_core::submission::hex(&mac.into_bytes())
}

#[test]
fn either_of_two_secrets() {
    let secrets = [Secret::new("old"), Secret::new("new")];
    assert!(is_one_of("old", &secrets) && is_one_of("new", &secrets));
    assert!(!is_one_of("", &secrets) && !is_one_of("olds", &secrets) && !is_one_of("old", &[]));
}

#[test]
fn authorization_headers() {
    assert_eq!(authorization("Bearer  abc ").as_deref(), Some("abc"));
    assert_eq!(authorization("basic dXNlcjpwYTpzcw==").as_deref(), Some("pa:ss"));
    assert_eq!(authorization("abc").as_deref(), Some("abc"));
    assert_eq!(authorization("Digest x=y"), None);
    assert_eq!(authorization("Basic %%%"), None);
    assert_eq!(authorization(" "), None);
}

#[test]
fn signatures_of_the_raw_body() {
    for (config, header, signature) in [
        ("hmac = { header = \"X-Sig\", secret = \"Jefe\" }", "x-sig", SHA256.to_owned()),
        ("hmac = { header = \"X-Sig\", secret = \"Jefe\" }", "x-sig", SHA256.to_uppercase()),
        ("hmac = { header = \"X-Sig\", algorithm = \"sha1\", secret = [\"new\", \"Jefe\"] }", "x-sig", SHA1.to_owned()),
        ("hmac = { header = \"X-Sig\", prefix = \"sha256=\", secret = \"Jefe\" }", "x-sig", format!("sha256={SHA256}")),
        (
            "hmac = { header = \"X-Sig\", prefix = \"sha256=\", encoding = \"base64\", secret = \"Jefe\" }",
            "x-sig",
            "sha256=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=".to_owned(),
        ),
        (
            "hmac = { header = \"X-Sig\", algorithm = \"sha1\", encoding = \"base64_hex\", secret = \"Jefe\" }",
            "x-sig",
            BASE64.encode(SHA1.as_bytes()),
        ),
    ] {
        let auth = auth(&format!("auth = {{ {config} }}"));
        let sent = of_jefe(header, &signature);
        assert_eq!(sent.check(&auth), Ok(()), "{config}");
        let mut changed = sent.clone();
        changed.body[3] ^= 1;
        assert_eq!(changed.check(&auth), Err("the signature in the header x-sig is wrong".to_owned()), "{config}");
        let mut unsigned = sent.clone();
        unsigned.headers.clear();
        assert_eq!(unsigned.check(&auth), Err("the header x-sig holds no signature".to_owned()));
        let mut parts = sent;
        parts.parts = true;
        assert!(parts.check(&auth).unwrap_err().contains("multipart"));
    }
    // Another scheme than the declared one, cut signatures, and none at all.
    let auth = auth("auth = { hmac = { header = \"X-Sig\", prefix = \"sha256=\", secret = \"Jefe\" } }");
    for wrong in [SHA256, &SHA256[..62], &format!("sha1={SHA1}"), "sha256=", "sha256=zz", &format!("sha256={SHA256}00")] {
        assert!(of_jefe("x-sig", wrong).check(&auth).is_err(), "{wrong}");
    }
}

#[test]
fn signatures_with_a_time() {
    let listed = auth(
        "auth = { hmac = { header = \"X-Sig\", parts = { timestamp = \"t\", signature = \"v\" }, signed = \"{timestamp}.{body}\", \
         secret = \"s\" } }",
    );
    let apart = auth(
        "auth = { hmac = { header = \"x-sig\", timestamp_header = \"X-Time\", timestamp_unit = \"ms\", tolerance_s = 60, \
         signed = \"{timestamp}:{body}\", secret = \"s\" } }",
    );
    let (now, body) = (1_700_000_000_i64, "{\"a\":1}");
    let of_list = |at: i64| Sent {
        headers: vec![("x-sig", format!("t={at},v=00ff, v={}", signed("s", format!("{at}.{body}"))))],
        body: body.as_bytes().to_vec(),
        ..Sent::default()
    };
    assert_eq!(of_list(now).check(&listed), Ok(()));
    assert_eq!(of_list(now - 300).check(&listed), Ok(()));
    assert_eq!(of_list(now + 300).check(&listed), Ok(()));
    let late = of_list(now - 301).check(&listed).unwrap_err();
    assert_eq!(late, "the signature was made 301 s away from now; 300 s are allowed");
    assert!(of_list(i64::MAX).check(&listed).is_err() && of_list(i64::MIN).check(&listed).is_err());
    let of_headers = |at: &str| Sent {
        headers: vec![("x-sig", signed("s", format!("{at}:{body}"))), ("x-time", at.to_owned())],
        body: body.as_bytes().to_vec(),
        ..Sent::default()
    };
    assert_eq!(of_headers("1700000000999").check(&apart), Ok(()));
    assert!(of_headers("1700000061000").check(&apart).is_err());
    assert_eq!(of_headers("soon").check(&apart), Err("the time of the signature is no number".to_owned()));
    let mut other_time = of_headers("1700000000999");
    other_time.headers[1].1 = "1700000000998".to_owned();
    assert_eq!(other_time.check(&apart), Err("the signature in the header x-sig is wrong".to_owned()));
    // A list without its time.
    let mut timeless = of_list(now);
    timeless.headers[0].1 = timeless.headers[0].1.split_once(',').unwrap().1.to_owned();
    assert_eq!(timeless.check(&listed), Err("the signature has no time".to_owned()));
}

#[test]
fn one_group_is_enough_and_all_of_it_is_needed() {
    let auth = auth(
        "secret = \"s\"\nauth = [{ path = true, field = { at = \"/secret\" } }, { header = { name = \"Authorization\", secret = \
         \"b\" }, addresses = [\"10.1.0.0/16\", \"2001:db8::1\"] }, { query = { name = \"key\", secret = [\"k1\", \"k2\"] } }, \
         { basic = { user = \"u\", secret = \"p\" } }]",
    );
    let sent = Sent { body: b"{\"secret\":\"s\"}".to_vec(), token: PathToken::Valid, ..Sent::default() };
    assert_eq!(sent.check(&auth), Ok(()));
    assert_eq!(
        Sent { token: PathToken::Absent, ..sent.clone() }.check(&auth),
        Err("the path holds no token of this source".to_owned())
    );
    assert_eq!(
        Sent { body: b"{}".to_vec(), ..sent.clone() }.check(&auth),
        Err("the key at /secret in the body is missing".to_owned())
    );
    let bearer = |value: &str, peer| Sent { headers: vec![("authorization", value.to_owned())], peer, ..Sent::default() };
    assert_eq!(bearer("Bearer b", Some("10.1.2.3")).check(&auth), Ok(()));
    assert_eq!(bearer("Bearer b", Some("::ffff:10.1.2.3")).check(&auth), Ok(()));
    assert_eq!(bearer("Bearer b", Some("2001:db8::1")).check(&auth), Ok(()));
    assert_eq!(bearer("Bearer b", Some("10.2.0.1")).check(&auth), Err("the sender's address is not on the list".to_owned()));
    assert!(bearer("Bearer b", None).check(&auth).unwrap_err().contains("is the proxy before the gateway declared?"));
    assert_eq!(bearer("Basic dTpw", None).check(&auth), Ok(()));
    assert!(bearer("Basic eDpw", None).check(&auth).is_err() && bearer("Basic dTpx", None).check(&auth).is_err());
    assert_eq!(Sent { url: "https://l.example/in/x?key=k2", ..Sent::default() }.check(&auth), Ok(()));
    assert!(Sent { url: "https://l.example/in/x?key=k3", ..Sent::default() }.check(&auth).is_err());
    assert!(sent.check(&Auth::default()).is_err(), "nothing declared proves nothing");
    assert!(sent.check(&Auth { any: vec![Vec::new()] }).is_err(), "an empty group proves nothing");
    assert_eq!(auth.secret_places().map(Pointer::as_str).collect::<Vec<_>>(), ["/secret"]);
    assert_eq!(auth.secret_queries().collect::<Vec<_>>(), ["key"]);
}

#[test]
fn what_is_declared_wrongly_is_told_all_at_once() {
    let (_, problems) = declared(
        "auth = [{ }, { header = { } }, { path = true, adresses = [] }, { addresses = [\"10.0.0.0/40\"] }, { hmac = { signed = \
         \"{time}\", secret = \"s\" } }, { hmac = { header = \"a\", query = \"b\", signed = \"{timestamp}.{body}\", secret = \"\" } }, \
         { field = { secret = \"x\" } }]",
    );
    for expected in [
        "auth[0]: a way in needs one check",
        "auth[1].header.name: it is missing",
        "auth[1].header.secret: there is no secret to compare with",
        "auth[2].adresses: there is no such key here",
        "auth[3].addresses: \"10.0.0.0/40\" is neither",
        "auth[4].hmac.signed: {time} is nothing that is signed",
        "auth[4].hmac.header: one of header, query and field says",
        "auth[5].hmac.header: only one of the places",
        "auth[5].hmac.timestamp_header: {timestamp} is signed, but nothing says where it stands",
        "auth[5].hmac.secret: it is empty",
        "auth[6].field.at: it is missing",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected} is not in {problems:#?}");
    }
    let (_, problems) = declared("auth = []");
    assert_eq!(problems, ["auth: the list is empty: nobody could ever send anything"]);
}

proptest! {
    #[test]
    fn nothing_but_the_secret_signs(header in "\\PC{0,80}", body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let listed = "auth = { hmac = { header = \"x-sig\", parts = { timestamp = \"t\", signature = \"v\" }, signed = \
                      \"{timestamp}.{body}\", secret = \"s\" } }";
        for config in ["auth = { hmac = { header = \"x-sig\", encoding = \"base64\", secret = \"s\" } }", listed] {
            let sent = Sent { headers: vec![("x-sig", header.clone())], body: body.clone(), ..Sent::default() };
            prop_assert!(sent.check(&auth(config)).is_err());
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(body in proptest::collection::vec(any::<u8>(), 1..64), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let auth = auth("auth = { hmac = { header = \"x-sig\", secret = \"Jefe\" } }");
        let mut sent = Sent { headers: vec![("x-sig", signed("Jefe", &body))], body, ..Sent::default() };
        prop_assert_eq!(sent.check(&auth), Ok(()));
        let at = at.index(sent.body.len());
        sent.body[at] ^= 1_u8 << bit;
        prop_assert!(sent.check(&auth).is_err());
    }
}
