//! What a run found, in figures, for people and for programs.

mod summary;
mod table;
mod verdict;

pub(crate) use summary::{Summary, float, mebibytes};

/// A line of progress, on standard error: standard output is for results.
#[expect(
    clippy::print_stderr,
    reason = "progress is what this program says while it runs"
)]
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

/// A result, on standard output.
#[expect(clippy::print_stdout, reason = "results are what this program prints")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}
