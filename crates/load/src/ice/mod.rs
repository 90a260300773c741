//! ICE for a viewer of a server with one address: controlling agent, one pair, consent (RFC 8445, RFC 7675).

mod agent;
mod stun;

pub(crate) use agent::{Agent, Credentials, Step};
