//! RTMP as a sans-IO core: handshake, chunks, AMF0, session, FLV tags.

#![forbid(unsafe_code)]
