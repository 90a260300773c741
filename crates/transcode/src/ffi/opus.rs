//! libopus 1.6 (RFC 6716) through `opusic-sys`.
#![expect(unsafe_code, reason = "libopus is a C library")]

use std::ffi::c_int;
use std::ptr::NonNull;

use opusic_sys as sys;

/// Channels of every stream that we code: stereo, interleaved.
pub(crate) const CHANNELS: usize = 2;
/// Samples of one channel in a block, of which packets are made: 10 ms at 48 kHz.
pub(crate) const BLOCK_SAMPLES: usize = 480;
/// The most blocks in a packet.
pub(crate) const BLOCKS_MAX: usize = 3;
/// The most bytes of a packet: it has to fit one datagram with all its headers.
const PACKET_BYTES_MAX: usize = 1_100;
/// The most bytes of each frame where several are put into one packet: 280 kb/s.
const PART_BYTES_MAX: usize = 350;
const SAMPLE_RATE: sys::opus_int32 = 48_000;
/// [`BLOCK_SAMPLES`], [`PACKET_BYTES_MAX`] and [`PART_BYTES_MAX`] as libopus takes them.
const BLOCK_SIZE: c_int = 480;
const PACKET_SIZE: sys::opus_int32 = 1_100;
const PART_SIZE: sys::opus_int32 = 350;

/// libopus refused; its error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Error(c_int);

/// An Opus encoder: 48 kHz, stereo, packets of 10, 20 or 30 ms.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Made by `opus_encoder_create`, owned by us alone until `drop`.
    raw: NonNull<sys::OpusEncoder>,
    /// Made by `opus_repacketizer_create`, owned by us alone until `drop`.
    joiner: NonNull<sys::OpusRepacketizer>,
    parts: Box<[[u8; PART_BYTES_MAX]; BLOCKS_MAX]>,
    packet: Box<[u8; PACKET_BYTES_MAX]>,
}

// SAFETY: encoder and repacketizer are plain memory without thread-local parts; libopus asks only that no two calls on
// one overlap, which `&mut self` on every call ensures.
unsafe impl Send for Encoder {}

impl Encoder {
    /// Packets of about `bitrate` bits a second, in the low-delay mode (CELT alone): at the rates we use libopus
    /// chooses CELT anyway, and this mode looks ahead 2.5 ms instead of 6.5. Always the full band in stereo, so that
    /// all frames of a packet are of one kind.
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
        // SAFETY: takes nothing; failure is a null pointer.
        let joiner = NonNull::new(unsafe { sys::opus_repacketizer_create() });
        let Some(joiner) = joiner else {
            // SAFETY: `raw` came from `opus_encoder_create` and is used no more.
            unsafe { sys::opus_encoder_destroy(raw.as_ptr()) };
            return Err(Error(sys::OPUS_ALLOC_FAIL));
        };
        let mut encoder = Self {
            raw,
            joiner,
            parts: Box::new([[0; PART_BYTES_MAX]; BLOCKS_MAX]),
            packet: Box::new([0; PACKET_BYTES_MAX]),
        };
        encoder.set(sys::OPUS_SET_BITRATE_REQUEST, bitrate)?;
        encoder.set_complexity(complexity)?;
        encoder.set(
            sys::OPUS_SET_BANDWIDTH_REQUEST,
            sys::OPUS_BANDWIDTH_FULLBAND,
        )?;
        encoder.set(sys::OPUS_SET_FORCE_CHANNELS_REQUEST, 2)?;
        Ok(encoder)
    }

    /// Codes one, two or three blocks of interleaved samples as one packet, which is valid until the next call. Three
    /// are three frames (Opus has none of 30 ms: RFC 6716 §3.2). Any other number is an error.
    pub(crate) fn encode(&mut self, samples: &[f32]) -> Result<&[u8], Error> {
        const BLOCK: usize = BLOCK_SAMPLES * CHANNELS;
        let length = match samples.len() {
            BLOCK => self.encode_frame(samples, BLOCK_SIZE)?,
            len if len == 2 * BLOCK => self.encode_frame(samples, 2 * BLOCK_SIZE)?,
            len if len == BLOCKS_MAX * BLOCK => self.encode_joined(samples)?,
            _ => return Err(Error(sys::OPUS_BAD_ARG)),
        };
        self.packet
            .get(..length)
            .ok_or(Error(sys::OPUS_INTERNAL_ERROR))
    }

    /// One frame into `packet`. Returns its bytes.
    fn encode_frame(&mut self, samples: &[f32], frame_size: c_int) -> Result<usize, Error> {
        debug_assert_eq!(samples.len(), CHANNELS * frame_size.unsigned_abs() as usize);
        // SAFETY: `raw` is a live encoder; `samples` has `frame_size` samples for each of its 2 channels, as the only
        // caller has seen; `packet` has as many writable bytes as the last argument says.
        let length = unsafe {
            sys::opus_encode_float(
                self.raw.as_ptr(),
                samples.as_ptr(),
                frame_size,
                self.packet.as_mut_ptr(),
                PACKET_SIZE,
            )
        };
        usize::try_from(length).or(Err(Error(length)))
    }

    /// Each block a frame, all in one packet (RFC 6716 §3.2.5), into `packet`. Returns its bytes.
    fn encode_joined(&mut self, samples: &[f32]) -> Result<usize, Error> {
        let joiner = self.joiner.as_ptr();
        // SAFETY: `joiner` is a live repacketizer; this empties it.
        unsafe { sys::opus_repacketizer_init(joiner) };
        let blocks = samples.as_chunks::<{ BLOCK_SAMPLES * CHANNELS }>().0;
        for (block, part) in blocks.iter().zip(self.parts.iter_mut()) {
            // SAFETY: `raw` is a live encoder; `block` has 480 samples for each of its 2 channels, as the frame size
            // says; `part` has as many writable bytes as the last argument says.
            let length = unsafe {
                sys::opus_encode_float(
                    self.raw.as_ptr(),
                    block.as_ptr(),
                    BLOCK_SIZE,
                    part.as_mut_ptr(),
                    PART_SIZE,
                )
            };
            if length < 0 {
                return Err(Error(length));
            }
            // SAFETY: `joiner` is live; `part` has `length` bytes and is neither moved nor written before
            // `opus_repacketizer_out` below, the last use of the pointer that is kept here.
            let code = unsafe { sys::opus_repacketizer_cat(joiner, part.as_ptr(), length) };
            if code != sys::OPUS_OK {
                return Err(Error(code));
            }
        }
        // SAFETY: `joiner` is live and its parts are, too; `packet` has as many writable bytes as the last argument says.
        let length =
            unsafe { sys::opus_repacketizer_out(joiner, self.packet.as_mut_ptr(), PACKET_SIZE) };
        usize::try_from(length).or(Err(Error(length)))
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

    /// From 0 to 10, from the next packet on.
    pub(crate) fn set_complexity(&mut self, complexity: i32) -> Result<(), Error> {
        self.set(sys::OPUS_SET_COMPLEXITY_REQUEST, complexity)
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
        // SAFETY: `joiner` came from `opus_repacketizer_create` and is used no more.
        unsafe { sys::opus_repacketizer_destroy(self.joiner.as_ptr()) };
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

    /// The interleaved samples of one packet.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Vec<f32> {
        let mut samples = vec![0.0; BLOCKS_MAX * BLOCK_SAMPLES * CHANNELS];
        // SAFETY: `raw` is a live decoder; `packet` is as long as said; `samples` has room for the frame size said.
        let count = unsafe {
            sys::opus_decode_float(
                self.raw.as_ptr(),
                packet.as_ptr(),
                c_int::try_from(packet.len()).unwrap(),
                samples.as_mut_ptr(),
                3 * BLOCK_SIZE,
                0,
            )
        };
        let count = usize::try_from(count).expect("a packet that libopus decodes");
        samples.truncate(count * CHANNELS);
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
