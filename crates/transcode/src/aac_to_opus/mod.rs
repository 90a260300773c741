//! AAC in, Opus out.
//!
//! What runs for each AAC frame of 1,024 samples: decode, resample where the rate is not 48 kHz, cut into packets,
//! encode. Nothing grows: at most one AAC frame and one Opus frame of samples wait in between.

mod decoder;
mod framer;
mod resampler;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use zongzi_media::{Frame, aac, opus};

use crate::ffi::opus::Encoder;
use crate::he_aac;

use self::decoder::{Decoded, Decoder};
use self::framer::{Arrival, Framer};
use self::resampler::Resampler;

/// Turns one AAC track into Opus: 48 kHz, stereo, a packet of 20 or 30 ms for each AAC frame.
///
/// **Time.** A host's timestamps are rounded to milliseconds (RTMP) and may jitter; its sample count does not. The
/// packets' times therefore follow the count: the first frame's time is the anchor, and every packet begins exactly
/// where the one before ended. Where the host's timestamps run away slowly from its count (its clocks differ), single
/// samples are inserted or left out until they agree again, so sound stays with the picture for as long as the
/// broadcast lasts. A jump of more than [`AacToOpus::JUMP`] is a hole in the sound: everything starts again at
/// the new time.
///
/// The delays of resampler and encoder are taken off the packets' times: a sound that the host put at time t is heard
/// from the decoder at t. So the first packet begins a few milliseconds before the first frame.
///
/// **Broken frames** become a faded echo of the frame before and then silence, of the same length, and are counted.
///
/// A new configuration of the track needs a new `AacToOpus`.
pub struct AacToOpus {
    decoder: Decoder,
    detector: he_aac::Detector,
    resampler: Resampler,
    encoder: Encoder,
    framer: Framer,
    /// What one AAC frame decodes to: interleaved stereo at the host's rate.
    decoded: Vec<f32>,
    /// The same at 48 kHz.
    resampled: Vec<f32>,
    effort: Effort,
    stats: Stats,
}

/// How well packets are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// libopus' best; measured 0.57 % of a core a stream, decoding and all.
    Full,
    /// Its cheapest, 0.32 %: for a machine that has no time for more.
    Least,
}

impl Effort {
    fn complexity(self) -> i32 {
        match self {
            Self::Full => 10,
            Self::Least => 0,
        }
    }
}

/// What happened to the frames so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// AAC frames that were decoded.
    pub decoded: u64,
    /// AAC frames that were broken, and replaced.
    pub concealed: u64,
    /// Opus packets made.
    pub packets: u64,
    /// Packets that libopus refused to make; their sound is missing.
    pub refused: u64,
    /// Times that everything started again, as a rule because the host's timestamps jumped.
    pub restarts: u64,
    /// Samples (of each channel, at 48 kHz) inserted to follow the host's clock.
    pub inserted: u64,
    /// Samples left out to follow the host's clock.
    pub dropped: u64,
}

/// Why an AAC track cannot be turned into Opus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unplayable {
    /// HE-AAC (spectral band replication), said by the configuration or seen in the frames: only its lower half could
    /// be decoded.
    #[error("HE-AAC cannot be played: set the encoder to AAC-LC")]
    HighEfficiency,
    /// Another kind of AAC than LC (audio object type 2).
    #[error("AAC of object type {0} cannot be played: set the encoder to AAC-LC")]
    ObjectType(u8),
    /// Neither mono nor stereo; 0 means that the stream describes its channels itself.
    #[error("AAC of {0} channels cannot be played: set the encoder to stereo")]
    Channels(u8),
    /// A sample rate that is none of the standard's.
    #[error("AAC at {0} Hz cannot be played: set the encoder to 48000 Hz")]
    SampleRate(u32),
    /// Frames of another length than 1,024 samples.
    #[error("AAC of {0} samples a frame cannot be played: set the encoder to 1024")]
    FrameLength(u16),
    /// A codec library could not be set up (out of memory).
    #[error("the sound encoder could not be started")]
    Encoder,
}

impl AacToOpus {
    /// The configuration of the Opus track that comes out.
    pub const OUTPUT: opus::Config = opus::Config { channels: 2 };
    /// The farthest a frame's time may be from where the sample count puts it, in microseconds. RTMP's rounding is
    /// 1 ms and an encoder's jitter up to about 20; a lost AAC frame at 16 kHz is 64 ms.
    pub const JUMP: i64 = 60_000;

    /// Begins a track of this configuration.
    ///
    /// # Errors
    /// When the configuration says that the track cannot be played.
    pub fn new(config: &aac::Config) -> Result<Self, Unplayable> {
        if config.explicit_sbr {
            return Err(Unplayable::HighEfficiency);
        }
        if config.object_type != aac::OBJECT_LC {
            return Err(Unplayable::ObjectType(config.object_type));
        }
        if config.frame_samples != decoder::FRAME_SAMPLES {
            return Err(Unplayable::FrameLength(config.frame_samples));
        }
        let decoder = Decoder::new(config.sample_rate, config.channels)?;
        let resampler = Resampler::new(config.sample_rate)?;
        let encoder =
            Encoder::new(BITRATE, Effort::Full.complexity()).or(Err(Unplayable::Encoder))?;
        let lookahead = encoder.lookahead().or(Err(Unplayable::Encoder))?;
        let framer = Framer::new(config.sample_rate, lookahead + resampler.delay());
        Ok(Self {
            decoder,
            detector: he_aac::Detector::default(),
            resampler,
            encoder,
            framer,
            decoded: Vec::new(),
            resampled: Vec::new(),
            effort: Effort::Full,
            stats: Stats::default(),
        })
    }

    /// Takes the next AAC frame and appends the Opus frames that are complete by it (on the same track id; none, one
    /// or, at low sample rates, several).
    ///
    /// # Errors
    /// [`Unplayable::HighEfficiency`] once the frames have shown it; from then on always.
    pub fn push(&mut self, frame: &Frame, out: &mut Vec<Frame>) -> Result<(), Unplayable> {
        if self.detector.push(&frame.payload) == he_aac::Verdict::HighEfficiency {
            return Err(Unplayable::HighEfficiency);
        }
        if self.framer.arrive(frame.pts) == Arrival::Jump {
            self.restart();
            self.framer.arrive(frame.pts);
        }
        match self.decoder.decode(&frame.payload, &mut self.decoded) {
            Decoded::Played => self.stats.decoded += 1,
            Decoded::Concealed => self.stats.concealed += 1,
        }
        self.resampler.resample(&self.decoded, &mut self.resampled);
        self.framer.push(&self.resampled);
        while let Some((time, samples)) = self.framer.pop() {
            let Ok(packet) = self.encoder.encode(samples) else {
                self.stats.refused += 1;
                continue;
            };
            self.stats.packets += 1;
            out.push(Frame {
                track: frame.track,
                dts: time,
                pts: time,
                keyframe: true,
                payload: Bytes::copy_from_slice(packet),
            });
        }
        Ok(())
    }

    /// How well the next packets are coded. Costs nothing where it stays the same.
    pub fn set_effort(&mut self, effort: Effort) {
        if self.effort != effort {
            // libopus refuses no complexity from 0 to 10; where it does, all is as it was.
            let _refused = self.encoder.set_complexity(effort.complexity());
            self.effort = effort;
        }
    }

    /// Forgets the past: the next frame is an anchor again. [`AacToOpus::push`] does so by itself when times jump.
    pub fn restart(&mut self) {
        self.stats.restarts += 1;
        self.decoder.reset();
        self.resampler.reset();
        self.encoder.reset();
        self.framer.restart();
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        let (inserted, dropped) = self.framer.slips();
        Stats {
            inserted,
            dropped,
            ..self.stats
        }
    }
}

impl fmt::Debug for AacToOpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AacToOpus")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Bits a second: transparent for music in stereo, and a packet (570 bytes at most for 20 ms, measured) fits one datagram.
const BITRATE: i32 = 128_000;
