//! HTTP kit and public front: problem+json, WHEP resources over a Sessions trait, pages, public JSON.

#![forbid(unsafe_code)]
