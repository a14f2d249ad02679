#![no_main]
//! Decoding a body by content.

use leadgate_fuzz::CONTENT_TYPES;
use leadgate_wire::body::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(*first) % CONTENT_TYPES.len()];
    if let Ok(decoded) = body::decode(content_type, rest, None, &Limits::default()) {
        for entry in &decoded.entries {
            leadgate_wire::fields::read(entry);
        }
        body::tree(&decoded.entries, "payment");
    }
});
