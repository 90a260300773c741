//! RTP, RTCP and SRTP, as much as a viewer needs that is no decoder.

pub(crate) mod depacketize;
pub(crate) mod header;
pub(crate) mod rtcp;
pub(crate) mod srtp;

pub(crate) use depacketize::{digest, slices_of_payloads};
pub(crate) use header::Header;
