#![no_main]
//! A mail: read, kept without its files, read again as it is kept, and what the rules make of it.

use std::sync::LazyLock;

use leadgate_mailbox::mime::{Hints, read, without_files};
use leadgate_mailbox::reading::{self, Where};
use leadgate_mailbox::settings::Policy;
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);

fuzz_target!(|data: &[u8]| {
    let hints = Hints { language: "ru".to_owned(), kept: false };
    let mail = read(data, &hints);
    let files: Vec<_> = (0..mail.attachments.len()).map(|at| (at % 3 > 0).then(|| format!("{at:064x}"))).collect();
    let kept = without_files(data, &mail, &files);
    let again = read(&kept, &Hints { kept: true, ..hints });
    assert_eq!(again.text, mail.text, "what is kept reads otherwise");
    assert_eq!(again.attachments.len(), mail.attachments.len(), "what is kept has other files");
    let sent = data.first().is_some_and(|byte| byte % 2 == 1);
    reading::read(&mail, Where { folder: "INBOX", sent, truncated: None }, &POLICY);
});
