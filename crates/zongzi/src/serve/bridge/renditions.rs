use zongzi_media::{Frame, aac, h264};
use zongzi_relay::rendition::{
    AudioRendition, DeliverVideo, Effort, Fate, GiveWay, InOrderRendition, Rate, RenditionError,
    Renditions, Unplayable, VideoRendition,
};
use zongzi_transcode::{AacToOpus, ip};

use crate::serve::priority;
use crate::serve::video::Workers;

/// Makes the relay's renditions with `zongzi-transcode`.
#[derive(Debug)]
pub(crate) struct Transcoders {
    pub(crate) video: Workers,
}

struct Opus(AacToOpus);

struct InOrder(ip::Rendition);

impl Renditions for Transcoders {
    fn in_order(&self, config: &h264::Config) -> Box<dyn InOrderRendition> {
        Box::new(InOrder(ip::Rendition::new(config)))
    }

    fn reencode(
        &self,
        config: &h264::Config,
        rate: Option<Rate>,
        deliver: DeliverVideo,
    ) -> Result<Box<dyn VideoRendition>, GiveWay> {
        self.video.start(config, rate, deliver)
    }

    fn thread_begins(&self) {
        priority::lower_this_thread();
    }

    fn opus(&self, config: &aac::Config) -> Result<Box<dyn AudioRendition>, Unplayable> {
        let transcoder = AacToOpus::new(config).map_err(unplayable)?;
        Ok(Box::new(Opus(transcoder)))
    }
}

impl InOrderRendition for InOrder {
    fn push(&mut self, frame: &Frame) -> Fate {
        let orphans = self.0.counts().orphans;
        match self.0.push(frame) {
            Some(_) => Fate::Kept,
            None if self.0.counts().orphans > orphans => Fate::Orphan,
            None => Fate::B,
        }
    }
}

impl AudioRendition for Opus {
    fn push(
        &mut self,
        frame: &Frame,
        effort: Effort,
        out: &mut Vec<Frame>,
    ) -> Result<(), RenditionError> {
        self.0.set_effort(match effort {
            Effort::Full => zongzi_transcode::Effort::Full,
            Effort::Least => zongzi_transcode::Effort::Least,
        });
        Ok(self.0.push(frame, out).map_err(unplayable)?)
    }

    fn restart(&mut self) {
        self.0.restart();
    }
}

fn unplayable(error: zongzi_transcode::Unplayable) -> Unplayable {
    use zongzi_transcode::Unplayable as From;
    match error {
        From::HighEfficiency => Unplayable::HeAac,
        error @ From::Encoder => Unplayable::Codec(error.to_string()),
        other => Unplayable::Unsupported(other.to_string()),
    }
}
