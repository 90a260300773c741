//! The one media port: sockets, GSO, sendmmsg, first-byte demux, address and ufrag table.
