use crate::playability::Reason;

/// What a host should know of its stream. Figures are as they were when it was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advisory {
    /// Viewers can't play it, or not in full.
    Unplayable(Reason),
    /// Pictures come, but for long none that a viewer could begin with.
    NoKeyframe,
    /// Uploads stop and come in bursts.
    UploadStalls,
    /// Pictures are missing between those that come.
    DroppedFrames {
        /// Of a hundred pictures.
        percent: u32,
    },
    /// The host's clock runs otherwise than real time.
    TimestampsDrift {
        /// How far it gets behind real time, in milliseconds an hour; negative: it runs ahead.
        millis_per_hour: i32,
    },
    /// The host's clock jumps again and again.
    TimestampsJump,
    /// More bits than many viewers' links take.
    HighBitrate {
        /// Mean of pictures and sound, in kb/s.
        kilobits: u32,
    },
    /// Bits come very unevenly.
    BitrateSwing {
        /// Mean, in kb/s.
        mean: u32,
        /// The most in a second, in kb/s.
        peak: u32,
    },
    /// Keyframes are far apart, and viewers depend on the host's.
    LongGroups {
        /// The longest of late, in whole seconds.
        seconds: u32,
    },
    /// B-frames: the video is encoded again for viewers.
    BFrames,
    /// H.264 that some browsers and phones don't decode.
    Profile {
        /// Its name.
        profile: &'static str,
        /// level_idc: ten times the level.
        level: u8,
    },
    /// Pictures may be two fields, each with every other line.
    Interlaced,
    /// Few pictures a second.
    LowFrameRate {
        /// Pictures a second.
        rate: u32,
    },
    /// More pictures a second than screens show.
    HighFrameRate {
        /// Pictures a second.
        rate: u32,
    },
    /// Sound without its heights.
    LowAudioRate {
        /// Sample rate in Hz.
        hertz: u32,
    },
}

impl Advisory {
    /// The code of every advisory: what metrics and programs may meet.
    pub const CODES: [&'static str; 22] = [
        "hevc",
        "av1",
        "video_codec",
        "video_format",
        "audio_codec",
        "he_aac",
        "keyframes_only",
        "reduced_frame_rate",
        "no_keyframe",
        "upload_stalls",
        "dropped_frames",
        "timestamps_drift",
        "timestamps_jump",
        "high_bitrate",
        "bitrate_swing",
        "long_groups",
        "b_frames",
        "profile",
        "interlaced",
        "low_frame_rate",
        "high_frame_rate",
        "low_audio_rate",
    ];

    /// The stable word for JSON, events and metric labels.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unplayable(reason) => reason.code(),
            Self::NoKeyframe => "no_keyframe",
            Self::UploadStalls => "upload_stalls",
            Self::DroppedFrames { .. } => "dropped_frames",
            Self::TimestampsDrift { .. } => "timestamps_drift",
            Self::TimestampsJump => "timestamps_jump",
            Self::HighBitrate { .. } => "high_bitrate",
            Self::BitrateSwing { .. } => "bitrate_swing",
            Self::LongGroups { .. } => "long_groups",
            Self::BFrames => "b_frames",
            Self::Profile { .. } => "profile",
            Self::Interlaced => "interlaced",
            Self::LowFrameRate { .. } => "low_frame_rate",
            Self::HighFrameRate { .. } => "high_frame_rate",
            Self::LowAudioRate { .. } => "low_audio_rate",
        }
    }
}
