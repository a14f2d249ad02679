//! What is kept of a mail, and what it says when it is read again.

use std::fmt::Write as _;

use leadgate_core::receipt::Outcome;
use leadgate_core::replay::Kept;
use leadgate_core::submission::{Codec, Submission};

use super::*;
use crate::imap::Head;
use crate::watch::mail::{Got, Maker};
use crate::watch::{again, mail as making};

/// A mail with a large file, a small one and a card.
fn with_files() -> String {
    let large = data_encoding::BASE64_MIME.encode(&vec![7_u8; 20_000]);
    let mut text = "From: Anna Petrova <anna@firma-mail.ru>\r\nTo: info@example.com\r\nMessage-ID: <m1@firma-mail.ru>\r\n\
                    Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nSubject: Prices\r\nMIME-Version: 1.0\r\n\
                    Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        .to_owned();
    for (head, body) in [
        ("Content-Type: text/plain; charset=utf-8", "Please call me.\r\n"),
        ("Content-Type: application/pdf; name=plan.pdf\r\nContent-Transfer-Encoding: base64", large.as_str()),
        ("Content-Type: application/pdf; name=note.pdf\r\nContent-Transfer-Encoding: base64", "AAAA\r\n"),
        (
            "Content-Type: text/vcard; name=anna.vcf",
            "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Petrova\r\nTEL:+7 916 123-45-67\r\nEND:VCARD\r\n",
        ),
    ] {
        write!(text, "--b\r\n{head}\r\n\r\n{body}\r\n").unwrap();
    }
    text + "--b--\r\n"
}

async fn submission(stage: &Stage, raw: &str, cut: bool) -> Submission {
    let maker = Maker {
        source: "info".parse().unwrap(),
        settings: Arc::clone(&stage.settings),
        read: making::read,
        folder: Arc::from("INBOX"),
        sent: false,
        uid_validity: 7,
        dealt: 0,
        historic: false,
    };
    let at = Some(fake::BEGINNING.parse().unwrap());
    let head = Head { uid: 5, size: u32::try_from(raw.len()).unwrap() + if cut { 40 << 20 } else { 0 }, at };
    let got = Got { head, bytes: bytes::Bytes::copy_from_slice(raw.as_bytes()), cut };
    let made = maker.make(vec![got]).await.pop().unwrap();
    maker.submission(made, &stage.feed()).await.unwrap()
}

fn kept(item: &Submission) -> Kept {
    Kept {
        seq: 1,
        id: item.id,
        source: item.source.clone(),
        received_at: item.received_at,
        outcome: Outcome::Created,
        receipt: 1,
        dropped: false,
        authenticated: true,
        historic: item.historic,
        content_type: item.raw.content_type.clone(),
        query: String::new(),
        peer: None,
        head: item.raw.head.clone(),
        emptied_at: None,
        codec: Codec::Plain,
        raw: item.raw.body.clone(),
        reasons: Vec::new(),
        content: None,
        touch: None,
    }
}

fn said(item: &Submission) -> String {
    format!("{:?} {:?} {:?} {:?} {:?}", item.draft, item.keys, item.content, item.purpose, item.occurred_at)
}

#[tokio::test(start_paused = true)]
async fn a_kept_mail_says_again_what_it_said() {
    let stage = Stage::inbox();
    for refused in [false, true] {
        stage.database.ledger().no_files = refused;
        let raw = with_files();
        let item = submission(&stage, &raw, false).await;
        let files: Vec<&str> = item.draft.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(files, if refused { vec![] } else { vec!["plan.pdf", "note.pdf", "anna.vcf"] });
        assert!(item.raw.body.len() < 4_000, "{} bytes are kept of {}", item.raw.body.len(), raw.len());
        assert_eq!(item.draft.fields.iter().filter(|field| field.name == "attachment").count(), if refused { 3 } else { 0 });
        let again = again::read_again(&kept(&item), &stage.settings.policy, making::read).unwrap();
        assert_eq!(said(&again), said(&item));
        assert!(again.historic && again.hold.is_none());
        // And packed, as large ones are.
        let packed = Kept { codec: Codec::Zstd, raw: zstd::bulk::compress(&item.raw.body, 1).unwrap().into(), ..kept(&item) };
        assert_eq!(said(&again::read_again(&packed, &stage.settings.policy, making::read).unwrap()), said(&item));
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_cut_mail_the_beginning_says_again_what_it_said() {
    let stage = Stage::inbox();
    let raw = with_files();
    let item = submission(&stage, &raw[..2_000], true).await;
    assert!(item.draft.files.is_empty());
    assert!(item.draft.mail.as_ref().unwrap().truncated.is_some_and(|bytes| bytes > 40 << 20));
    assert_eq!(said(&again::read_again(&kept(&item), &stage.settings.policy, making::read).unwrap()), said(&item));
}

#[tokio::test(start_paused = true)]
async fn what_a_sender_writes_is_not_taken_for_our_own_mark() {
    let stage = Stage::inbox();
    let mark = format!("leadgate-file: {}\r\nnot a file of ours\r\n", "a".repeat(64));
    let raw = with_files().replace("AAAA\r\n", &mark).replace("note.pdf\r\nContent-Transfer-Encoding: base64", "note.pdf");
    let item = submission(&stage, &raw, false).await;
    let again = again::read_again(&kept(&item), &stage.settings.policy, making::read).unwrap();
    assert_eq!(said(&again), said(&item));
}

#[tokio::test(start_paused = true)]
async fn what_was_held_can_be_let_in_once_it_can_be_read() {
    let stage = Stage::inbox();
    stage
        .while_reading(async {
            stage.quiet().await;
            stage.mailbox.deliver("INBOX", &mail("PANIC", Some("1@x")));
            stage.quiet().await;
        })
        .await;
    let held = stage.database.ledger().taken[0].0.clone();
    let again = again::read_again(&kept(&held), &stage.settings.policy, making::read).unwrap();
    assert_eq!((again.hold.is_some(), again.keys[0].value.as_str()), (false, "INBOX/7/1"));
    assert_eq!(again.draft.known_as[0].value, "1@x");
    // Of which nothing was had, nothing is said.
    let nothing = Kept { raw: bytes::Bytes::new(), ..kept(&held) };
    let words = again::read_again(&nothing, &stage.settings.policy, making::read).unwrap_err();
    assert!(words.contains("look at it in the mailbox"), "{words}");
}
