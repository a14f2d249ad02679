//! The binary: a shell around [`leadgate_server::cli::run`].

use std::process::ExitCode;

/// A lead is many small allocations on several threads; the system's allocator spends a fifth of a lead's time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    leadgate_server::cli::run(std::env::args_os())
}
