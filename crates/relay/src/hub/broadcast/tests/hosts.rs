//! Hosts come, go and come back.

use super::*;

#[test]
fn a_lost_host_who_comes_back_with_another_encoder_goes_on_in_the_same_broadcast() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 500, 30);
    rig.act(|core, now| core.host_left(now, Finish::Lost));
    assert_eq!(rig.core.state(), State::Interrupted);
    rig.pass(ms(10_000));
    rig.host(&[h264_track(2)]);
    // Its encoder begins in the middle of a group, and counts from elsewhere.
    rig.frame(picture(77_000_000, Picture::P, 100));
    stream(&mut rig, 77_040, 2);
    let video = rig.video();
    let (before, after) = (video[29], video[30]);
    assert_eq!(
        (before.sequence, after.sequence, after.group),
        (29, 30, before.group + 1)
    );
    assert!(after.is_keyframe());
    let parameter_sets = after.payload(0).unwrap();
    assert!(
        parameter_sets
            .windows(3)
            .any(|bytes| bytes == [0x68, 0xce, 2]),
        "the new ones"
    );
    let ticks = after.rtp_time.wrapping_sub(before.rtp_time);
    let real = after.received - before.received;
    assert!(real > ms(10_000));
    assert_eq!(
        u128::from(ticks),
        (real.as_millis() + 40) * 90,
        "the first frame was 40 ms earlier"
    );
    assert_eq!(
        (
            rig.said("Started"),
            rig.said("Interrupted"),
            rig.said("Resumed")
        ),
        (1, 1, 1)
    );
    assert_eq!((rig.said("Ended"), rig.said(" ended")), (0, 0));
}

#[test]
fn the_grace_is_30_seconds_for_a_lost_host_and_5_for_one_who_said_goodbye() {
    for (finish, grace, reason) in [
        (Finish::Lost, 30_000, EndReason::HostLost),
        (Finish::Orderly, 5_000, EndReason::HostFinished),
    ] {
        let mut rig = Rig::new();
        rig.act(|core, _| core.subscribe(SHARD));
        rig.host(&[h264_track(1)]);
        stream(&mut rig, 0, 5);
        rig.act(|core, now| core.host_left(now, finish));
        rig.pass(ms(grace - 1));
        assert_eq!(rig.core.state(), State::Interrupted);
        rig.pass(ms(1));
        assert_eq!(rig.core.state(), State::Waiting);
        assert_eq!(rig.said(&format!("Ended({reason:?})")), 1, "{:?}", rig.log);
        assert!(matches!(rig.shard.last(), Some(FromHub::Ended { .. })));
        assert_eq!(rig.core.poll_timeout(), None);
        // Those who wait see the next host without a new subscription, on the same time and numbers.
        let last = rig.video().last().unwrap().rtp_time;
        rig.pass(ms(60_000));
        rig.host(&[h264_track(3)]);
        stream(&mut rig, 0, 1);
        let next = rig.video().last().copied().unwrap().clone();
        assert_eq!((next.sequence, next.group), (5, 2));
        assert!(next.rtp_time.wrapping_sub(last) > 60_000 * 90);
        assert_eq!(rig.said("Started"), 2);
    }
}

#[test]
fn a_joiner_in_the_interruption_gets_the_last_pictures_and_after_the_end_nothing() {
    let mut rig = Rig::new();
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 5);
    rig.act(|core, now| core.host_left(now, Finish::Lost));
    rig.act(|core, _| core.subscribe(SHARD));
    rig.pass(ms(30_000));
    rig.act(|core, _| core.subscribe(SHARD));
    assert_eq!(
        (rig.said("snapshot of 5"), rig.said("snapshot of 0")),
        (1, 1)
    );
}

#[test]
fn the_server_ends_a_broadcast_without_grace() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 5);
    rig.act(|core, _| core.server_ends(Ended::KeyRevoked));
    assert_eq!(rig.said("Ended(Server(KeyRevoked))"), 1);
    // What was still on its way is not played.
    rig.frame(picture(200_000, Picture::Idr, 100));
    assert_eq!(rig.video().len(), 5);
}
