use std::path::Path;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use zongzi_media::Codec;
use zongzi_media::h264::NalUnits;
use zongzi_rtmp::flv::Demuxer;
use zongzi_rtmp::flv::file::{Kind, Tag, tags};

use crate::rtp::digest;

/// Samples of one AAC frame (ISO/IEC 14496-3 §4.5.1.1).
const AAC_SAMPLES: u64 = 1024;
/// Bytes of a file at most: it is held in memory.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A file to publish, again and again, without a seam in its timestamps.
///
/// Picture and sound are repeated apart from each other, each after its own length, so that the distance between two
/// frames is the same at the seam as anywhere. In time they drift apart: what is published is for machines.
#[derive(Debug)]
pub(crate) struct Clip {
    /// Metadata and codec configurations, sent once.
    heads: Vec<Tag>,
    video: Reel,
    audio: Reel,
}

/// One track.
#[derive(Debug, Default)]
struct Reel {
    frames: Vec<Piece>,
    period_us: u64,
}

#[derive(Debug)]
struct Piece {
    /// From the first frame of the track.
    at_us: u64,
    composition_ms: i64,
    body: Bytes,
    keyframe: bool,
    digest: u64,
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// When, from the start.
    pub(crate) at_us: u64,
    pub(crate) tag: Tag,
    /// Of a video frame.
    pub(crate) picture: Option<Picture>,
}

/// What is noted of a video frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) index: u64,
    pub(crate) pts_ms: i64,
    pub(crate) keyframe: bool,
    pub(crate) digest: u64,
}

impl Clip {
    /// Reads an FLV file with H.264, AAC or both.
    ///
    /// # Errors
    /// When it can't be read or has neither.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let name = path.display();
        let size = std::fs::metadata(path)
            .with_context(|| format!("can't read {name}"))?
            .len();
        if size > FILE_BYTES_MAX {
            bail!("{name} has {size} bytes, at most {FILE_BYTES_MAX} are taken");
        }
        let file = std::fs::read(path).with_context(|| format!("can't read {name}"))?;
        Self::parse(Bytes::from(file)).with_context(|| format!("{name}"))
    }

    fn parse(file: Bytes) -> Result<Self> {
        let mut clip = Self {
            heads: Vec::new(),
            video: Reel::default(),
            audio: Reel::default(),
        };
        let mut demuxer = Demuxer::default();
        let mut length_size = 4;
        let mut sample_rate = 48_000;
        for tag in tags(file) {
            let time = i64::from(tag.timestamp_ms);
            let demuxed = match tag.kind {
                Kind::Video => demuxer.video(time, tag.body.clone()),
                Kind::Audio => demuxer.audio(time, tag.body.clone()),
                Kind::Data => {
                    clip.heads.push(tag);
                    continue;
                }
            };
            match demuxed.track.map(|track| track.codec) {
                Some(Codec::H264(config)) => length_size = config.length_size,
                Some(Codec::Aac(config)) => sample_rate = u64::from(config.sample_rate.max(1)),
                _ => {}
            }
            let Some(frame) = demuxed.frame else {
                clip.heads.push(Tag {
                    timestamp_ms: 0,
                    ..tag
                });
                continue;
            };
            let units: Vec<_> = match tag.kind {
                Kind::Video => NalUnits::new(frame.payload, length_size).collect(),
                _ => Vec::new(),
            };
            let reel = match tag.kind {
                Kind::Video => &mut clip.video,
                _ => &mut clip.audio,
            };
            reel.frames.push(Piece {
                at_us: u64::from(tag.timestamp_ms) * 1000,
                composition_ms: frame.pts.micros_since(frame.dts) / 1000,
                body: tag.body,
                keyframe: frame.keyframe,
                digest: digest(units.iter().map(|unit| unit.bytes().as_ref())),
            });
        }
        clip.video.close(None);
        clip.audio
            .close(Some(AAC_SAMPLES * 1_000_000 / sample_rate));
        if clip.video.frames.is_empty() && clip.audio.frames.is_empty() {
            bail!("no H.264 and no AAC in this FLV file");
        }
        Ok(clip)
    }

    /// What to send, in order, without end.
    pub(crate) fn play(&self) -> Play<'_> {
        Play {
            clip: self,
            heads: 0,
            video: 0,
            audio: 0,
        }
    }
}

impl Reel {
    /// Sets the period from the number of frames and the time of one; by default the average of those there are.
    fn close(&mut self, frame_us: Option<u64>) {
        let (Some(first), Some(last)) = (self.frames.first(), self.frames.last()) else {
            return;
        };
        let (first, last) = (first.at_us, last.at_us);
        let count = self.frames.len() as u64;
        self.period_us = match frame_us {
            Some(frame_us) => frame_us * count,
            None => last.saturating_sub(first) * count / (count - 1).max(1),
        }
        .max(1);
        for (index, piece) in self.frames.iter_mut().enumerate() {
            piece.at_us = match frame_us {
                // Exact, where the file has whole milliseconds.
                Some(frame_us) => frame_us * index as u64,
                None => piece.at_us.saturating_sub(first),
            };
        }
    }

    /// When frame `number` of the endless repetition is due, and which it is.
    fn frame(&self, number: u64) -> Option<(u64, &Piece)> {
        let count = self.frames.len() as u64;
        let round = number.checked_div(count)?;
        let piece = self.frames.get(usize::try_from(number % count).ok()?)?;
        Some((round * self.period_us + piece.at_us, piece))
    }
}

/// See [`Clip::play`].
#[derive(Debug)]
pub(crate) struct Play<'a> {
    clip: &'a Clip,
    heads: usize,
    video: u64,
    audio: u64,
}

impl Iterator for Play<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if let Some(head) = self.clip.heads.get(self.heads) {
            self.heads += 1;
            return Some(Item {
                at_us: 0,
                tag: head.clone(),
                picture: None,
            });
        }
        let video = self.clip.video.frame(self.video);
        let audio = self.clip.audio.frame(self.audio);
        let video_first = match (&video, &audio) {
            (Some((video, _)), Some((audio, _))) => video <= audio,
            (video, _) => video.is_some(),
        };
        let (at_us, piece) = if video_first { video? } else { audio? };
        let time_ms = at_us / 1000;
        let kind = if video_first {
            Kind::Video
        } else {
            Kind::Audio
        };
        let picture = video_first.then(|| Picture {
            index: self.video,
            pts_ms: i64::try_from(time_ms)
                .unwrap_or(i64::MAX)
                .saturating_add(piece.composition_ms),
            keyframe: piece.keyframe,
            digest: piece.digest,
        });
        if video_first {
            self.video += 1;
        } else {
            self.audio += 1;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "RTMP's clock wraps at 32 bits"
        )]
        let timestamp_ms = time_ms as u32;
        Some(Item {
            at_us,
            tag: Tag {
                kind,
                timestamp_ms,
                body: piece.body.clone(),
            },
            picture,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: u8, time: u32, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).expect("small").to_be_bytes();
        let time = time.to_be_bytes();
        let mut tag = vec![kind, size[1], size[2], size[3]];
        tag.extend([time[1], time[2], time[3], time[0], 0, 0, 0]);
        tag.extend(body);
        tag.extend(u32::try_from(tag.len()).expect("small").to_be_bytes());
        tag
    }

    /// 30 pictures of 30 per second, each with its number as content, the first a keyframe; sound beside.
    fn clip() -> Clip {
        let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        let mut config = vec![0x17, 0, 0, 0, 0];
        config.extend([1, 66, 0, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 0, 30]);
        config.extend([1, 0, 2, 0x68, 1]);
        file.extend(tag(9, 0, &config));
        file.extend(tag(8, 0, &[0xaf, 0, 0x11, 0x90]));
        for number in 0..30_u8 {
            let (first, slice) = if number == 0 {
                (0x17, 0x65)
            } else {
                (0x27, 0x41)
            };
            let time = 100 + u32::from(number) * 1000 / 30;
            let body = [first, 1, 0, 0, 0, 0, 0, 0, 2, slice, number];
            file.extend(tag(9, time, &body));
            file.extend(tag(8, time, &[0xaf, 1, number]));
        }
        Clip::parse(Bytes::from(file)).expect("a clip")
    }

    fn of(kind: Kind, items: usize) -> Vec<Item> {
        let clip = clip();
        let wanted = |item: &Item| item.tag.kind == kind && item.tag.body.len() != 4;
        clip.play().skip(2).filter(wanted).take(items).collect()
    }

    #[test]
    fn pictures_go_on_at_their_rate_over_the_seam() {
        let items = of(Kind::Video, 95);
        let apart: Vec<_> = items
            .windows(2)
            .map(|pair| pair[1].tag.timestamp_ms - pair[0].tag.timestamp_ms)
            .collect();
        assert!(apart.iter().all(|ms| (32..=35).contains(ms)), "{apart:?}");
        assert_eq!(items[0].tag.timestamp_ms, 0);
        for (number, item) in items.iter().enumerate() {
            let picture = item.picture.expect("video");
            assert_eq!(picture.index, number as u64);
            assert_eq!(picture.keyframe, number % 30 == 0);
            let same = items[number % 30].picture.expect("video");
            assert_eq!(picture.digest, same.digest);
        }
    }

    #[test]
    fn sound_goes_on_at_its_own_rate() {
        let items = of(Kind::Audio, 1000);
        for (number, item) in items.iter().enumerate() {
            let wanted = number as u64 * 21_333;
            assert_eq!(item.at_us, wanted, "{number}");
        }
    }

    #[test]
    fn configurations_come_first_and_once_and_all_else_in_order_of_time() {
        let clip = clip();
        let items: Vec<_> = clip.play().take(300).collect();
        assert_eq!(items[0].tag.body[..2], [0x17, 0]);
        assert_eq!(items[1].tag.body[..2], [0xaf, 0]);
        assert!(items[2..].iter().all(|item| item.tag.body[1] == 1));
        assert!(items.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us));
    }

    #[test]
    fn what_has_no_media_is_refused() {
        assert!(Clip::parse(Bytes::from_static(b"no flv")).is_err());
    }
}
