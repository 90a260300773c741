//! What the renditions make, as a stream behind start codes.

use std::time::Duration;

use anyhow::Context as _;
use zongzi_media::h264::{Config, NalUnits};
use zongzi_media::{Frame, MediaTime};
use zongzi_transcode::ip;
use zongzi_transcode::reencode::{Hint, Output, Reencoder};

/// All pictures, encoded again.
pub(crate) struct Reencoded {
    pub(crate) stream: Vec<u8>,
    frames: Vec<Frame>,
    /// CPU time of decoding and encoding.
    pub(crate) cpu: Duration,
}

/// The pictures that need no reordering.
pub(crate) struct InOrder {
    pub(crate) stream: Vec<u8>,
    /// Which of the shown pictures they are.
    pub(crate) places: Vec<usize>,
    /// P pictures that went with the B pictures.
    pub(crate) orphans: u64,
}

impl Reencoded {
    pub(crate) fn of(config: &Config, source: &[Frame]) -> anyhow::Result<Self> {
        let mut reencoder = Reencoder::new(config, hint(source))?;
        let mut out = Vec::new();
        let before = cpu()?;
        for frame in source {
            reencoder.push(frame, Duration::ZERO, &mut out)?;
        }
        reencoder.finish(&mut out);
        let cpu = cpu()?.saturating_sub(before);
        let (mut stream, mut frames) = (Vec::new(), Vec::new());
        for output in out {
            match output {
                Output::Config(config) => sets(&config, &mut stream),
                Output::Frame(frame) => {
                    unit(&frame, 4, &mut stream);
                    frames.push(frame);
                }
            }
        }
        Ok(Self {
            stream,
            frames,
            cpu,
        })
    }

    pub(crate) fn times(&self) -> Vec<MediaTime> {
        self.frames.iter().map(|frame| frame.pts).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.payload.len()).sum()
    }
}

impl InOrder {
    pub(crate) fn of(config: &Config, source: &[Frame], shown: &[MediaTime]) -> Self {
        let mut rendition = ip::Rendition::new(config);
        let (mut stream, mut places) = (Vec::new(), Vec::new());
        sets(config, &mut stream);
        for frame in source.iter().filter_map(|frame| rendition.push(frame)) {
            unit(&frame, config.length_size, &mut stream);
            places.extend(shown.binary_search(&frame.pts));
        }
        Self {
            stream,
            places,
            orphans: rendition.counts().orphans,
        }
    }
}

fn hint(frames: &[Frame]) -> Hint {
    let seconds = match (frames.first(), frames.last()) {
        (Some(first), Some(last)) => last.dts.saturating_since(first.dts).as_secs_f64(),
        _ => 1.0,
    };
    let bytes: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a bit rate need not be exact"
    )]
    Hint {
        bits_per_second: (bytes as f64 * 8.0 / seconds) as u32,
        pictures_per_second: (frames.len() as f64 / seconds) as f32,
    }
}

fn sets(config: &Config, stream: &mut Vec<u8>) {
    for set in config.sps.iter().chain(&config.pps) {
        stream.extend_from_slice(&START_CODE);
        stream.extend_from_slice(set);
    }
}

fn unit(frame: &Frame, length_size: u8, stream: &mut Vec<u8>) {
    for unit in NalUnits::new(frame.payload.clone(), length_size) {
        stream.extend_from_slice(&START_CODE);
        stream.extend_from_slice(unit.bytes());
    }
}

/// User and system time of this process so far, to 10 ms (proc(5)).
fn cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit_once(')').context("stat has a name")?.1;
    let times = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];
