#![no_main]
//! The kind `html_form`.

use std::sync::LazyLock;

use leadgate_core::ports::Push;
use libfuzzer_sys::fuzz_target;

static SOURCE: LazyLock<Box<dyn Push>> = LazyLock::new(|| leadgate_fuzz::source("html_form", r#"allow_origins = ["https://shop.example"]"#));

fuzz_target!(|data: &[u8]| leadgate_fuzz::call(&**SOURCE, data));
