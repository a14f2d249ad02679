//! Whatever is sent, a mail comes of it, within the limits.

use leadgate_mailbox::mime::{Hints, Mail, read, without_files};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{check, checked, everything, hints};

/// Reads and keeps it, and reads what is kept: the same but for the files.
fn whole_way(raw: &[u8]) {
    let mail = checked("hostile", raw, "ru");
    let files: Vec<_> = (0..mail.attachments.len()).map(|at| (at % 3 > 0).then(|| format!("{at:064x}"))).collect();
    let kept = read(&without_files(raw, &mail, &files), &Hints { kept: true, ..hints("ru") });
    check("kept", &kept);
    assert_eq!((&kept.text, &kept.headers, &kept.report, &kept.cards), (&mail.text, &mail.headers, &mail.report, &mail.cards));
    let names = |mail: &Mail| mail.attachments.iter().map(|file| (file.name.clone(), file.inline)).collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&mail));
    assert_eq!(kept.inside.len(), mail.inside.len());
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn any_bytes_become_a_mail() {
    let mut runner = TestRunner::new(config(300));
    runner
        .run(&proptest::collection::vec(any::<u8>(), 0..600), |raw| {
            whole_way(&raw);
            Ok(())
        })
        .unwrap();
}

/// Mails put together of what mails are made of, in any order.
#[test]
fn any_pieces_become_a_mail() {
    const PIECES: &[&str] = &[
        "From: ",
        "To: ",
        "Subject: ",
        "Content-Type: ",
        "Content-Transfer-Encoding: ",
        "Content-Disposition: ",
        "Message-ID: ",
        "\r\n",
        "\n",
        "\n\n",
        "\r\n\r\n",
        " ",
        "\t",
        "multipart/mixed; boundary=b",
        "multipart/report; boundary=\"b\"",
        "message/rfc822",
        "text/html",
        "text/plain; charset=",
        "text/vcard",
        "text/calendar; method=",
        "message/delivery-status",
        "--b",
        "--b--",
        "base64",
        "quoted-printable",
        "=?utf-8?B?",
        "=?utf-8?Q?",
        "?=",
        "=D0",
        "=9F",
        "0J/R",
        "gNC4",
        "<a@b>",
        "<",
        ">",
        "\"",
        "\\",
        "(",
        ")",
        ",",
        ";",
        ":",
        "*0*=",
        "*=utf-8''%D0%9F",
        "filename",
        "name",
        "=",
        "windows-1251",
        "utf-16",
        "iso-2022-jp",
        "\u{1b}$B",
        "\0",
        "я",
        "BEGIN:VCARD\n",
        "TEL:1\n",
        "END:VCARD\n",
        "<table><tr><td>",
        "</td>",
        "<a href=",
        "<!--",
        "-->",
        "&amp;",
        "&#",
        "leadgate-file: ",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let mut runner = TestRunner::new(config(1_500));
    let pieces = proptest::collection::vec((proptest::sample::select(PIECES), any::<bool>()), 0..60);
    runner
        .run(&pieces, |pieces| {
            let mut raw = Vec::new();
            for (piece, broken) in pieces {
                raw.extend_from_slice(piece.as_bytes());
                if broken && raw.len() % 5 == 0 {
                    raw.push(b"\xc0\xd1\xe0\xf2\xff"[raw.len() / 5 % 5]);
                }
            }
            whole_way(&raw);
            Ok(())
        })
        .unwrap();
}

/// Cut off anywhere, a byte changed anywhere, a piece twice.
#[test]
fn damaged_mails_become_mails() {
    for (name, raw) in everything() {
        let step = (raw.len() / 25).max(1);
        for at in (0..raw.len()).step_by(step) {
            check(&name, &read(&raw[..at], &hints("")));
            let mut changed = raw.clone();
            changed[at] ^= [0xff, 0x20, 0x0a, 0x80, 0x01][at % 5];
            whole_way(&changed);
            let twice = [&raw[..at], &raw[at / 2..]].concat();
            check(&name, &read(&twice, &hints("ru")));
        }
    }
}

fn nested(levels: usize, head: &str) -> Vec<u8> {
    head.repeat(levels).into_bytes()
}

#[test]
fn bombs_stay_within_the_limits() {
    let level = |at: usize| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n");
    let deep = (0..3_000).map(level).collect::<Vec<_>>().concat();
    let bombs = [
        nested(200_000, "Content-Type: message/rfc822\n\n"),
        nested(50_000, "Content-Type: multipart/digest; boundary=b\n\n--b\n\n"),
        deep.into_bytes(),
        nested(1, "Content-Type: multipart/mixed; boundary=b\n\n").into_iter().chain(nested(200_000, "--b\n\n")).collect(),
        nested(500_000, "A: b\n"),
        nested(1, "Subject: ").into_iter().chain(nested(2_000_000, "x")).collect(),
        nested(1, "To: ").into_iter().chain(nested(200_000, "a@b.example, ")).collect(),
        nested(1, "To: ").into_iter().chain(nested(200_000, "(")).collect(),
        nested(1, "To: ").into_iter().chain(nested(200_000, "<")).collect(),
        nested(1, "To: ").into_iter().chain(nested(200_000, "=?")).collect(),
        nested(1, "Subject: ").into_iter().chain(nested(100_000, "=?a?Q?")).collect(),
        nested(1, "References: ").into_iter().chain(nested(100_000, "<a@b> ")).collect(),
        nested(1, "Content-Type: text/plain").into_iter().chain(nested(100_000, "; a*0*=b")).collect(),
        nested(1, "Content-Type: text/html\n\n").into_iter().chain(nested(300_000, "<table><tr><td>x")).collect(),
        nested(1, "Content-Type: text/x-vcard\n\n")
            .into_iter()
            .chain(nested(50_000, "BEGIN:VCARD\nTEL;ENCODING=QUOTED-PRINTABLE:=\n"))
            .collect(),
        nested(1, "Content-Type: message/delivery-status\n\n").into_iter().chain(nested(100_000, "a: b\n\n")).collect(),
        nested(1, "Subject: x\n\n").into_iter().chain(nested(3_000_000, "\u{a0}")).collect(),
    ];
    for (at, bomb) in bombs.iter().enumerate() {
        let mail = checked(&format!("bomb {at}"), bomb, "ru");
        let _ = without_files(bomb, &mail, &vec![Some("a".repeat(64)); mail.attachments.len()]);
    }
}

/// A mail in a mail in a mail, each encoded: what comes of it is less each time.
#[test]
fn encoded_nesting_ends() {
    let mut mail = "Subject: innermost\n\ntext".to_owned();
    for _ in 0..20 {
        let encoded = data_encoding::BASE64.encode(mail.as_bytes());
        mail = format!("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}");
    }
    let mut read = &checked("nested", mail.as_bytes(), "");
    let mut depth = 0;
    while let Some(inside) = read.inside.first() {
        read = inside;
        depth += 1;
    }
    assert_eq!(depth, 5);
    assert!(read.problems.iter().any(|problem| problem.starts_with("mails are nested too deeply")), "{:?}", read.problems);
}
