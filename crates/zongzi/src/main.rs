//! The Zongzi server.

#![forbid(unsafe_code)]

fn main() {}
