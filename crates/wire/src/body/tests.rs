use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn decoded(content_type: &str, body: &[u8]) -> Decoded {
    decode(content_type, body, None, &Limits::default()).unwrap()
}

fn pairs(content_type: &str, body: &[u8]) -> Vec<(String, String)> {
    decoded(content_type, body).entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
}

fn list(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn by_content_not_by_header() {
    let both = list(&[("name", "Anna"), ("tel", "+7 1")]);
    for (content_type, body) in [
        (FORM, "name=Anna&tel=%2B7+1"),
        ("", "name=Anna&tel=%2B7+1"),
        ("application/json", "name=Anna&tel=%2B7+1"),
        ("text/plain;charset=UTF-8", "name=Anna&tel=%2B7+1"),
        ("text/plain", "name=Anna\r\ntel=+7 1\r\n"),
        ("application/json", r#"{"name":"Anna","tel":"+7 1"}"#),
        ("text/plain", r#"{"name":"Anna","tel":"+7 1"}"#),
        (FORM, r#" {"name":"Anna","tel":"+7 1"}"#),
        (FORM, "%7B%22name%22%3A%22Anna%22%2C%22tel%22%3A%22%2B7+1%22%7D="),
        ("application/json", "\u{feff}{\"name\":\"Anna\",\"tel\":\"+7 1\"}"),
        ("application/json", r#""{\"name\":\"Anna\",\"tel\":\"+7 1\"}""#),
        ("application/json", r#"[{"label":"name","value":"Anna"},{"name":"tel","value":"+7 1"}]"#),
    ] {
        assert_eq!(pairs(content_type, body.as_bytes()), both, "{content_type} {body}");
    }
    let wide: Vec<u8> = "\u{feff}{\"a\":\"ж\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(pairs("application/json", &wide), list(&[("a", "ж")]));
}

#[test]
fn nested_json_is_written_as_php_does() {
    let json = r#"{"a":{"b":[{"c":1},{"c":true}]},"tags":["x","y"],"n":null,"fields":[{"label":"Имя","value":"Анна"}]}"#;
    let expected = [("a[b][0][c]", "1"), ("a[b][1][c]", "true"), ("tags[]", "x"), ("tags[]", "y"), ("fields[Имя]", "Анна")];
    assert_eq!(pairs("application/json", json.as_bytes()), list(&expected));
}

#[test]
fn repeats_and_order_stay() {
    assert_eq!(pairs(FORM, b"a=1&b=2&a=3&c[]=4&c[]=5"), list(&[("a", "1"), ("b", "2"), ("a", "3"), ("c[]", "4"), ("c[]", "5")]));
    assert_eq!(pairs("application/json", br#"{"a":1,"a":2}"#), list(&[("a", "1"), ("a", "2")]));
}

#[test]
fn brackets() {
    assert_eq!(path("a[b][0][c]", 7), ["a", "b", "0", "c"]);
    assert_eq!(path("a[]", 7), ["a", ""]);
    assert_eq!(path("a.b", 7), ["a.b"]);
    for odd in ["[x]", "a[b", "]a[", ""] {
        assert_eq!(path(odd, 7), [odd]);
    }
    assert_eq!(path("a[1][2][3][4][5][6][7][8]", 7), ["a", "1", "2", "3", "4", "5", "6][7][8"]);
    assert!(path(&"a[b]".repeat(10_000), 7).len() <= 7);
}

#[test]
fn trees() {
    let entries = decoded(FORM, b"p[products][0][name]=Mug&p[products][0][price]=3&p[products][1][name]=Cup&p[id]=7&x=1").entries;
    let tree = tree(&entries, "P").unwrap();
    assert_eq!(serde_json::to_string(&tree).unwrap(), r#"{"products":[{"name":"Mug","price":"3"},{"name":"Cup"}],"id":"7"}"#);
    assert_eq!(super::tree(&entries, "y"), None);
    let flat = decoded(FORM, b"p={}&p=2").entries;
    assert!(super::tree(&flat, "p").is_some());
}

#[test]
fn charsets() {
    let cyrillic = list(&[("имя", "Анна")]);
    // Said by the browser, by the header, by nobody.
    assert_eq!(pairs(FORM, b"%E8%EC%FF=%C0%ED%ED%E0&_charset_=windows-1251")[..1], cyrillic);
    assert_eq!(pairs("text/plain; charset=\"windows-1251\"", b"\xe8\xec\xff=\xc0\xed\xed\xe0"), cyrillic);
    assert_eq!(pairs(FORM, b"%E8%EC%FF=%C0%ED%ED%E0"), cyrillic);
    assert_eq!(pairs("application/json", b"{\"\xe8\xec\xff\":\"\xc0\xed\xed\xe0\"}"), cyrillic);
    assert_eq!(pairs("application/x-www-form-urlencoded; charset=UTF-8", "имя=Анна".as_bytes()), cyrillic);
    // KOI8-R where it says so.
    assert_eq!(pairs("application/x-www-form-urlencoded; charset=koi8-r", b"a=%E1%CE%CE%C1"), list(&[("a", "Анна")]));
}

#[test]
fn lines_of_a_textarea_stay_together() {
    let body = "name=Anna\r\nmessage=first\r\nsecond: x\r\nhttps://a.example/?b=c\r\nphone=1\r\n";
    let expected = [("name", "Anna"), ("message", "first\nsecond: x\nhttps://a.example/?b=c"), ("phone", "1")];
    assert_eq!(pairs("text/plain", body.as_bytes()), list(&expected));
}

#[test]
fn what_means_nothing_is_said_so() {
    for (content_type, body) in [
        ("application/json", &b"{\"a\":"[..]),
        ("application/json", b"12"),
        ("text/plain", b"hello"),
        ("multipart/form-data", b"--x\r\n\r\na\r\n--x--"),
        (FORM, b"hello"),
    ] {
        let result = decode(content_type, body, None, &Limits::default());
        assert!(matches!(result, Err(BodyError::Unreadable(_))), "{content_type} {result:?}");
    }
    assert_eq!(decoded(FORM, b"").shape, Shape::Empty);
    assert_eq!(decoded("", b"\xef\xbb\xbf \r\n").shape, Shape::Empty);
}

#[test]
fn limits_hold() {
    let many = (0..501).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(decode(FORM, many.as_bytes(), None, &Limits::default()), Err(BodyError::TooManyFields(500)));
    let many = format!("{{{}}}", (0..501).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    assert_eq!(decode("", many.as_bytes(), None, &Limits::default()), Err(BodyError::TooManyFields(500)));
    let long = format!("a=1&message={}", "x".repeat(64 * 1024 + 1));
    let error = decode(FORM, long.as_bytes(), None, &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the field \"message\" is longer than 65536 bytes");
}

#[test]
fn multipart_and_its_kept_form_are_one() {
    let parts = [
        Part::Field { name: "имя".to_owned(), value: Bytes::from_static(b"\xc0\xed\xed\xe0") },
        Part::File(FileRef {
            sha256: "ab".repeat(32),
            name: "a.pdf".to_owned(),
            content_type: "application/pdf".to_owned(),
            size: 3,
            field: "f".to_owned(),
        }),
        Part::File(FileRef {
            sha256: "e3".repeat(32),
            name: String::new(),
            content_type: "application/octet-stream".to_owned(),
            size: 0,
            field: "g".to_owned(),
        }),
        Part::Refused { field: "h".to_owned(), name: "b.exe".to_owned(), why: "never".to_owned() },
    ];
    let first = decode("multipart/form-data; boundary=x", b"", Some(&parts), &Limits::default()).unwrap();
    assert_eq!((first.entries[0].value.as_str(), first.files.len(), first.refused.len()), ("Анна", 1, 1));
    let nothing: crate::redact::Rule<'_> = &|_, _| crate::redact::Hide::Nothing;
    let kept = crate::redact::body("multipart/form-data", &Bytes::new(), Some(&parts[..2]), nothing);
    let again = decode(&kept.content_type, &kept.body, None, &Limits::default()).unwrap();
    assert_eq!((again.entries, again.files), (first.entries, first.files));
}

proptest! {
    #[test]
    fn total(content_type in "[ -~]{0,40}", body in proptest::collection::vec(any::<u8>(), 0..600)) {
        drop(decode(&content_type, &body, None, &Limits::default()));
        drop(query(&String::from_utf8_lossy(&body), &Limits::default()));
    }

    #[test]
    fn total_on_what_looks_like_something(body in r#"[\[\]{}"':,=&%;+a-c0-9 \n\\\u{430}]{0,200}"#, kind in 0..4_usize) {
        let content_type = [FORM, "application/json", "text/plain", ""][kind];
        if let Ok(decoded) = decode(content_type, body.as_bytes(), None, &Limits::default()) {
            for entry in &decoded.entries {
                let _ = tree(&decoded.entries, &entry.path[0]);
                let _ = crate::fields::read(entry);
            }
        }
    }
}
