//! libopus 1.6 (RFC 6716) through `opusic-sys`.
#![expect(unsafe_code, reason = "libopus is a C library")]

use std::ffi::c_int;
use std::ptr::NonNull;

use opusic_sys as sys;

/// Channels of every stream that we code: stereo, interleaved.
pub(crate) const CHANNELS: usize = 2;
/// Samples of one channel in a packet: 20 ms at 48 kHz.
pub(crate) const FRAME_SAMPLES: usize = 960;
/// The most bytes that a packet of one frame can have (RFC 6716 §3.2.1: 1275, and the table-of-contents byte).
const PACKET_BYTES_MAX: usize = 1_276;
const SAMPLE_RATE: sys::opus_int32 = 48_000;
/// [`FRAME_SAMPLES`] and [`PACKET_BYTES_MAX`] as libopus takes them.
const FRAME_SIZE: c_int = 960;
const PACKET_SIZE: sys::opus_int32 = 1_276;

/// libopus refused; its error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Error(c_int);

/// An Opus encoder: 48 kHz, stereo, packets of 20 ms.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Made by `opus_encoder_create`, owned by us alone until `drop`.
    raw: NonNull<sys::OpusEncoder>,
    packet: Box<[u8; PACKET_BYTES_MAX]>,
}

// SAFETY: an encoder is plain memory without thread-local parts; libopus asks only that no two calls on it overlap,
// which `&mut self` on every call ensures.
unsafe impl Send for Encoder {}

impl Encoder {
    /// Packets of about `bitrate` bits a second, in the low-delay mode (CELT alone): at the rates we use libopus
    /// chooses CELT anyway, and this mode looks ahead 2.5 ms instead of 6.5.
    pub(crate) fn new(bitrate: i32, complexity: i32) -> Result<Self, Error> {
        let mut code = sys::OPUS_OK;
        // SAFETY: the parameters are plain numbers and `code` lives through the call; failure is a null pointer.
        let raw = unsafe {
            sys::opus_encoder_create(
                SAMPLE_RATE,
                2,
                sys::OPUS_APPLICATION_RESTRICTED_LOWDELAY,
                &raw mut code,
            )
        };
        let raw = NonNull::new(raw).ok_or(Error(code))?;
        let packet = Box::new([0; PACKET_BYTES_MAX]);
        let mut encoder = Self { raw, packet };
        encoder.set(sys::OPUS_SET_BITRATE_REQUEST, bitrate)?;
        encoder.set(sys::OPUS_SET_COMPLEXITY_REQUEST, complexity)?;
        Ok(encoder)
    }

    /// Codes 20 ms of interleaved samples; the packet is valid until the next call.
    pub(crate) fn encode(
        &mut self,
        samples: &[f32; FRAME_SAMPLES * CHANNELS],
    ) -> Result<&[u8], Error> {
        // SAFETY: `raw` is a live encoder; `samples` has 960 samples for each of its 2 channels, as the frame size
        // says; `packet` has as many writable bytes as the last argument says.
        let length = unsafe {
            sys::opus_encode_float(
                self.raw.as_ptr(),
                samples.as_ptr(),
                FRAME_SIZE,
                self.packet.as_mut_ptr(),
                PACKET_SIZE,
            )
        };
        usize::try_from(length)
            .ok()
            .and_then(|length| self.packet.get(..length))
            .ok_or(Error(length))
    }

    /// Forgets what was coded before.
    pub(crate) fn reset(&mut self) {
        // SAFETY: `raw` is a live encoder, and this request takes no argument. It cannot fail on an encoder.
        unsafe { sys::opus_encoder_ctl(self.raw.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Samples by which the decoded sound lags behind the coded one (RFC 7845 §4.2 calls it pre-skip).
    pub(crate) fn lookahead(&self) -> Result<usize, Error> {
        let mut samples: sys::opus_int32 = 0;
        // SAFETY: `raw` is a live encoder; this request writes one opus_int32 to the pointer and keeps none.
        let code = unsafe {
            sys::opus_encoder_ctl(
                self.raw.as_ptr(),
                sys::OPUS_GET_LOOKAHEAD_REQUEST,
                &raw mut samples,
            )
        };
        usize::try_from(samples)
            .ok()
            .filter(|_| code == sys::OPUS_OK)
            .ok_or(Error(code))
    }

    fn set(&mut self, request: c_int, value: sys::opus_int32) -> Result<(), Error> {
        // SAFETY: `raw` is a live encoder; the requests that we use take one opus_int32 by value.
        let code = unsafe { sys::opus_encoder_ctl(self.raw.as_ptr(), request, value) };
        if code == sys::OPUS_OK {
            Ok(())
        } else {
            Err(Error(code))
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `opus_encoder_create` and is used no more.
        unsafe { sys::opus_encoder_destroy(self.raw.as_ptr()) };
    }
}

/// libopus' decoder, with which the tests listen.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Decoder {
    raw: NonNull<sys::OpusDecoder>,
}

#[cfg(test)]
impl Decoder {
    pub(crate) fn new() -> Self {
        let mut code = sys::OPUS_OK;
        // SAFETY: the parameters are plain numbers and `code` lives through the call; failure is a null pointer.
        let raw = unsafe { sys::opus_decoder_create(SAMPLE_RATE, 2, &raw mut code) };
        Self {
            raw: NonNull::new(raw).expect("libopus makes a decoder"),
        }
    }

    /// The interleaved samples of one packet of 20 ms.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Vec<f32> {
        let mut samples = vec![0.0; FRAME_SAMPLES * CHANNELS];
        // SAFETY: `raw` is a live decoder; `packet` is as long as said; `samples` has room for the frame size said.
        let count = unsafe {
            sys::opus_decode_float(
                self.raw.as_ptr(),
                packet.as_ptr(),
                c_int::try_from(packet.len()).unwrap(),
                samples.as_mut_ptr(),
                FRAME_SIZE,
                0,
            )
        };
        assert_eq!(count, FRAME_SIZE, "a packet of 20 ms");
        samples
    }
}

#[cfg(test)]
impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `opus_decoder_create` and is used no more.
        unsafe { sys::opus_decoder_destroy(self.raw.as_ptr()) };
    }
}
