//! What these tests share.

use std::path::{Path, PathBuf};

use leadgate_mailbox::mime::{Hints, Mail, read};

/// The mails of a folder by name.
pub fn mails(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut mails = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            mails.extend(self::mails(&path));
        } else if path.extension().is_some_and(|extension| extension == "eml") {
            mails.push((path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
        }
    }
    mails.sort();
    mails
}

/// Our own.
pub fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mails = mails(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/mime"));
    assert!(mails.len() > 20);
    mails
}

/// The folder of other projects' mails, if it is there.
#[expect(clippy::print_stdout, reason = "a test that compared nothing must say so")]
pub fn samples() -> Option<PathBuf> {
    let named = std::env::var_os("LEADGATE_MAIL_SAMPLES").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/mail");
    let folder = Some(named.unwrap_or_else(beside)).filter(|folder| folder.join("php-imap/expected.json").exists());
    if folder.is_none() {
        println!("no folder of sample mails: set LEADGATE_MAIL_SAMPLES");
    }
    folder
}

/// Our own mails and those of others.
pub fn everything() -> Vec<(String, Vec<u8>)> {
    let mut mails = fixtures();
    mails.extend(samples().map(|folder| self::mails(&folder)).unwrap_or_default());
    mails
}

pub fn hints(language: &str) -> Hints {
    Hints { language: language.to_owned(), ..Hints::default() }
}

/// What holds of every mail: the limits, and no letter that a database refuses.
pub fn check(name: &str, mail: &Mail) {
    assert!(mail.subject.chars().count() <= 998, "{name}");
    assert!(mail.headers.len() <= 2_000, "{name}");
    assert!(mail.references.len() <= 50 && mail.in_reply_to.len() <= 50, "{name}");
    for recipients in [&mail.to, &mail.cc, &mail.bcc] {
        assert!(recipients.len() <= 500, "{name}");
    }
    assert!(mail.text.len() <= 1024 * 1024, "{name}");
    assert!(mail.attachments.len() <= 1_001, "{name}");
    let mut texts = vec![&mail.subject, &mail.text];
    texts.extend(mail.plain.iter().chain(&mail.html).chain(&mail.message_id).chain(&mail.calendar).chain(&mail.problems));
    texts.extend(mail.in_reply_to.iter().chain(&mail.references));
    texts.extend(mail.headers.iter().flat_map(|(name, value)| [name, value]));
    let people = [&mail.from, &mail.reply_to, &mail.to, &mail.cc, &mail.bcc];
    texts.extend(people.into_iter().flatten().chain(&mail.sender).flat_map(|one| [&one.name, &one.address]));
    texts.extend(mail.attachments.iter().flat_map(|file| [&file.name, &file.content_type]));
    texts.extend(mail.report.iter().flat_map(|report| report.groups.iter().flatten()).flat_map(|(name, value)| [name, value]));
    for card in &mail.cards {
        texts.extend(card.name.iter().chain(&card.phones).chain(&card.emails));
    }
    for text in texts {
        assert!(!text.contains('\0'), "{name}: {text:?}");
    }
    for file in &mail.attachments {
        let is_bare = !file.name.is_empty()
            && !file.name.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\' | '\u{202e}'));
        assert!(is_bare, "{name}: {:?}", file.name);
    }
    for inside in &mail.inside {
        check(name, inside);
    }
}

/// Reads a mail and checks what holds of every one.
pub fn checked(name: &str, raw: &[u8], language: &str) -> Mail {
    let mail = read(raw, &hints(language));
    check(name, &mail);
    mail
}
