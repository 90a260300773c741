use super::{Words, level, megabits, seconds};
use crate::advice::Advisory;
use crate::playability::Reason;

pub(super) fn words(advisory: Advisory) -> Words {
    Words {
        effect: effect(advisory),
        setting: setting(advisory),
    }
}

fn effect(advisory: Advisory) -> String {
    match advisory {
        Advisory::Unplayable(reason) => unplayable(reason),
        Advisory::NoKeyframe => "No keyframe has come for long: who joins now waits for a picture.".into(),
        Advisory::UploadStalls => "The upload stops again and again and then comes in a burst: viewers see the picture freeze. \
                                   The way from the host to this server is too slow or unsteady."
            .into(),
        Advisory::DroppedFrames { percent } => format!(
            "{percent} of 100 pictures are missing from what the host sends: viewers see judder. The encoder can't keep up, \
             or it leaves pictures out because the upload is too slow."
        ),
        Advisory::TimestampsDrift { millis_per_hour } => format!(
            "The host's clock is {} s an hour too {}: players stretch or cut the sound to keep up.",
            seconds(millis_per_hour),
            if millis_per_hour > 0 { "slow" } else { "fast" }
        ),
        Advisory::TimestampsJump => "The host's timestamps jump again and again: each time picture and sound may skip.".into(),
        Advisory::HighBitrate { kilobits } => format!(
            "The stream has {} Mb/s: viewers whose link takes less see skips, and each viewer costs this server as much.",
            megabits(kilobits)
        ),
        Advisory::BitrateSwing { mean, peak } => format!(
            "The bit rate swings: {} Mb/s in the mean, {} Mb/s at its most. Viewers whose link takes only the mean see skips.",
            megabits(mean),
            megabits(peak)
        ),
        Advisory::LongGroups { seconds } => format!(
            "Keyframes are {seconds} s apart: who joins needs up to a second to be at live, and a viewer with losses waits \
             longer for a clean picture."
        ),
        Advisory::BFrames => "The video has B-frames, which browsers can't take: it is encoded again on this server. Viewers \
                              see it some 0.15 s later and a little less sharp, and the server needs CPU for it."
            .into(),
        Advisory::Profile { profile, level: idc } => format!(
            "The video is H.264 {} profile, level {}, which not every browser and phone decodes: some viewers see nothing.",
            profile,
            level(idc)
        ),
        Advisory::Interlaced => "The video is interlaced: viewers see combed edges where something moves.".into(),
        Advisory::LowFrameRate { rate } => format!("There are {rate} pictures a second: movement looks jerky."),
        Advisory::HighFrameRate { rate } => format!(
            "There are {rate} pictures a second, more than most screens show: viewers' devices work for nothing."
        ),
        Advisory::LowAudioRate { hertz } => format!("The sound has a sample rate of {hertz} Hz: it is dull."),
    }
}

fn unplayable(reason: Reason) -> String {
    match reason {
        Reason::Hevc => "The video is HEVC, which can't be played over WebRTC: viewers get no picture.".into(),
        Reason::Av1 => "The video is AV1, which can't be played here yet: viewers get no picture.".into(),
        Reason::VideoCodec(name) => {
            format!("The video codec is {name}, which can't be played: viewers get no picture.")
        }
        Reason::VideoFormat => "The video is not 8-bit 4:2:0: viewers get no picture.".into(),
        Reason::AudioCodec(name) => {
            format!("The audio codec is {name}, which can't be played: viewers get no sound.")
        }
        Reason::HeAac => "The audio is HE-AAC, which can't be played: viewers get no sound.".into(),
        Reason::ReducedFrameRate => "The video has B-frames, which browsers can't take, and this server can't encode it \
                                     again right now: viewers get a third to half of the pictures."
            .into(),
        Reason::KeyframesOnly => "The video has B-frames that nearly all other pictures need, and this server can't encode \
                                  it again right now: viewers get little more than the keyframes."
            .into(),
    }
}

fn setting(advisory: Advisory) -> &'static str {
    match advisory {
        Advisory::Unplayable(Reason::Hevc | Reason::Av1 | Reason::VideoCodec(_)) => {
            "OBS: Settings > Output > Streaming > Video Encoder: choose x264 or a hardware H.264 encoder."
        }
        Advisory::Unplayable(Reason::VideoFormat) => {
            "OBS: Settings > Advanced > Color Format: choose NV12 (8-bit, 4:2:0); under Settings > Output choose Profile high, \
             main or baseline."
        }
        Advisory::Unplayable(Reason::AudioCodec(_)) => {
            "OBS: Settings > Output > Streaming > Audio Encoder: choose an AAC encoder."
        }
        Advisory::Unplayable(Reason::HeAac) => {
            "OBS: Settings > Output > Audio: choose 96 kb/s or more, and an AAC encoder that is not HE-AAC."
        }
        Advisory::Unplayable(Reason::ReducedFrameRate | Reason::KeyframesOnly)
        | Advisory::BFrames => {
            "OBS: Settings > Output > Output Mode Advanced > Streaming: with x264 write bframes=0 into 'x264 Options' (or \
             choose Tune zerolatency); with a hardware encoder set 'Max B-frames' to 0. Set 'Keyframe Interval' to 2 s there, \
             too."
        }
        Advisory::NoKeyframe | Advisory::LongGroups { .. } => {
            "OBS: Settings > Output > Output Mode Advanced > Streaming > Keyframe Interval: 2 s."
        }
        Advisory::UploadStalls => {
            "OBS: Settings > Output > Streaming > Video Bitrate: at most two thirds of what the upload takes; use a cable \
             instead of Wi-Fi, or tick Settings > Advanced > Network > 'Dynamically change bitrate'."
        }
        Advisory::DroppedFrames { .. } => {
            "OBS: look at the status bar. If it counts dropped frames, lower Settings > Output > Video Bitrate; otherwise \
             choose a faster CPU Usage Preset there, a hardware encoder, or a smaller Settings > Video > Output Resolution."
        }
        Advisory::TimestampsDrift { .. } => {
            "OBS: Settings > Audio > Sample Rate: the same as the sound card's; stop and start streaming. Other encoders: use \
             the system's clock for timestamps."
        }
        Advisory::TimestampsJump => {
            "OBS: untick 'Use Device Timestamps' of the source that causes it; other encoders: make timestamps even, as \
             ffmpeg does with -re and one input that does not loop."
        }
        Advisory::HighBitrate { .. } => {
            "OBS: Settings > Output > Streaming > Video Bitrate: 2500 to 6000 kb/s."
        }
        Advisory::BitrateSwing { .. } => {
            "OBS: Settings > Output > Output Mode Advanced > Streaming > Rate Control: CBR."
        }
        Advisory::Profile { .. } => {
            "OBS: Settings > Output > Output Mode Advanced > Streaming > Profile: high, main or baseline; Settings > Video > \
             Output Resolution: 1920x1080 or less."
        }
        Advisory::Interlaced => {
            "OBS sends whole pictures: deinterlace at the source (right click > Deinterlacing). Other encoders: choose \
             progressive."
        }
        Advisory::LowFrameRate { .. } | Advisory::HighFrameRate { .. } => {
            "OBS: Settings > Video > Common FPS Values: 30 or 60."
        }
        Advisory::LowAudioRate { .. } => "OBS: Settings > Audio > Sample Rate: 48 kHz.",
    }
}
