//! Sound, and codecs that nobody can play.

use super::*;

#[test]
fn sound_is_rendered_while_somebody_listens_and_begins_with_the_next_frame() {
    let mut rig = Rig::new();
    rig.host(&[aac_track()]);
    let frame = |number: i64| sound(number * 21_333, Bytes::from_static(&[7; 200]));
    for number in 0..10 {
        rig.frame(frame(number));
        rig.pass(Duration::from_micros(21_333));
    }
    assert_eq!(rig.said("rendition"), 0, "nobody listens");
    rig.act(|core, _| core.subscribe(SHARD));
    assert_eq!((rig.rendition, rig.pushed.len()), (Some(1), 3), "warmed up");
    rig.render();
    assert_eq!(rig.audio().len(), 0, "no backlog of sound");
    rig.frame(frame(10));
    rig.render();
    assert_eq!(rig.audio().len(), 1);
    rig.act(|core, _| core.unsubscribe(SHARD));
    assert_eq!(rig.rendition, None);
    rig.frame(frame(11));
    assert_eq!(rig.pushed.len(), 0);
}

#[test]
fn what_an_ended_rendition_still_makes_is_not_sent() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[aac_track()]);
    rig.frame(sound(0, Bytes::from_static(&[7; 200])));
    let (frame, received) = rig.pushed.pop().unwrap();
    rig.host(&[aac_track()]);
    assert_eq!(rig.rendition, Some(2));
    rig.act(|core, now| core.made(now, 1, Made::Frame(frame.clone(), received)));
    rig.act(|core, now| core.made(now, 1, Made::Unplayable(Unplayable::HeAac)));
    assert_eq!((rig.audio().len(), rig.core.reasons().count()), (0, 0));
    rig.act(|core, now| core.made(now, 2, Made::Frame(frame, received)));
    assert_eq!(rig.audio().len(), 1);
}

#[test]
fn sound_that_an_uplink_held_up_is_left_out_and_the_next_is_live() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[aac_track()]);
    let length = Duration::from_micros(21_333);
    let frame = |number: i64| sound(number * 21_333, Bytes::from_static(&[7; 200]));
    for number in 0..100 {
        rig.frame(frame(number));
        rig.pass(length);
    }
    rig.pushed.clear();
    // Two seconds nothing, and then all at once.
    rig.pass(length * 93);
    (100..193).for_each(|number| rig.frame(frame(number)));
    let burst = rig.pushed.len();
    assert!((1..=5).contains(&burst), "{burst}");
    for number in 193..293 {
        rig.frame(frame(number));
        rig.pass(length);
    }
    let sent = u64::try_from(rig.pushed.len()).unwrap();
    assert_eq!(rig.core.counts().late_sound, 193 - sent);
    assert!(sent >= 97, "{sent}");
    let times = rig.pushed.windows(2);
    assert!(times.into_iter().all(|pair| pair[0].0.pts < pair[1].0.pts));
}

#[test]
fn the_next_broadcast_begins_in_time_however_late_the_last_one_was() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    let length = Duration::from_micros(21_333);
    let frame = |number: i64| sound(number * 21_333, Bytes::from_static(&[7; 200]));
    rig.host(&[aac_track()]);
    for number in 0..200 {
        rig.frame(frame(number));
        rig.pass(length);
        if number == 100 {
            rig.pass(Duration::from_secs(2));
        }
    }
    let pushed = |rig: &mut Rig| std::mem::take(&mut rig.pushed);
    let late = pushed(&mut rig);
    let ahead = |(frame, came): &(Frame, Instant), epoch: Instant| {
        frame.pts.as_millis() - i64::try_from((*came - epoch).as_millis()).unwrap()
    };
    let (first, last) = (late.first().unwrap(), late.last().unwrap());
    assert!((ahead(first, rig.epoch) - ahead(last, rig.epoch)).abs() < 30);
    rig.act(|core, now| core.host_left(now, Finish::Orderly));
    rig.pass(Duration::from_secs(6));
    assert_eq!(rig.core.state(), State::Waiting);
    rig.host(&[aac_track()]);
    rig.frame(frame(0));
    let next = pushed(&mut rig);
    assert_eq!(next.len(), 1);
    let off = ahead(first, rig.epoch) - ahead(&next[0], rig.epoch);
    assert!((-30..30).contains(&off), "{off}");
    // And the one after a night, for which ticks of 32 bits are too short.
    rig.act(|core, now| core.host_left(now, Finish::Orderly));
    rig.pass(Duration::from_secs(8 * 3_600));
    rig.host(&[aac_track(), h264_track(1)]);
    // By these too: the pictures of the night before, and those that come now.
    for night in [0, 1] {
        for number in 0..20 {
            rig.frame(frame(number));
            let kind = [Picture::P, Picture::Idr][usize::from(number == 0)];
            rig.frame(picture(number * 21_333, kind, 100));
            rig.pass(length);
        }
        let clock = rig.core.video.clock;
        assert_eq!((clock.held_up(), clock.weight()), (None, 20));
        if night == 0 {
            rig.pushed.clear();
            rig.act(|core, now| core.host_left(now, Finish::Orderly));
            rig.pass(Duration::from_secs(8 * 3_600));
            rig.host(&[aac_track(), h264_track(1)]);
        }
    }
    let next = pushed(&mut rig);
    assert_eq!(next.len(), 20);
    let off = ahead(first, rig.epoch) - ahead(&next[19], rig.epoch);
    assert!((-30..30).contains(&off), "{off}");
}

#[test]
fn sound_is_as_old_as_its_rendition_and_not_as_its_source() {
    // A shard tells by it whether it is behind itself.
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[aac_track()]);
    rig.frame(sound(0, Bytes::from_static(&[7; 200])));
    let came = rig.epoch + rig.at;
    rig.pass(Duration::from_millis(150));
    rig.render();
    let audio = rig.audio();
    let age = audio[0].received.duration_since(came);
    assert_eq!(age, Duration::from_millis(150));
}

#[test]
fn sound_that_turns_out_unplayable_is_said_and_not_tried_again() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[aac_track()]);
    rig.act(|core, now| core.made(now, 1, Made::Unplayable(Unplayable::HeAac)));
    assert_eq!(rig.core.reasons().collect::<Vec<_>>(), [Reason::HeAac]);
    rig.frame(sound(0, Bytes::from_static(&[7; 200])));
    rig.act(|core, _| core.subscribe(ShardId(1)));
    assert_eq!(rig.said("start rendition"), 1);
}

#[test]
fn opus_from_a_host_goes_out_as_it_came() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    let codec = Codec::Opus(zongzi_media::opus::Config { channels: 2 });
    rig.host(&[Track {
        id: TrackId::AUDIO,
        codec,
    }]);
    rig.frame(sound(0, Bytes::from_static(&[0xfc, 1, 2])));
    rig.frame(sound(20_000, Bytes::from_static(&[0xfc, 3])));
    let audio = rig.audio();
    assert_eq!(audio[0].payload(0), Some(&[0xfc, 1, 2][..]));
    assert_eq!(audio[1].rtp_time - audio[0].rtp_time, 960);
    assert_eq!(rig.said("rendition"), 0);
}

#[test]
fn codecs_that_nobody_can_play_are_said_and_the_rest_plays() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    let mp3 = Track {
        id: TrackId::AUDIO,
        codec: Codec::Mp3,
    };
    rig.host(&[h264_track(1), mp3]);
    stream(&mut rig, 0, 2);
    rig.frame(sound(0, Bytes::from_static(&[0xff; 100])));
    assert_eq!((rig.video().len(), rig.audio().len()), (2, 0));
    assert_eq!(
        rig.core.reasons().collect::<Vec<_>>(),
        [Reason::AudioCodec("MP3")]
    );
    let hevc = Track {
        id: TrackId::VIDEO,
        codec: Codec::Hevc,
    };
    rig.host(&[hevc, aac_track()]);
    rig.frame(sound(0, Bytes::from_static(&[1; 100])));
    rig.render();
    rig.frame(picture(0, Picture::Idr, 100));
    assert_eq!((rig.video().len(), rig.audio().len()), (2, 1));
    assert_eq!(rig.core.reasons().collect::<Vec<_>>(), [Reason::Hevc]);
}
