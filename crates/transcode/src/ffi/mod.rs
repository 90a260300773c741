//! The C libraries, behind safe types. Nothing outside this module is unsafe.

pub(crate) mod h264;
pub(crate) mod opus;
