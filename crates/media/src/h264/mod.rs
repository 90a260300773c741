//! H.264 (ITU-T H.264): configuration record, NAL units, sequence parameter set, slice type.

mod config;
mod nal;
mod slice;
mod sps;

pub use config::{Config, ConfigError};
pub use nal::{NalType, NalUnit, NalUnits};
pub use slice::{SliceType, slice_type};
pub use sps::{Colour, PictureOrder, Sps};
