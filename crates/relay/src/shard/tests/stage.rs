//! The host's side: a hub with one broadcast, whose pictures and sound a test sends.

use super::*;

/// A hub with one broadcast.
pub(super) struct Stage {
    pub(super) links: Arc<Links>,
    pub(super) show: Mutex<Show>,
    pub(super) audience: Arc<Audience>,
    pub(super) epoch: Instant,
}

#[derive(Default)]
pub(super) struct Show {
    pub(super) subscribed: Vec<ShardId>,
    /// Keyframes asked for.
    pub(super) asked: usize,
    /// How much later than now the pictures are by their own time.
    pub(super) ahead: Duration,
    pub(super) group: Vec<Arc<Batch>>,
    pub(super) videos: u64,
    pub(super) sounds: u64,
    /// Payloads of the video by batch, and of the sound.
    pub(super) sent: BTreeMap<u64, Vec<Vec<u8>>>,
    pub(super) sound: Vec<Vec<u8>>,
}

impl Source for Stage {
    fn subscribe(&self, shard: ShardId, broadcast: BroadcastId) -> Option<Arc<Audience>> {
        assert_eq!(broadcast, SHOW);
        let mut show = self.show.lock().unwrap();
        show.subscribed.push(shard);
        let batches = show.group.clone();
        assert!(self.links.send(
            shard,
            FromHub::Snapshot {
                broadcast,
                batches,
                clock: crate::host_clock::HostClock::default()
            }
        ));
        Some(Arc::clone(&self.audience))
    }

    fn unsubscribe(&self, shard: ShardId, _: BroadcastId) {
        let mut show = self.show.lock().unwrap();
        let place = show
            .subscribed
            .iter()
            .position(|other| *other == shard)
            .unwrap();
        show.subscribed.remove(place);
    }

    fn request_keyframe(&self, broadcast: BroadcastId) {
        assert_eq!(broadcast, SHOW);
        self.show.lock().unwrap().asked += 1;
    }
}

impl Stage {
    pub(super) fn frame(&self, keyframe: bool, packets: usize) {
        let mut show = self.show.lock().unwrap();
        let sequence = show.videos;
        show.videos += 1;
        let mut payloads: Vec<Vec<u8>> = (0..packets).map(|n| noise(sequence, n, 1_150)).collect();
        payloads[packets - 1].truncate(1_150 - usize::from(PADDING));
        if keyframe {
            payloads.insert(0, noise(sequence, 99, 30));
            show.group.clear();
        }
        let mut padded = payloads.clone();
        if let Some(last) = padded.last_mut() {
            last.resize(1_149, 0);
            last.push(PADDING);
        }
        let batch = self.batch(BatchKind::Video { keyframe }, sequence, &padded, show.ahead);
        show.group.push(Arc::clone(&batch));
        show.sent.insert(sequence, payloads);
        self.send(&show, &batch);
    }

    pub(super) fn sound(&self) {
        let mut show = self.show.lock().unwrap();
        let sequence = show.sounds;
        show.sounds += 1;
        let payload = noise(sequence, 7, 160);
        let batch = self.batch(
            BatchKind::Audio,
            sequence,
            std::slice::from_ref(&payload),
            Duration::ZERO,
        );
        show.sound.push(payload);
        self.send(&show, &batch);
    }

    pub(super) fn batch(
        &self,
        kind: BatchKind,
        sequence: u64,
        payloads: &[Vec<u8>],
        ahead: Duration,
    ) -> Arc<Batch> {
        let now = Instant::now();
        let rate = if kind == BatchKind::Audio {
            48_000
        } else {
            90_000
        };
        let ticks = (now - self.epoch + ahead).as_micros() * rate / 1_000_000;
        let mut end = 0;
        let ends = payloads.iter().map(|payload| {
            end += u32::try_from(payload.len()).unwrap();
            end
        });
        let ends = ends.collect();
        let keyframe = kind == BatchKind::Video { keyframe: true };
        let padding = if kind == BatchKind::Audio { 0 } else { PADDING };
        let data = payloads.concat().into();
        let rtp_time = u32::try_from(ticks).unwrap();
        let batch = Batch::new(kind, sequence, 0, rtp_time, now, data, ends);
        Arc::new(batch.with_lead(usize::from(keyframe)).with_padding(padding))
    }

    pub(super) fn send(&self, show: &Show, batch: &Arc<Batch>) {
        for shard in &show.subscribed {
            let batch = Arc::clone(batch);
            assert!(self.links.send(
                *shard,
                FromHub::Batch {
                    broadcast: SHOW,
                    batch
                }
            ));
        }
    }
}

pub(super) fn noise(sequence: u64, packet: usize, size: usize) -> Vec<u8> {
    let mut state = sequence * 1_000 + packet as u64 + 1;
    let bytes = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    });
    bytes.take(size).collect()
}
