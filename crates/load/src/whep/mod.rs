//! WHEP's HTTP side: offer, POST, answer, DELETE.

pub(crate) mod answer;
pub(crate) mod http;
pub(crate) mod offer;

pub(crate) use answer::Answer;
