//! Channels, keys, store, counts, API, metrics page.

#![forbid(unsafe_code)]
