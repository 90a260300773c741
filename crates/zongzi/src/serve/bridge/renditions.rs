use zongzi_media::{Frame, aac};
use zongzi_relay::rendition::{AudioRendition, RenditionError, Renditions, Unplayable};
use zongzi_transcode::AacToOpus;

/// Makes the relay's renditions with `zongzi-transcode`.
#[derive(Debug)]
pub(crate) struct Transcoders;

struct Opus {
    config: aac::Config,
    transcoder: AacToOpus,
}

impl Renditions for Transcoders {
    fn opus(&self, config: &aac::Config) -> Result<Box<dyn AudioRendition>, Unplayable> {
        let transcoder = AacToOpus::new(config).map_err(unplayable)?;
        Ok(Box::new(Opus {
            config: config.clone(),
            transcoder,
        }))
    }
}

impl AudioRendition for Opus {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Frame>) -> Result<(), RenditionError> {
        Ok(self.transcoder.push(frame, out).map_err(unplayable)?)
    }

    fn restart(&mut self) {
        // The configuration was good once; if opening the codecs fails now, the old state is better than none.
        if let Ok(fresh) = AacToOpus::new(&self.config) {
            self.transcoder = fresh;
        }
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
