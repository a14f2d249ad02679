use proptest::prelude::*;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

fn kept(content_type: &str, text: &str) -> String {
    String::from_utf8(body(content_type, &Bytes::copy_from_slice(text.as_bytes()), None, &usual).body.to_vec()).unwrap()
}

#[test]
fn secrets_go_and_all_else_stays() {
    assert_eq!(kept(FORM, "name=Anna&password=hunter2&x=1"), "name=Anna&password=*******&x=1");
    assert_eq!(kept(FORM, "user%5Bpassword%5D=a%20b"), "user%5Bpassword%5D=*****");
    assert_eq!(kept(FORM, "msg=my+card+4111+1111+1111+1111+ok"), "msg=my+card+*******************+ok");
    assert_eq!(kept(FORM, "msg=%34111111111111111"), "msg=******************");
    assert_eq!(kept(FORM, "msg=%CA%E0%F0%F2%E0+4111111111111111"), "msg=%CA%E0%F0%F2%E0+****************");
    assert_eq!(kept("application/json", r#"{ "name": "Anna" }"#), r#"{ "name": "Anna" }"#);
    assert_eq!(
        kept("application/json", r#"{"a":{"api_key":"abc"},"card":4111111111111111,"password":"x","password":"yz","n":1}"#),
        r#"{"a":{"api_key":"***"},"card":"****************","password":"*","password":"**","n":1}"#
    );
    assert_eq!(kept("", r#"[{"label":"Password","value":"abc"}]"#), r#"[{"label":"Password","value":"***"}]"#);
    assert_eq!(
        kept("text/plain", "name=Anna\npassword=abc\ncomment=4111 1111 1111 1111\n"),
        "name=Anna\npassword=***\ncomment=*******************\n"
    );
    assert_eq!(query("utm_source=a&token=abc", &usual), "utm_source=a&token=***");
}

#[test]
fn what_cannot_be_read_is_cleaned_too() {
    assert_eq!(kept("application/json", r#"{"name":"Anna","password":"hunter"#), r#"{"name":"Anna","password":"******"#);
    assert_eq!(kept("application/json", r#"{"cvv":123,"x":"#), r#"{"cvv":***,"x":"#);
    assert_eq!(kept("application/octet-stream", "hello 4111111111111111"), "hello ****************");
}

#[test]
fn phones_and_click_ids_stay() {
    for text in [
        "phone=4915112345678",
        "yclid=4242424242424242",
        "page=https%3A%2F%2Fa.example%2F%3Fyclid%3D4242424242424242",
        "tranid=467251%3A8442970",
    ] {
        assert_eq!(kept(FORM, text), text);
    }
}

#[test]
fn the_hash_is_of_what_came() {
    let bytes = Bytes::from_static(b"password=x");
    let kept = body(FORM, &bytes, None, &usual);
    assert_eq!(kept.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
}

#[test]
fn multipart_is_kept_as_json() {
    let parts = [
        Part::Field { name: "password".to_owned(), value: Bytes::from_static(b"abc") },
        Part::Field { name: "name".to_owned(), value: Bytes::from_static(b"Anna") },
        Part::Refused { field: "f".to_owned(), name: "a.exe".to_owned(), why: "never".to_owned() },
    ];
    let kept = body("multipart/form-data; boundary=x", &Bytes::new(), Some(&parts), &usual);
    assert_eq!(kept.content_type, PARTS);
    assert_eq!(
        String::from_utf8_lossy(&kept.body),
        r#"{"parts":[{"name":"password","value":"***"},{"name":"name","value":"Anna"},{"name":"f","filename":"a.exe","refused":"never"}]}"#
    );
}

proptest! {
    #[test]
    fn total_and_as_long(content_type in "[a-z/+-]{0,30}", bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let bytes = Bytes::from(bytes);
        let kept = body(&content_type, &bytes, None, &|_, value| Hide::Ranges(vec![0..value.len().min(3), 1..usize::MAX]));
        prop_assert!(!kept.body.is_empty() || bytes.is_empty());
    }

    #[test]
    fn no_password_survives(secret in "[a-zA-Z0-9]{12}", name in "[a-z]{1,8}", kind in 0..4_usize) {
        let text = match kind {
            0 => format!("{name}=1&password={secret}"),
            1 => format!("{{\"{name}\":1,\"password\":\"{secret}\"}}"),
            2 => format!("{name}=1\npassword={secret}\n"),
            _ => format!("{{\"{name}\":1,\"password\":\"{secret}\","),
        };
        let kept = body("text/plain", &Bytes::from(text), None, &usual);
        prop_assert!(!String::from_utf8_lossy(&kept.body).contains(&secret));
    }
}
