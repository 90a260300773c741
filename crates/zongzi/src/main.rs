//! The Zongzi server: settings, wiring, command line. The only part that knows all others.

#![forbid(unsafe_code)]

mod cli;
mod serve;
mod settings;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
