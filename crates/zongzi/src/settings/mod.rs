//! Settings: the file, then the environment, then flags; each key with unit and default in `config/zongzi.toml`.
//!
//! The three sources are laid over one another as plain TOML tables before anything is typed, so a flag that was not
//! given cannot overwrite what the file says. After each layer the whole is parsed, so that a bad value is blamed on
//! the place that set it.

mod load;
mod sections;
mod values;
mod wiring;

pub(crate) use load::{Overrides, SettingsError, load};
pub(crate) use sections::{
    Broadcast, Hooks, Http, Limits, Log, LogFormat, Media, Playback, Rtmp, Settings, Transcode,
};
