//! What the renditions must know of H.264 beyond [`zongzi_media::h264`]: picture parameter sets and slice headers as far
//! as reference pictures go, and which pictures a picture may refer to.

mod parameters;
mod references;
mod slice;

pub(crate) use parameters::ParameterSets;
pub(crate) use references::References;
pub(crate) use slice::SliceHeader;
