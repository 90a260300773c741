//! The seam to H.264 codecs.
//!
//! A codec decodes and encodes single pictures; what is decoded when, bit rates, keyframes, sizes and what happens when it
//! is too slow are [`Reencoder`](super::Reencoder)'s. [`OpenH264`] is the one that is built in. Codecs that need a
//! library, a device or a licence of their own stand behind the whole process instead: see [`crate::worker`].

use std::fmt;

use zongzi_media::MediaTime;
use zongzi_media::h264::Colour;

pub use crate::ffi::h264::OpenH264;

/// A kind of codec: opens its decoders and encoders.
pub trait Codecs: fmt::Debug + Send + Sync {
    /// A decoder for High profile and below: 4:2:0, 8 bits, whole pictures.
    ///
    /// # Errors
    /// When there is no memory, or no device, for one more.
    fn decoder(&self) -> Result<Box<dyn Decoder>, Failed>;

    /// An encoder for pictures of one size.
    ///
    /// # Errors
    /// As [`Codecs::decoder`].
    fn encoder(&self, settings: &Settings) -> Result<Box<dyn Encoder>, Failed>;
}

/// Decodes a stream; keeps pictures until their turn to be shown.
pub trait Decoder: fmt::Debug {
    /// Decodes one whole access unit, NAL units behind start codes, with parameter sets before a keyframe. Gives the
    /// picture whose turn it is, if there is one, with the time that came with *its* access unit.
    ///
    /// What is broken or refers to something lost is an error; a decoder that can patch it gives a picture all the same.
    fn decode(&mut self, unit: &[u8], time: MediaTime) -> (Option<Timed<'_>>, Result<(), Failed>);

    /// The next of the pictures held back, when no more access units will come; `None` when there is none left.
    fn flush(&mut self) -> Option<Timed<'_>>;
}

/// Encodes pictures as I and P pictures in the order in which they come, each at once, as browsers decode them
/// (Constrained Baseline, one slice type a picture).
pub trait Encoder: fmt::Debug {
    /// Encodes a picture, the first and every `keyframe` as an IDR picture with its parameter sets. Hands each NAL unit,
    /// without start code, to `take`.
    ///
    /// # Errors
    /// The picture is lost; this encoder is not used any more.
    fn encode(
        &mut self,
        picture: &Picture<'_>,
        time: MediaTime,
        keyframe: bool,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failed>;
}

/// A picture and when it is shown.
pub type Timed<'a> = (MediaTime, Picture<'a>);

/// The codec refused; its own code, or 0 where it names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the codec failed ({0})")]
pub struct Failed(pub i32);

/// A picture, 4:2:0 with 8 bits, in planes of their own.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Samples of luma in a line; chroma has half as many.
    pub width: usize,
    /// Lines of luma; chroma has half as many.
    pub height: usize,
    /// Y, U, V; each has at least a stride for every line but the last.
    pub planes: [&'a [u8]; 3],
    /// Bytes from line to line, of Y and of U and V.
    pub strides: [usize; 2],
}

/// What an [`Encoder`] is set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Bits a second to be kept to.
    pub bits_per_second: u32,
    /// Pictures a second that will come, about.
    pub pictures_per_second: f32,
    /// What the colours mean, for the sequence parameter set.
    pub colour: Option<Colour>,
}
