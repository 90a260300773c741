//! The sans-IO WebRTC peer: ICE-lite, DTLS, SRTP, RTP/RTCP, SDP.

#![forbid(unsafe_code)]
