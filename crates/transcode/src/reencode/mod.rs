//! H.264 without B pictures, by decoding and encoding again.
//!
//! What runs for each picture: decode (at 720p about 4 ms), wait for its turn (the decoder holds back as many pictures
//! as the stream reorders, 2 with OBS: 67 ms at 30 a second), encode (about 4 ms). The encoder holds nothing back.

pub mod codec;
mod ladder;
mod picture;
mod rate;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use zongzi_media::h264::{self, Colour, NalType, NalUnit, NalUnits, Sps};
use zongzi_media::{Frame, MediaTime, TrackId};

use crate::h264::ParameterSets;

use self::codec::{Codecs, Decoder, Encoder, OpenH264, Picture, Settings};
use self::ladder::Ladder;
pub use self::ladder::Level;
use self::picture::Half;
use self::rate::Rate;

/// Decodes an H.264 track and encodes it again as Constrained Baseline: I and P pictures, in the order in which they
/// are shown, a keyframe every 2 s.
///
/// Every picture keeps the time at which the host shows it. The bit rate follows the source's. Broken access units are
/// patched by the decoder where it can, and counted.
#[derive(Debug)]
pub struct Reencoder {
    track: TrackId,
    length_size: u8,
    codecs: Arc<dyn Codecs>,
    decoder: Box<dyn Decoder>,
    /// Parameter sets of the configuration, behind start codes: the decoder gets them with every keyframe.
    parameters: Vec<u8>,
    colour: Option<Colour>,
    /// One access unit behind start codes; kept for its memory.
    unit: Vec<u8>,
    output: Encoding,
    counts: Counts,
}

/// What comes out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The configuration of the frames from here on. Before the first frame, and when it changes: always directly
    /// before a keyframe.
    Config(h264::Config),
    /// A picture: `dts` is `pts`.
    Frame(Frame),
}

/// What is known of the source beforehand, from its cached group for example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hint {
    /// Bits a second of its video.
    pub bits_per_second: u32,
    /// Pictures a second.
    pub pictures_per_second: f32,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Access units decoded without complaint.
    pub decoded: u64,
    /// Access units that were broken or referred to something lost.
    pub broken: u64,
    /// Pictures encoded.
    pub encoded: u64,
    /// Of them, keyframes.
    pub keyframes: u64,
    /// Pictures left out on purpose, at [`Level::HalfRate`] or because their time did not grow.
    pub skipped: u64,
}

/// Why a stream is not decoded here at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// More than 8 bits a sample.
    #[error(
        "H.264 with {0} bits a sample cannot be decoded here: set the encoder to 8 bits (NV12)"
    )]
    BitDepth(u8),
    /// Not 4:2:0; the chroma_format_idc.
    #[error("H.264 with chroma format {0} cannot be decoded here: set the encoder to 4:2:0 (NV12)")]
    Chroma(u8),
    /// Fields instead of frames.
    #[error("interlaced H.264 cannot be decoded here: set the encoder to progressive")]
    Interlaced,
    /// Larger than 3840x2160, or too small to be a picture.
    #[error("H.264 of {0}x{1} is out of bounds here")]
    Size(u32, u32),
    /// The sequence parameter set cannot be read.
    #[error("the sequence parameter set cannot be read")]
    Parameters,
    /// The codec library could not be set up (out of memory).
    #[error("the video codec could not be started")]
    Codec,
}

/// Why a rendition must give way to the I/P one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GiveWay {
    /// The machine is too slow even for the lowest level.
    #[error("the machine is too slow to encode this video again")]
    TooSlow,
    /// The stream has become one that is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Access units came, but for so long not one picture.
    #[error("{0} access units in a row gave no picture")]
    NoPictures(u32),
}

impl Reencoder {
    /// Pictures between keyframes are at most this long apart, while pictures come.
    pub const KEYFRAME_INTERVAL: Duration = Duration::from_secs(2);
    /// The shortest time between keyframes, however many are asked for.
    pub const KEYFRAME_SPACING: Duration = Duration::from_secs(1);

    /// Begins a track of this configuration, with [`OpenH264`].
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn new(config: &h264::Config, hint: Hint) -> Result<Self, Refused> {
        Self::with(Arc::new(OpenH264), config, hint)
    }

    /// The same with other codecs.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn with(
        codecs: Arc<dyn Codecs>,
        config: &h264::Config,
        hint: Hint,
    ) -> Result<Self, Refused> {
        let mut reencoder = Self {
            track: TrackId::VIDEO,
            length_size: config.length_size,
            decoder: codecs.decoder().or(Err(Refused::Codec))?,
            codecs,
            parameters: Vec::new(),
            colour: None,
            unit: Vec::new(),
            output: Encoding::new(hint),
            counts: Counts::default(),
        };
        reencoder.adopt(config)?;
        Ok(reencoder)
    }

    /// The track goes on with another configuration: pictures held back are encoded, then everything is as after
    /// [`Reencoder::new`], but for the times of keyframes and the load. The next frame must be a keyframe.
    ///
    /// # Errors
    /// When the new configuration cannot be decoded.
    pub fn reconfigure(
        &mut self,
        config: &h264::Config,
        out: &mut Vec<Output>,
    ) -> Result<(), Refused> {
        self.finish(out);
        self.decoder = self.codecs.decoder().or(Err(Refused::Codec))?;
        self.adopt(config)
    }

    /// Decodes the next access unit but encodes nothing: with it the first viewer's cached group is caught up with.
    ///
    /// # Errors
    /// As [`Reencoder::push`].
    pub fn warm(&mut self, frame: &Frame) -> Result<(), GiveWay> {
        self.decode(frame, None)
    }

    /// Takes the next access unit in decoding order and appends what comes of it to `out`: as a rule one picture, an
    /// earlier one. `late` is how much later than in real time this call is made; a rendition that is always late
    /// lowers its own work, see [`Level`].
    ///
    /// # Errors
    /// When this will not become better; nothing is encoded any more.
    pub fn push(
        &mut self,
        frame: &Frame,
        late: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), GiveWay> {
        self.output
            .ladder
            .observe(frame.dts, late)
            .or(Err(GiveWay::TooSlow))?;
        self.decode(frame, Some(out))
    }

    /// The source has ended or has a gap: encodes the pictures that are held back. The next frame must be a keyframe.
    pub fn finish(&mut self, out: &mut Vec<Output>) {
        // As many as a decoder can hold.
        for _ in 0..PICTURES_HELD_MAX {
            let Some((time, picture)) = self.decoder.flush() else {
                break;
            };
            self.output.encode(
                self.codecs.as_ref(),
                self.track,
                time,
                &picture,
                self.colour,
                &mut self.counts,
                out,
            );
        }
    }

    /// Viewers have the pictures up to this time: they are not encoded.
    pub fn begin_after(&mut self, shown: MediaTime) {
        let last = &mut self.output.last_picture;
        *last = Some(last.map_or(shown, |last| last.max(shown)));
    }

    /// The next picture shall be a keyframe, as soon as [`Reencoder::KEYFRAME_SPACING`] allows.
    pub fn request_keyframe(&mut self) {
        self.output.keyframe_wanted = true;
    }

    /// How much of the work is done now.
    pub fn level(&self) -> Level {
        self.output.ladder.level()
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn adopt(&mut self, config: &h264::Config) -> Result<(), Refused> {
        for sps in &config.sps {
            check(sps)?;
        }
        let mut sets = ParameterSets::default();
        sets.take_all(config.sps.iter().chain(&config.pps));
        self.colour = sets.colour();
        self.length_size = config.length_size;
        self.parameters.clear();
        for unit in config.sps.iter().chain(&config.pps) {
            self.parameters.extend_from_slice(&START_CODE);
            self.parameters.extend_from_slice(unit);
        }
        self.output.silent = 0;
        Ok(())
    }

    fn decode(&mut self, frame: &Frame, out: Option<&mut Vec<Output>>) -> Result<(), GiveWay> {
        self.track = frame.track;
        self.output.rate.observe(frame);
        self.unit.clear();
        if frame.keyframe {
            self.unit.extend_from_slice(&self.parameters);
        }
        for unit in NalUnits::new(frame.payload.clone(), self.length_size) {
            if unit.nal_type() == NalType::SPS {
                check(unit.bytes())?;
            }
            if decodable(&unit) {
                self.unit.extend_from_slice(&START_CODE);
                self.unit.extend_from_slice(unit.bytes());
            }
        }
        if self.unit.len() > UNIT_BYTES_MAX {
            self.unit.clear();
        }
        if self.unit.is_empty() {
            self.counts.broken += 1;
            return self.output.nothing();
        }
        let (picture, outcome) = self.decoder.decode(&self.unit, frame.pts);
        match outcome {
            Ok(()) => self.counts.decoded += 1,
            Err(_) => self.counts.broken += 1,
        }
        let Some((time, picture)) = picture else {
            return self.output.nothing();
        };
        self.output.silent = 0;
        if let Some(out) = out {
            self.output.encode(
                self.codecs.as_ref(),
                self.track,
                time,
                &picture,
                self.colour,
                &mut self.counts,
                out,
            );
        }
        Ok(())
    }
}

/// The second half: from pictures to frames.
#[derive(Debug)]
struct Encoding {
    encoder: Option<(Box<dyn Encoder>, Shape)>,
    ladder: Ladder,
    rate: Rate,
    half: Half,
    /// SPS and PPS of the frames sent last.
    config: Option<[Bytes; 2]>,
    keyframe_wanted: bool,
    last_keyframe: Option<MediaTime>,
    last_picture: Option<MediaTime>,
    /// At half rate: whether the picture before this one was left out.
    rested: bool,
    /// Access units in a row without a picture.
    silent: u32,
}

/// What an encoder was made for; another one is made where this no longer fits.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    width: usize,
    height: usize,
    settings: Settings,
}

impl Encoding {
    fn new(hint: Hint) -> Self {
        Self {
            encoder: None,
            ladder: Ladder::new(),
            rate: Rate::new(hint),
            half: Half::default(),
            config: None,
            keyframe_wanted: false,
            last_keyframe: None,
            last_picture: None,
            rested: false,
            silent: 0,
        }
    }

    fn nothing(&mut self) -> Result<(), GiveWay> {
        self.silent += 1;
        if self.silent > SILENT_MAX {
            return Err(GiveWay::NoPictures(self.silent));
        }
        Ok(())
    }

    fn encode(
        &mut self,
        codecs: &dyn Codecs,
        track: TrackId,
        time: MediaTime,
        picture: &Picture<'_>,
        colour: Option<Colour>,
        counts: &mut Counts,
        out: &mut Vec<Output>,
    ) {
        let level = self.ladder.level();
        let in_order = self.last_picture.is_none_or(|last| last < time);
        self.rested = level == Level::HalfRate && !self.rested;
        if !in_order || self.rested {
            counts.skipped += 1;
            return;
        }
        let mut half = std::mem::take(&mut self.half);
        let shown = match level {
            Level::Full => *picture,
            Level::HalfSize | Level::HalfRate => half.shrink(picture),
        };
        if let Some(keyframe) = self.encode_shown(codecs, track, time, &shown, colour, out) {
            self.last_picture = Some(time);
            counts.encoded += 1;
            counts.keyframes += u64::from(keyframe);
        } else {
            // An encoder that fails is replaced; the picture is lost.
            self.encoder = None;
            counts.skipped += 1;
        }
        self.half = half;
    }

    /// Whether it became a keyframe; `None` if the encoder refused.
    fn encode_shown(
        &mut self,
        codecs: &dyn Codecs,
        track: TrackId,
        time: MediaTime,
        picture: &Picture<'_>,
        colour: Option<Colour>,
        out: &mut Vec<Output>,
    ) -> Option<bool> {
        let since = self.last_keyframe.map(|last| time.saturating_since(last));
        let keyframe = since.is_none_or(|since| {
            since >= Reencoder::KEYFRAME_INTERVAL
                || self.keyframe_wanted && since >= Reencoder::KEYFRAME_SPACING
        });
        let wanted = Shape {
            width: picture.width,
            height: picture.height,
            settings: self.settings(colour),
        };
        let fits = |shape: &Shape| shape.fits(&wanted, keyframe);
        let mut encoder = match self.encoder.take().filter(|(_, shape)| fits(shape)) {
            Some(encoder) => encoder,
            None => (codecs.encoder(&wanted.settings).ok()?, wanted),
        };
        let mut parameters = [Bytes::new(), Bytes::new()];
        let mut payload = BytesMut::new();
        let mut idr = false;
        encoder
            .0
            .encode(picture, time, keyframe, &mut |unit: &[u8]| match unit
                .first()
                .map(|first| first & 0x1f)
            {
                Some(7) => parameters[0] = Bytes::copy_from_slice(unit),
                Some(8) => parameters[1] = Bytes::copy_from_slice(unit),
                kind => {
                    idr |= kind == Some(NalType::IDR.0);
                    if let Ok(length) = u32::try_from(unit.len()) {
                        payload.put_u32(length);
                        payload.extend_from_slice(unit);
                    }
                }
            })
            .ok()?;
        self.encoder = Some(encoder);
        if payload.is_empty() {
            return None;
        }
        if idr {
            self.last_keyframe = Some(time);
            self.keyframe_wanted = false;
            if self.config.as_ref() != Some(&parameters) {
                out.push(Output::Config(configuration(&parameters)?));
                self.config = Some(parameters);
            }
        }
        out.push(Output::Frame(Frame {
            track,
            dts: time,
            pts: time,
            keyframe: idr,
            payload: payload.freeze(),
        }));
        Some(idr)
    }

    fn settings(&self, colour: Option<Colour>) -> Settings {
        let source = self.rate.now();
        let (bits, pictures) = match self.ladder.level() {
            Level::Full => (source.bits_per_second, source.pictures_per_second),
            Level::HalfSize => (source.bits_per_second / 2, source.pictures_per_second),
            Level::HalfRate => (source.bits_per_second / 3, source.pictures_per_second / 2.0),
        };
        Settings {
            bits_per_second: bits,
            pictures_per_second: pictures,
            colour,
        }
    }
}

impl Shape {
    /// Whether an encoder of this shape can go on. Rates are changed at keyframes only, and only for a reason.
    fn fits(&self, wanted: &Self, keyframe: bool) -> bool {
        let near = |one: f32, other: f32| (one - other).abs() <= RATE_TOLERANCE * other;
        let (old, new) = (&self.settings, &wanted.settings);
        (self.width, self.height, old.colour) == (wanted.width, wanted.height, new.colour)
            && (!keyframe
                || near(old.bits_per_second as f32, new.bits_per_second as f32)
                    && near(old.pictures_per_second, new.pictures_per_second))
    }
}

/// Whether what a sequence parameter set describes can be decoded.
fn check(sps: &Bytes) -> Result<(), Refused> {
    let sps = Sps::parse(sps).ok_or(Refused::Parameters)?;
    if sps.bit_depth != 8 {
        return Err(Refused::BitDepth(sps.bit_depth));
    }
    if sps.chroma_format != 1 {
        return Err(Refused::Chroma(sps.chroma_format));
    }
    if !sps.progressive {
        return Err(Refused::Interlaced);
    }
    let (long, short) = (sps.width.max(sps.height), sps.width.min(sps.height));
    if long > 3_840 || !(64..=2_160).contains(&short) {
        return Err(Refused::Size(sps.width, sps.height));
    }
    Ok(())
}

/// What the decoder is fed: slices and parameter sets, nothing that is for others.
fn decodable(unit: &NalUnit) -> bool {
    matches!(
        unit.nal_type(),
        NalType::SLICE | NalType::IDR | NalType::SPS | NalType::PPS
    )
}

/// The AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1) of one SPS and one PPS, lengths of 4 bytes.
fn configuration([sps, pps]: &[Bytes; 2]) -> Option<h264::Config> {
    let mut record = BytesMut::from(&[1][..]);
    record.extend_from_slice(sps.get(1..4)?);
    record.put_u8(0xfc | 3);
    for (count, set) in [(0xe0 | 1, sps), (1, pps)] {
        record.put_u8(count);
        record.put_u16(u16::try_from(set.len()).ok()?);
        record.extend_from_slice(set);
    }
    h264::Config::parse(&record.freeze()).ok()
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// A raw 4:2:0 picture of 1920x1080 has 3.1 MB; no coded one is larger than this.
const UNIT_BYTES_MAX: usize = 8 << 20;
/// max_dec_frame_buffering is at most 16 (ITU-T H.264 §A.3.1).
const PICTURES_HELD_MAX: u32 = 16;
/// 20 s at 30 a second: a stream that lost its keyframe has another one by then.
const SILENT_MAX: u32 = 600;
/// An encoder is replaced at a keyframe when the source's rates have moved by more than this part.
const RATE_TOLERANCE: f32 = 0.15;
