use std::io::{self, Read, Write};
use std::sync::Arc;

use zongzi_media::{Frame, TrackId, h264};

use super::framing::{Broken, Framing};
use super::message::{Failure, Reply, Request};
use crate::reencode::codec::Codecs;
use crate::reencode::{GiveWay, Output, Reencoder};

/// All that a child does: reads requests, does them with `codecs`, writes replies, until the input ends or it has given up
/// (the last reply is then [`Reply::Failed`]).
///
/// # Errors
/// When reading or writing fails: the parent is gone.
pub fn serve(
    codecs: &Arc<dyn Codecs>,
    mut input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    let mut framing = Framing::default();
    let mut child = Child {
        codecs: Arc::clone(codecs),
        reencoder: None,
        made: Vec::new(),
    };
    let mut piece = vec![0; READ_BYTES];
    let mut replies = Vec::new();
    loop {
        let count = input.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        framing.push(piece.get(..count).unwrap_or_default());
        loop {
            replies.clear();
            let outcome = match framing.pop() {
                Ok(None) => break,
                Ok(Some((kind, body))) => Request::read(kind, body)
                    .map_err(Failed::from)
                    .and_then(|request| child.act(request, &mut replies)),
                Err(broken) => Err(broken.into()),
            };
            if let Err(Failed { failure, text }) = &outcome {
                Reply::Failed {
                    failure: *failure,
                    text: text.clone(),
                }
                .write(&mut replies);
            }
            output.write_all(&replies)?;
            output.flush()?;
            if outcome.is_err() {
                return Ok(());
            }
        }
    }
}

struct Child {
    codecs: Arc<dyn Codecs>,
    reencoder: Option<Reencoder>,
    made: Vec<Output>,
}

struct Failed {
    failure: Failure,
    text: String,
}

impl Child {
    fn act(&mut self, request: Request, replies: &mut Vec<u8>) -> Result<(), Failed> {
        let made = &mut self.made;
        let result = match (request, &mut self.reencoder) {
            (Request::Configure { record, hint }, reencoder) => {
                let config = h264::Config::parse(&record).map_err(|error| Failed {
                    failure: Failure::Refused,
                    text: error.to_string(),
                })?;
                match reencoder {
                    Some(reencoder) => reencoder.reconfigure(&config, made),
                    None => Reencoder::with(Arc::clone(&self.codecs), &config, hint)
                        .map(|new| *reencoder = Some(new)),
                }
                .map_err(GiveWay::from)
            }
            (
                Request::Picture {
                    encode,
                    keyframe,
                    late,
                    dts,
                    pts,
                    payload,
                },
                Some(reencoder),
            ) => {
                let frame = Frame {
                    track: TrackId::VIDEO,
                    dts,
                    pts,
                    keyframe,
                    payload,
                };
                if encode {
                    reencoder.push(&frame, late, made)
                } else {
                    reencoder.warm(&frame)
                }
            }
            (Request::Shown(time), Some(reencoder)) => {
                reencoder.begin_after(time);
                Ok(())
            }
            (Request::Keyframe, Some(reencoder)) => {
                reencoder.request_keyframe();
                Ok(())
            }
            (Request::Finish, Some(reencoder)) => {
                reencoder.finish(made);
                Ok(())
            }
            (_, None) => {
                return Err(Failed {
                    failure: Failure::Broken,
                    text: "no configuration".to_owned(),
                });
            }
        };
        for output in self.made.drain(..) {
            match output {
                Output::Config(config) => Reply::Config(config.raw),
                Output::Frame(frame) => Reply::Picture {
                    keyframe: frame.keyframe,
                    time: frame.pts,
                    payload: frame.payload,
                },
            }
            .write(replies);
        }
        result?;
        if let Some(reencoder) = &self.reencoder {
            Reply::Done {
                level: reencoder.level(),
                counts: reencoder.counts(),
            }
            .write(replies);
        }
        Ok(())
    }
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        Self {
            failure: Failure::Broken,
            text: broken.to_string(),
        }
    }
}

impl From<GiveWay> for Failed {
    fn from(reason: GiveWay) -> Self {
        let failure = match reason {
            GiveWay::TooSlow => Failure::TooSlow,
            GiveWay::Refused(_) => Failure::Refused,
            GiveWay::NoPictures(_) => Failure::Broken,
        };
        Self {
            failure,
            text: reason.to_string(),
        }
    }
}

/// What a pipe holds (Linux).
const READ_BYTES: usize = 64 << 10;
