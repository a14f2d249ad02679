//! Mails of other projects with what those projects expect of them, if the folder that holds them is there.

use leadgate_mailbox::mime::{Address, Mail};
use serde_json::Value;

use crate::support::{checked, mails, samples};

/// Names that a project made up of a hash: nothing to compare.
const MADE_UP: &[&str] = &["c541a506", "da786518"];

/// Text as it is compared: line ends alike, none at its ends.
fn bare(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// Without any white space: where one program leaves an empty line and another none.
fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

fn written(people: &[Address]) -> String {
    let one = |one: &Address| match (one.name.as_str(), one.address.as_str()) {
        ("", address) => address.to_owned(),
        (name, "") => name.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    };
    people.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What differs from what is expected under `key`, in words.
fn differs(mail: &Mail, key: &str, expected: &Value, has_other_name: bool) -> Option<String> {
    let text = expected.as_str().unwrap_or_default();
    let list = || {
        expected.as_array().unwrap().iter().filter_map(Value::as_str).filter(|name| !MADE_UP.contains(name)).collect::<Vec<_>>()
    };
    let (is_equal, found) = match key {
        "subject" => (mail.subject == text, mail.subject.clone()),
        "from" => (written(&mail.from) == text, written(&mail.from)),
        "to" => (written(&mail.to) == text, written(&mail.to)),
        "bcc" => (written(&mail.bcc) == text, written(&mail.bcc)),
        "reply_to" => (written(&mail.reply_to) == text, written(&mail.reply_to)),
        "sender" => (written(mail.sender.as_slice()) == text, written(mail.sender.as_slice())),
        "message_id" => (mail.message_id.as_deref().unwrap_or_default() == text, format!("{:?}", mail.message_id)),
        "date_utc" => {
            let found = mail.date.map(|date| date.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
            (found == text, found)
        }
        "getTextBody" => (bare(&mail.text) == bare(text), mail.text.clone()),
        "getHTMLBody" => {
            let found = mail.html.clone().unwrap_or_default();
            // A mail of plain text only has no HTML here; over there it gets some.
            (dense(&found) == dense(text) || mail.html.is_none(), found)
        }
        "attachments" => (expected.as_u64() == Some(mail.attachments.len() as u64), mail.attachments.len().to_string()),
        "attachment_content_type" => {
            let found: Vec<_> = mail.attachments.iter().map(|file| file.content_type.as_str()).collect();
            (list().iter().all(|kind| found.contains(kind)), format!("{found:?}"))
        }
        // Where the type names a file otherwise than the disposition, the disposition is right (RFC 2183, 2.3).
        "attachment_name" if has_other_name => (true, String::new()),
        "attachment_filename" | "attachment_name" => {
            let found: Vec<_> = mail.attachments.iter().map(|file| file.name.as_str()).collect();
            (list().iter().all(|name| found.contains(name)), format!("{found:?}"))
        }
        "content_type" => (mail.header("content-type").is_some_and(|kind| kind.starts_with(text)), String::new()),
        other => (false, format!("no comparison for {other}")),
    };
    (!is_equal).then(|| format!("{key}: expected {expected}, found {found:?}"))
}

#[test]
fn php_imap() {
    let Some(folder) = samples() else { return };
    let folder = folder.join("php-imap");
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (file, expected) in expected.as_object().unwrap() {
        let raw = std::fs::read(folder.join(file)).unwrap();
        let mail = checked(file, &raw, "");
        let name = |key: &str| expected.get(key).cloned();
        let has_other_name = name("attachment_filename").is_some_and(|other| Some(other) != name("attachment_name"));
        for (key, value) in expected.as_object().unwrap() {
            compared += 1;
            wrong.extend(differs(&mail, key, value, has_other_name).map(|difference| format!("{file} {difference}")));
        }
    }
    println!("php-imap: {} of {compared} expectations met", compared - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sample(name: &str, language: &str) -> Option<Mail> {
    let folder = samples()?;
    let (_, raw) = mails(&folder).into_iter().find(|(known, _)| known == name).unwrap();
    Some(checked(name, &raw, language))
}

#[test]
fn django_mailbox() {
    for (name, language) in
        [("message_with_single_byte_encoding", ""), ("message_with_invalid_content_for_declared_encoding", "ru")]
    {
        let Some(mail) = sample(name, language) else { return };
        assert_eq!(mail.text, "Это сообщение имеет неправильную кодировка.", "{name}");
    }
    let subject = sample("message_with_single_byte_extended_subject_encoding", "ru").unwrap().subject;
    println!("{subject}");
    assert!(subject.chars().filter(|letter| ('а'..='я').contains(letter)).count() > 5, "{subject}");
    let file = sample("message_with_not_decoded_attachment_header", "").unwrap().attachments.remove(0).name;
    assert_eq!(file, "ð\u{31e}oβ\u{31e}le.png");
    let mail = sample("message_with_invalid_encoding", "").unwrap();
    assert!(mail.text.starts_with("We offer loans"), "{}", mail.text);
    assert_eq!(sample("multipart_text", "").unwrap().text, "Hello there!");
    assert_eq!(sample("message_with_rfc822_attachment", "").unwrap().inside.len(), 1);
}

#[test]
fn malformed() {
    for (number, text) in [
        ("001", None),
        ("002", Some("body")),
        ("003", None),
        ("006", Some("body")),
        ("008", Some("body\nbody2")),
        ("009", Some("1\n22\n333")),
        ("014", Some("hello, world")),
        ("015", Some("There was a day \na happy day")),
        ("022", Some("hello")),
    ] {
        let Some(mail) = sample(&format!("malformed-{number}"), "") else { return };
        if let Some(text) = text {
            assert_eq!(bare(&mail.text), text, "{number}: {mail:#?}");
        }
    }
    let files = |number: &str| sample(&format!("malformed-{number}"), "").unwrap().attachments;
    assert_eq!(files("017")[0].name, "image001.png");
    assert_eq!(files("017")[0].bytes.as_ref(), b"hello world\n");
    assert_eq!(files("022")[0].name, "broken.eml");
    let nested = sample("malformed-010", "").unwrap();
    assert_eq!(nested.inside[0].inside[0].text, "1");
}
