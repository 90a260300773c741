//! All that the command line prints.

#![expect(clippy::print_stdout, reason = "this is the one place that prints")]

use std::io::{self, Write as _};

use serde::Serialize;

/// One line of text for people, or a document for machines.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// One line of JSON.
pub(crate) fn say_json(document: &impl Serialize) {
    match serde_json::to_string(document) {
        Ok(line) => println!("{line}"),
        Err(error) => complain(&error.to_string()),
    }
}

/// A failure, in one line.
pub(crate) fn complain(message: &str) {
    // Where nobody can hear it (a log on a full disk), the exit code still tells.
    let _unheard = writeln!(io::stderr(), "zongzi: {message}");
}

/// Rows as columns of equal width, headings first.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&headings.map(str::to_owned)).chain(rows) {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}
