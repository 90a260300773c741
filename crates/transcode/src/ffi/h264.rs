//! OpenH264 2.7 through `openh264`: its decoder by the raw interface, which alone carries timestamps and does not flush
//! after each picture; its encoder by the safe one.
#![expect(unsafe_code, reason = "OpenH264 is a C++ library")]

use std::ffi::c_int;

use openh264::encoder::{self, Complexity, EncoderConfig, FrameRate, FrameType, IntraFramePeriod};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp, decoder};
use openh264_sys2 as sys;
use zongzi_media::MediaTime;
use zongzi_media::h264::Colour;

use crate::reencode::codec::{self, Codecs, Failed, Picture, Settings, Timed};

/// OpenH264 by Cisco, built from source. Not bit-exact on B pictures (50 dB against the exact ones at the worst).
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenH264;

impl Codecs for OpenH264 {
    fn decoder(&self) -> Result<Box<dyn codec::Decoder>, Failed> {
        Ok(Box::new(Decoder::new()?))
    }

    fn encoder(&self, settings: &Settings) -> Result<Box<dyn codec::Encoder>, Failed> {
        Ok(Box::new(Encoder::new(settings)?))
    }
}

struct Decoder {
    inner: decoder::Decoder,
}

impl Decoder {
    fn new() -> Result<Self, Failed> {
        let config = decoder::DecoderConfig::new().flush_after_decode(decoder::Flush::NoFlush);
        let mut inner = decoder::Decoder::with_api_config(OpenH264API::from_source(), config)
            .or(Err(Failed(0)))?;
        // With it pictures go on after a loss, if fewer, until the next keyframe; without, they stop until then.
        let mut concealment: c_int = sys::ERROR_CON_SLICE_MV_COPY_CROSS_IDR_FREEZE_RES_CHANGE;
        // SAFETY: setting an option is what the raw interface is for; we break none that the wrapper relies on.
        let raw = unsafe { inner.raw_api() };
        // SAFETY: this option reads one int from the pointer and keeps none.
        unsafe {
            raw.set_option(
                sys::DECODER_OPTION_ERROR_CON_IDC,
                (&raw mut concealment).cast(),
            );
        }
        Ok(Self { inner })
    }

    /// What the decoder has put into `planes` and `info`.
    fn picture(&self, planes: [*mut u8; 3], info: &sys::SBufferInfo) -> Option<Timed<'_>> {
        if info.iBufferStatus != 1 || planes.iter().any(|plane| plane.is_null()) {
            return None;
        }
        // SAFETY: the union has this one member.
        let buffer = unsafe { info.UsrData.sSystemBuffer };
        let positive = |number: c_int| usize::try_from(number).ok().filter(|number| *number > 0);
        let (width, height) = (positive(buffer.iWidth)?, positive(buffer.iHeight)?);
        let strides = [positive(buffer.iStride[0])?, positive(buffer.iStride[1])?];
        if strides[0] < width || strides[1] < width / 2 || width < 2 || height < 2 {
            return None;
        }
        let lengths = [
            strides[0] * (height - 1) + width,
            strides[1] * (height / 2 - 1) + width / 2,
            strides[1] * (height / 2 - 1) + width / 2,
        ];
        let [y, u, v] = [0, 1, 2].map(|plane| {
            // SAFETY: the decoder's plane has `height` (chroma: half) lines of `stride` bytes, of which the last is
            // only counted to its width; it stays as it is until the decoder is used again, which the borrow of
            // `self` forbids while the picture lives.
            unsafe { std::slice::from_raw_parts(planes[plane].cast_const(), lengths[plane]) }
        });
        let time = MediaTime::from_micros(info.uiOutYuvTimeStamp.cast_signed());
        Some((
            time,
            Picture {
                width,
                height,
                planes: [y, u, v],
                strides,
            },
        ))
    }
}

impl codec::Decoder for Decoder {
    /// The picture is valid until the next call. After an error there may be one all the same: concealed.
    fn decode(&mut self, unit: &[u8], time: MediaTime) -> (Option<Timed<'_>>, Result<(), Failed>) {
        let Ok(length) = c_int::try_from(unit.len()) else {
            return (None, Err(Failed(0)));
        };
        let mut planes = [std::ptr::null_mut::<u8>(); 3];
        let mut info = sys::SBufferInfo {
            uiInBsTimeStamp: time.as_micros().cast_unsigned(),
            ..Default::default()
        };
        // SAFETY: we only decode; nothing that the wrapper relies on is changed.
        let raw = unsafe { self.inner.raw_api() };
        // SAFETY: `unit` is as long as said; `planes` has room for three pointers, and `info` is a live SBufferInfo.
        let state = unsafe {
            raw.decode_frame_no_delay(
                unit.as_ptr(),
                length,
                planes.as_mut_ptr().cast(),
                &raw mut info,
            )
        };
        let outcome = if state == sys::dsErrorFree {
            Ok(())
        } else {
            Err(Failed(state))
        };
        (self.picture(planes, &info), outcome)
    }

    fn flush(&mut self) -> Option<Timed<'_>> {
        let mut planes = [std::ptr::null_mut::<u8>(); 3];
        let mut info = sys::SBufferInfo::default();
        // SAFETY: we only take out pictures; nothing that the wrapper relies on is changed.
        let raw = unsafe { self.inner.raw_api() };
        // SAFETY: `planes` has room for three pointers, and `info` is a live SBufferInfo.
        unsafe { raw.flush_frame(planes.as_mut_ptr().cast(), &raw mut info) };
        self.picture(planes, &info)
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

struct Encoder {
    inner: encoder::Encoder,
}

impl Encoder {
    /// The settings were measured: complexity low without adaptive quantisation, background or scene detection is
    /// about x264's superfast at two thirds of its CPU; a second thread is no faster.
    fn new(settings: &Settings) -> Result<Self, Failed> {
        let mut config = EncoderConfig::new()
            .bitrate(encoder::BitRate::from_bps(settings.bits_per_second))
            .max_frame_rate(FrameRate::from_hz(settings.pictures_per_second))
            .usage_type(encoder::UsageType::CameraVideoRealTime)
            .rate_control_mode(encoder::RateControlMode::Bitrate)
            .profile(encoder::Profile::Baseline)
            .complexity(Complexity::Low)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .num_threads(1)
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false);
        if let Some(colour) = settings.colour {
            config = config.vui(vui(colour));
        }
        let mut inner = encoder::Encoder::with_api_config(OpenH264API::from_source(), config)
            .or(Err(Failed(0)))?;
        // The wrapper sets this too, but after the library has written its first warning to standard error: that
        // without frame skipping the bit rate is not controlled. Measured, it is.
        let mut quiet: c_int = sys::WELS_LOG_QUIET;
        // SAFETY: setting an option is what the raw interface is for; we break none that the wrapper relies on.
        let raw = unsafe { inner.raw_api() };
        // SAFETY: this option may come before initialisation; it reads one int from the pointer and keeps none.
        unsafe { raw.set_option(sys::ENCODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast()) };
        Ok(Self { inner })
    }
}

impl codec::Encoder for Encoder {
    fn encode(
        &mut self,
        picture: &Picture<'_>,
        time: MediaTime,
        keyframe: bool,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failed> {
        if keyframe {
            self.inner.force_intra_frame();
        }
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        let stream = self
            .inner
            .encode_at(picture, Timestamp::from_millis(millis))
            .or(Err(Failed(0)))?;
        if stream.frame_type() == FrameType::Invalid {
            return Err(Failed(0));
        }
        let layers = (0..stream.num_layers()).filter_map(|layer| stream.layer(layer));
        for layer in layers {
            for unit in (0..layer.nal_count()).filter_map(|unit| layer.nal_unit(unit)) {
                take(unit.strip_prefix(&[0, 0, 0, 1]).unwrap_or(unit));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl YUVSource for Picture<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.strides[0], self.strides[1], self.strides[1])
    }

    fn y(&self) -> &[u8] {
        self.planes[0]
    }

    fn u(&self) -> &[u8] {
        self.planes[1]
    }

    fn v(&self) -> &[u8] {
        self.planes[2]
    }
}

/// The codes of ITU-T H.264 §E.2.1 in the wrapper's words; what it has no word for is "unspecified".
fn vui(colour: Colour) -> encoder::VuiConfig {
    use encoder::{ColorPrimaries, MatrixCoefficients, TransferCharacteristics};
    let primaries = match colour.primaries {
        1 => ColorPrimaries::Bt709,
        4 => ColorPrimaries::Bt470M,
        5 => ColorPrimaries::Bt470BG,
        6 => ColorPrimaries::Smpte170M,
        7 => ColorPrimaries::Smpte240M,
        9 => ColorPrimaries::Bt2020,
        _ => ColorPrimaries::Unspecified,
    };
    let transfer = match colour.transfer {
        1 => TransferCharacteristics::Bt709,
        4 => TransferCharacteristics::Bt470M,
        5 => TransferCharacteristics::Bt470Bg,
        6 => TransferCharacteristics::Smpte170M,
        7 => TransferCharacteristics::Smpte240M,
        8 => TransferCharacteristics::Linear,
        13 => TransferCharacteristics::Srgb,
        _ => TransferCharacteristics::Unspecified,
    };
    let matrix = match colour.matrix {
        0 => MatrixCoefficients::Identity,
        1 => MatrixCoefficients::Bt709,
        4 => MatrixCoefficients::Fcc,
        5 => MatrixCoefficients::Bt470Bg,
        6 => MatrixCoefficients::Smpte170M,
        7 => MatrixCoefficients::Smpte240M,
        8 => MatrixCoefficients::Ycgco,
        9 => MatrixCoefficients::Bt2020Ncl,
        10 => MatrixCoefficients::Bt2020Cl,
        _ => MatrixCoefficients::Unspecified,
    };
    encoder::VuiConfig::new()
        .color_primaries(primaries)
        .transfer_characteristics(transfer)
        .matrix_coefficients(matrix)
        .full_range(colour.full_range)
}
