use std::fmt;

use symphonia_codec_aac::AacDecoder;
use symphonia_core::audio::{Audio, Channels, GenericAudioBufferRef, Position};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::Unplayable;

/// Samples of one channel in a frame.
pub(super) const FRAME_SAMPLES: u16 = 1_024;

/// Decodes AAC-LC to interleaved stereo, and conceals what it cannot decode.
pub(super) struct Decoder {
    inner: AacDecoder,
    parameters: AudioCodecParameters,
    /// Broken frames since the last good one.
    broken: u32,
    /// The newest frame that was decoded, or what is left of its echo.
    last: Vec<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    Played,
    /// The frame was broken.
    Concealed,
}

impl Decoder {
    /// The decoder is given these two numbers, never the host's own AudioSpecificConfig: one parser of it is enough.
    pub(super) fn new(sample_rate: u32, channels: u8) -> Result<Self, Unplayable> {
        let positions = match channels {
            1 => Position::FRONT_LEFT,
            2 => Position::FRONT_LEFT | Position::FRONT_RIGHT,
            _ => return Err(Unplayable::Channels(channels)),
        };
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(CODEC_ID_AAC)
            .with_sample_rate(sample_rate)
            .with_channels(Channels::Positioned(positions));
        let inner = AacDecoder::try_new(&parameters, &AudioDecoderOptions::default())
            .or(Err(Unplayable::SampleRate(sample_rate)))?;
        Ok(Self {
            inner,
            parameters,
            broken: 0,
            last: vec![0.0; STEREO_SAMPLES],
        })
    }

    /// Decodes one raw_data_block into `out`, replacing what is there: always 1,024 samples for left and right.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Decoded {
        out.clear();
        let decoded = if self.interleave(payload, out).is_some() {
            self.broken = 0;
            Decoded::Played
        } else {
            out.clear();
            conceal(&self.last, out);
            self.broken += 1;
            if self.broken.is_multiple_of(BROKEN_MAX) {
                self.renew();
            }
            Decoded::Concealed
        };
        self.last.clone_from(out);
        decoded
    }

    /// Forgets everything that was decoded before.
    pub(super) fn reset(&mut self) {
        self.renew();
        self.broken = 0;
        self.last.fill(0.0);
    }

    /// A new decoder: the library's own `reset` keeps its noise generator and, worse, the order of channel elements
    /// that it learnt from the first frame. Were that one broken, all later ones would be refused.
    fn renew(&mut self) {
        if let Ok(inner) = AacDecoder::try_new(&self.parameters, &AudioDecoderOptions::default()) {
            self.inner = inner;
        }
    }

    fn interleave(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Option<()> {
        if payload.is_empty() || payload.len() > FRAME_BYTES_MAX {
            return None;
        }
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, payload);
        let GenericAudioBufferRef::F32(buffer) = self.inner.decode_ref(&packet).ok()? else {
            return None;
        };
        let left = buffer.plane(0)?;
        let right = buffer.plane(1).unwrap_or(left);
        if left.len() != usize::from(FRAME_SAMPLES) {
            return None;
        }
        out.extend(
            left.iter()
                .zip(right)
                .flat_map(|(left, right)| [sane(*left), sane(*right)]),
        );
        Some(())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

/// A broken stream can decode to numbers that are none, or huge; neither may reach the encoder's filters.
fn sane(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-SAMPLE_MAX, SAMPLE_MAX)
    } else {
        0.0
    }
}

/// The last frame played backwards and faded out: it joins without a click, is silent at its end, and its own echo is
/// near silence.
fn conceal(last: &[f32], out: &mut Vec<f32>) {
    let steps = f32::from(FRAME_SAMPLES);
    let mut gain = 1.0;
    for pair in last.rchunks_exact(2) {
        out.extend(pair.iter().map(|sample| sample * gain));
        gain = (gain - 1.0 / steps).max(0.0);
    }
}

const STEREO_SAMPLES: usize = 2 * FRAME_SAMPLES as usize;
/// The standard allows 6,144 bits a channel (ISO/IEC 14496-3 §4.5.3.2); ADTS can say at most 8,191 bytes.
const FRAME_BYTES_MAX: usize = 8_191;
/// Broken frames in a row after which the decoder itself is taken for broken.
const BROKEN_MAX: u32 = 4;
/// Full scale is 1; an encoder's overshoot stays below 2.
const SAMPLE_MAX: f32 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, OBS_LC};

    #[test]
    fn an_echo_joins_without_a_click_and_ends_in_silence() {
        let last: Vec<f32> = (0_u16..2_048).map(|i| f32::from(i) / 2_048.0).collect();
        let mut echo = Vec::new();
        conceal(&last, &mut echo);
        assert_eq!(echo.len(), last.len());
        assert_eq!(echo[..2], last[2_046..], "left stays left");
        assert!(echo[2_046].abs() < 0.002, "{}", echo[2_046]);
    }

    #[test]
    fn a_broken_first_frame_does_not_spoil_the_stream() {
        let good = fixture::frames(OBS_LC)[40];
        let mut decoder = Decoder::new(48_000, 2).unwrap();
        let mut out = Vec::new();
        // A single channel element where the stream has pairs: cut short, but learnt.
        decoder.decode(&[0, 0x10, 0x20], &mut out);
        let decoded: Vec<_> = (0..8).map(|_| decoder.decode(good, &mut out)).collect();
        assert_eq!(decoded[0], Decoded::Concealed);
        assert_eq!(decoded[4..], [Decoded::Played; 4]);
    }

    #[test]
    fn nothing_but_sane_samples_leaves() {
        assert_eq!(sane(f32::NAN), 0.0);
        assert_eq!(sane(f32::INFINITY), 0.0);
        assert_eq!(sane(-1e30), -2.0);
        assert_eq!(sane(0.5), 0.5);
    }
}
