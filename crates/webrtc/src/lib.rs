//! The sans-IO WebRTC peer: ICE-lite, DTLS, SRTP, RTP/RTCP, SDP.
//!
//! Bytes and time go in, bytes and events come out: there is no socket, no clock and no task here. Random bytes
//! (credentials) are passed in as well, with one exception: the DTLS engine and the making of a certificate draw
//! theirs from the operating system (see [`dtls`]).
//!
//! A WHEP server reads the viewer's offer with [`sdp::Offer::parse`], writes its answer with [`sdp::Answer`], makes a
//! [`peer::Peer`] for the viewer and feeds it his datagrams. When the peer says [`peer::Event::Connected`] it hands
//! out an [`srtp::Sender`], which turns [`rtp`] headers and payloads into datagrams.

#![forbid(unsafe_code)]

pub mod dtls;
pub mod ice;
pub mod peer;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod srtp;
pub mod stun;
