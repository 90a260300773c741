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
        Advisory::NoKeyframe => "很久没有收到关键帧：此时进来的观众要等一会儿才有画面。".into(),
        Advisory::UploadStalls => {
            "上传一再中断，然后一下子涌来：观众会看到画面卡住。主播到本服务器的网络太慢或不稳定。".into()
        }
        Advisory::DroppedFrames { percent } => format!(
            "主播发来的画面每 100 帧缺 {percent} 帧：观众会看到抖动。编码器跟不上，或因上传太慢而丢帧。"
        ),
        Advisory::TimestampsDrift { millis_per_hour } => format!(
            "主播的时钟每小时{} {} 秒：播放器只能拉长或剪短声音来跟上。",
            if millis_per_hour > 0 { "慢" } else { "快" },
            seconds(millis_per_hour)
        ),
        Advisory::TimestampsJump => "主播的时间戳一再跳变：每次画面和声音都可能跳一下。".into(),
        Advisory::HighBitrate { kilobits } => format!(
            "码率达到 {} Mb/s：网速不够的观众会看到跳帧，而且每位观众都要占用服务器同样多的带宽。",
            megabits(kilobits)
        ),
        Advisory::BitrateSwing { mean, peak } => format!(
            "码率起伏很大：平均 {} Mb/s，最高 {} Mb/s。网速只够平均码率的观众会看到跳帧。",
            megabits(mean),
            megabits(peak)
        ),
        Advisory::LongGroups { seconds } => format!(
            "关键帧间隔 {seconds} 秒：新来的观众要近一秒才能追上直播，丢包的观众要更久才能恢复清晰的画面。"
        ),
        Advisory::BFrames => "视频含有 B 帧，浏览器无法播放，只能在服务器上重新编码：观众看到的画面约晚 0.15 秒、略不清晰，\
                              服务器还要耗费 CPU。"
            .into(),
        Advisory::Profile { profile, level: idc } => format!(
            "视频是 H.264 {} profile、level {}，并非所有浏览器和手机都能解码：部分观众看不到画面。",
            profile,
            level(idc)
        ),
        Advisory::Interlaced => "视频是隔行扫描：运动物体的边缘会出现梳齿。".into(),
        Advisory::LowFrameRate { rate } => format!("每秒只有 {rate} 帧：动作看起来不连贯。"),
        Advisory::HighFrameRate { rate } => {
            format!("每秒有 {rate} 帧，超过大多数屏幕的显示能力：观众的设备白费力气。")
        }
        Advisory::LowAudioRate { hertz } => format!("声音的采样率只有 {hertz} Hz：听起来发闷。"),
    }
}

fn unplayable(reason: Reason) -> String {
    match reason {
        Reason::Hevc => "视频是 HEVC，无法通过 WebRTC 播放：观众没有画面。".into(),
        Reason::Av1 => "视频是 AV1，目前还无法播放：观众没有画面。".into(),
        Reason::VideoCodec(name) => format!("视频编码是 {name}，无法播放：观众没有画面。"),
        Reason::VideoFormat => "视频不是 8 位 4:2:0：观众没有画面。".into(),
        Reason::AudioCodec(name) => format!("音频编码是 {name}，无法播放：观众没有声音。"),
        Reason::HeAac => "音频是 HE-AAC，无法播放：观众没有声音。".into(),
        Reason::ReducedFrameRate => {
            "视频含有 B 帧，浏览器无法播放，而服务器现在无法重新编码：观众只能看到三分之一到一半的画面。".into()
        }
        Reason::KeyframesOnly => {
            "视频含有 B 帧，其他画面几乎都依赖它，而服务器现在无法重新编码：观众几乎只能看到关键帧。".into()
        }
    }
}

fn setting(advisory: Advisory) -> &'static str {
    match advisory {
        Advisory::Unplayable(Reason::Hevc | Reason::Av1 | Reason::VideoCodec(_)) => {
            "OBS：设置 > 输出 > 直播 > 视频编码器：选择 x264 或硬件 H.264 编码器。"
        }
        Advisory::Unplayable(Reason::VideoFormat) => {
            "OBS：设置 > 高级 > 颜色格式：选择 NV12（8 位，4:2:0）；设置 > 输出：配置 (Profile) 选择 high、main 或 baseline。"
        }
        Advisory::Unplayable(Reason::AudioCodec(_)) => {
            "OBS：设置 > 输出 > 直播 > 音频编码器：选择 AAC 编码器。"
        }
        Advisory::Unplayable(Reason::HeAac) => {
            "OBS：设置 > 输出 > 音频：选择 96 kb/s 以上，并选择不是 HE-AAC 的 AAC 编码器。"
        }
        Advisory::Unplayable(Reason::ReducedFrameRate | Reason::KeyframesOnly)
        | Advisory::BFrames => {
            "OBS：设置 > 输出 > 输出模式“高级” > 直播：使用 x264 时在“x264 选项”中填写 bframes=0（或把 Tune 设为 zerolatency）；\
             使用硬件编码器时把“最大 B 帧”设为 0。同时把“关键帧间隔”设为 2 秒。"
        }
        Advisory::NoKeyframe | Advisory::LongGroups { .. } => {
            "OBS：设置 > 输出 > 输出模式“高级” > 直播 > 关键帧间隔：2 秒。"
        }
        Advisory::UploadStalls => {
            "OBS：设置 > 输出 > 直播 > 视频比特率：不超过上传带宽的三分之二；用网线代替 Wi-Fi，或勾选 设置 > 高级 > 网络 > “动态改变比特率”。"
        }
        Advisory::DroppedFrames { .. } => {
            "OBS：查看状态栏。若显示丢帧，请降低 设置 > 输出 > 视频比特率；否则请选择更快的 CPU 使用预设、硬件编码器，\
             或降低 设置 > 视频 > 输出分辨率。"
        }
        Advisory::TimestampsDrift { .. } => {
            "OBS：设置 > 音频 > 采样率：与声卡一致；然后停止并重新开始直播。其他编码器：时间戳请使用系统时钟。"
        }
        Advisory::TimestampsJump => {
            "OBS：在引起问题的来源中取消勾选“使用设备时间戳”。其他编码器：请让时间戳连续，例如 ffmpeg 使用 -re 和不循环的输入。"
        }
        Advisory::HighBitrate { .. } => "OBS：设置 > 输出 > 直播 > 视频比特率：2500 至 6000 kb/s。",
        Advisory::BitrateSwing { .. } => {
            "OBS：设置 > 输出 > 输出模式“高级” > 直播 > 速率控制：CBR。"
        }
        Advisory::Profile { .. } => {
            "OBS：设置 > 输出 > 输出模式“高级” > 直播 > 配置 (Profile)：high、main 或 baseline；设置 > 视频 > 输出分辨率：\
             1920x1080 或更低。"
        }
        Advisory::Interlaced => {
            "OBS 只发送完整画面：请在来源处去隔行（右键 > 去隔行）。其他编码器：选择逐行扫描。"
        }
        Advisory::LowFrameRate { .. } | Advisory::HighFrameRate { .. } => {
            "OBS：设置 > 视频 > 常用 FPS 值：30 或 60。"
        }
        Advisory::LowAudioRate { .. } => "OBS：设置 > 音频 > 采样率：48 kHz。",
    }
}
