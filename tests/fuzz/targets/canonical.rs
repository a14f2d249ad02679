#![no_main]
//! Phones, e-mails and names as people type them.

use leadgate_core::phone::{self, Country, Hints};
use leadgate_core::{email, name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let hints = Hints { configured: Country::parse("RU"), ..Hints::default() };
    phone::read(&text, &hints);
    email::read(&text);
    name::read(&text);
});
