//! A mail that is kept without its files reads as before, but for their bytes.

use bytes::Bytes;
use leadgate_mailbox::mime::{Hints, Mail, read, without_files};

use crate::support::{everything, fixtures, hints};

fn hash(at: usize) -> String {
    format!("{at:064x}")
}

fn kept_hints(language: &str) -> Hints {
    Hints { kept: true, ..hints(language) }
}

/// Everything but bytes and places, comparable. Of the files of mails inside only what does not depend on who keeps them.
fn told(mail: &Mail) -> String {
    let mut mail = mail.clone();
    strip(&mut mail);
    format!("{mail:#?}")
}

fn strip(mail: &mut Mail) {
    for file in &mut mail.attachments {
        (file.bytes, file.place, file.file) = (Bytes::new(), 0..0, None);
    }
    mail.inside.iter_mut().for_each(strip);
}

#[test]
fn kept_mails_read_as_before() {
    for (name, raw) in everything() {
        let mail = read(&raw, &hints("ru"));
        let files: Vec<_> = (0..mail.attachments.len()).map(|at| Some(hash(at))).collect();
        let kept = without_files(&raw, &mail, &files);
        let again = read(&kept, &kept_hints("ru"));
        assert_eq!(told(&again), told(&mail), "{name}");
        for (at, (before, after)) in mail.attachments.iter().zip(&again.attachments).enumerate() {
            let file = Some(hash(at)).filter(|_| !before.place.is_empty());
            assert_eq!(after.file, file, "{name}: {}", before.name);
            // What was signed in one piece stands nowhere by itself.
            assert!(after.bytes.is_empty() || before.place.is_empty(), "{name}: {}", before.name);
        }
        // What is kept can be kept again.
        assert_eq!(without_files(&kept, &again, &[]), kept.as_slice(), "{name}");
    }
}

#[test]
fn what_is_not_kept_elsewhere_stays() {
    for (name, raw) in everything() {
        let mail = read(&raw, &hints("ru"));
        let files: Vec<_> = (0..mail.attachments.len()).map(|at| Some(hash(at)).filter(|_| at % 2 == 0)).collect();
        let again = read(&without_files(&raw, &mail, &files), &kept_hints("ru"));
        assert_eq!(told(&again), told(&mail), "{name}");
        for (at, (before, after)) in mail.attachments.iter().zip(&again.attachments).enumerate().filter(|_| name != "forged_mark")
        {
            let is_gone = at % 2 == 0 && !before.place.is_empty();
            assert_eq!(after.bytes, if is_gone { Bytes::new() } else { before.bytes.clone() }, "{name}: {}", before.name);
        }
    }
}

#[test]
fn files_are_gone_from_what_is_kept() {
    let (_, raw) = fixtures().into_iter().find(|(name, _)| name == "files").unwrap();
    let mail = read(&raw, &hints("ru"));
    let files: Vec<_> = (0..mail.attachments.len()).map(|at| Some(hash(at))).collect();
    let kept = String::from_utf8(without_files(&raw, &mail, &files)).unwrap();
    assert!(kept.len() < raw.len() / 2 && !kept.contains("JVBERi"), "{kept}");
    assert!(kept.contains(&format!("leadgate-file: {}", hash(1))));
    // Of a mail inside the files are gone, the text stays.
    let (_, raw) = fixtures().into_iter().find(|(name, _)| name == "forwarded").unwrap();
    let mail = read(&raw, &hints("ru"));
    let kept = String::from_utf8(without_files(&raw, &mail, &[Some(hash(7)), None])).unwrap();
    assert!(kept.contains("Two windows, please.") && !kept.contains("JVBERi"), "{kept}");
    assert_eq!(read(kept.as_bytes(), &kept_hints("")).inside[0].attachments[0].file, Some(hash(7)));
}

/// Our line must not be taken for a field where the empty line before a file was forgotten.
#[test]
fn heads_without_an_end_stay_heads() {
    let part = "Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n";
    for (before, after) in [("", ""), ("odd", ""), ("--x", ""), ("", "Subject: other\n"), ("\n", "\n\n")] {
        let raw =
            format!("Subject: s\nContent-Type: multipart/mixed; boundary=b\n{before}\n--b\n{part}iVBORw0KGgo=\n{after}--b--\n");
        let mail = read(raw.as_bytes(), &hints(""));
        let again = read(&without_files(raw.as_bytes(), &mail, &[Some(hash(5))]), &kept_hints(""));
        assert_eq!(told(&again), told(&mail), "{raw}");
        assert_eq!(again.attachments[0].file, Some(hash(5)), "{raw}");
    }
}

#[test]
fn a_sender_names_no_file_of_ours() {
    let (_, raw) = fixtures().into_iter().find(|(name, _)| name == "forged_mark").unwrap();
    let mail = read(&raw, &hints(""));
    assert!(all_files(&mail).is_empty());
    // Neither kept elsewhere nor after it.
    for files in [vec![None; 3], vec![Some(hash(1)); 3]] {
        let kept = without_files(&raw, &mail, &files);
        let named = all_files(&read(&kept, &kept_hints("")));
        assert!(named.iter().all(|file| *file == hash(1)), "{named:?}");
    }
}

fn all_files(mail: &Mail) -> Vec<String> {
    let inside = mail.inside.iter().flat_map(all_files);
    mail.attachments.iter().filter_map(|file| file.file.clone()).chain(inside).collect()
}
