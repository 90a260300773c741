//! What is sent once more: lost packets, and the newest group for a keyframe request.

use super::*;

#[test]
fn a_lost_packet_comes_again_on_the_retransmission_stream_with_its_old_number() {
    let mut lab = Lab::new();
    lab.group(5);
    lab.catch_up();
    let sent = media(&lab.got(), VIDEO);
    let lost = &sent[12];
    // The next and the one after the next, by the mask's bits 0 and 1, too.
    lab.nack(lost.0.sequence, 0b11);
    let again = media(&lab.got(), AGAIN);
    assert_eq!(again.len(), 3);
    for ((header, payload), (original, data)) in again.iter().zip(&sent[12..]) {
        assert_eq!(payload[..2], original.sequence.0.to_be_bytes());
        assert_eq!(payload[2..], data[..]);
        assert_eq!(
            (header.timestamp, header.marker),
            (original.timestamp, original.marker)
        );
        assert_eq!(header.payload_type, 97);
    }
    assert_eq!(again[2].0.sequence, again[0].0.sequence.plus(2));
    assert_eq!(lab.tally().retransmitted, 3);
}

#[test]
fn without_a_retransmission_stream_only_the_same_datagram_comes_again() {
    let mut lab = Lab::with(None, 5);
    lab.group(5);
    lab.pump();
    let datagrams = lab.out.0.clone();
    lab.got();
    lab.nack(SeqNo(5 + 3), 0);
    // The first datagram had gone twice.
    assert_eq!(lab.out.0, [datagrams[4].clone()]);
}

#[test]
fn packets_never_sent_or_long_gone_are_not_sent_again() {
    let mut lab = Lab::new();
    lab.group(5);
    lab.pump();
    lab.got();
    for number in [29_999, 30_019, 40_000, 0] {
        lab.nack(SeqNo(number), 0);
    }
    assert!(lab.out.0.is_empty());
    assert_eq!(lab.tally().not_retransmitted, 4);
}

#[test]
fn who_asks_for_everything_again_and_again_uses_up_his_budget() {
    let mut lab = Lab::new();
    lab.group(30);
    lab.catch_up();
    let sent = lab.tally().bytes;
    for _ in 0..50 {
        for number in (0..200).step_by(17) {
            lab.nack(SeqNo(30_000 + number), 0xffff);
        }
    }
    let tally = lab.tally();
    assert!(
        tally.bytes < sent / 4 + (40 << 10),
        "{} for {sent}",
        tally.bytes
    );
    assert!(
        tally.retransmitted > 50 && tally.not_retransmitted > 5_000,
        "{tally:?}"
    );
    // With media the budget comes back, by a quarter.
    lab.got();
    for _ in 0..30 {
        lab.live(false);
    }
    lab.nack(SeqNo(30_000), 0);
    assert_eq!(lab.tally().retransmitted, 1);
}

#[test]
fn a_keyframe_request_gets_the_newest_group_again_with_the_next_numbers_and_later_times() {
    let mut lab = Lab::new();
    lab.group(6);
    lab.catch_up();
    let first = lab.got();
    lab.wait(50);
    lab.keyframe_request();
    lab.catch_up();
    let again = lab.got();
    assert_eq!(frames(&again), frames(&first));
    let (old, new) = (media(&first, VIDEO), media(&again, VIDEO));
    assert_eq!(
        usize::from(new[0].0.sequence.0 - old[0].0.sequence.0),
        old.len()
    );
    let times: Vec<u32> = old.iter().chain(&new).map(|(a, _)| a.timestamp.0).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[old.len() - 1] < times[old.len()]);
    assert_eq!(again[1], Got::Copy);
    // Packets of the first time round are still known.
    lab.nack(old[3].0.sequence, 0);
    assert_eq!(media(&lab.got(), AGAIN)[0].1[2..], old[3].1[..]);
}

#[test]
fn keyframe_requests_are_answered_at_most_every_500_ms_and_not_for_ever() {
    let mut lab = Lab::new();
    lab.group(2);
    lab.catch_up();
    lab.keyframe_request();
    assert_eq!(lab.tally().groups_replayed, 1);
    assert!(!lab.keyframe_request(), "he is being sent one");
    let (mut replays, mut in_vain) = (0, 0);
    // Every 200 ms for 100 s, as a browser that cannot decode does; a keyframe each time.
    for round in 0..500 {
        lab.wait(167);
        lab.live(true);
        let needed = usize::from(lab.keyframe_request());
        lab.catch_up();
        let replayed = lab.tally().groups_replayed;
        in_vain += needed
            .checked_sub(replayed)
            .expect("one answered is one needed");
        assert!(
            replayed == 0 || round >= 2,
            "the second after half a second"
        );
        replays += replayed;
    }
    assert!((45..60).contains(&replays), "{replays}");
    assert!(in_vain > 100, "{in_vain}: only a new keyframe helps him");
}

#[test]
fn while_the_host_is_gone_a_viewer_who_has_it_all_is_not_taken_back() {
    let mut lab = Lab::new();
    lab.group(20);
    lab.catch_up();
    // A browser asks every 3 s when no picture comes.
    for _ in 0..5 {
        lab.wait(3_000);
        assert!(!lab.keyframe_request());
    }
    assert_eq!(lab.tally().groups_replayed, 0);
    // The host is back, and the request means what it says.
    lab.live(false);
    lab.keyframe_request();
    assert_eq!(lab.tally().groups_replayed, 1);
}

#[test]
fn of_more_than_a_second_s_packets_nothing_is_looked_up() {
    let mut lab = Lab::new();
    lab.group(30);
    lab.catch_up();
    lab.got();
    let asked = |lab: &mut Lab, times: u64| {
        for _ in 0..times {
            // None of them was ever sent: it costs no budget of bytes.
            lab.nack(SeqNo(10_000), u16::MAX);
        }
        lab.nack(SeqNo(30_000), 0);
        media(&lab.got(), AGAIN).len()
    };
    assert_eq!(asked(&mut lab, 240), 1, "4,080 before it");
    assert_eq!(asked(&mut lab, 1), 0, "4,098");
    assert_eq!(lab.tally().not_retransmitted, 241 * 17 + 1);
    lab.wait(1_000);
    lab.live(false);
    lab.got();
    assert_eq!(asked(&mut lab, 1), 1, "another second");
}
