//! The C libraries, behind safe types. Nothing outside this module is unsafe.

pub(crate) mod opus;
