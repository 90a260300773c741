use super::*;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn a_compound_packet_gives_its_parts_in_order() {
    // Receiver report with one block, then a NACK of two pairs, then a PLI.
    let datagram = words(&[
        0x81c9_0007,
        0xaaaa_aaaa,
        0x0000_0001,
        0x20ff_fffd,
        0x0001_0005,
        77,
        0x1111_2222,
        0x0001_0000,
        0x81cd_0004,
        0xaaaa_aaaa,
        0x0000_0001,
        0xfffe_0005,
        0x0010_0000,
        0x81ce_0002,
        0xaaaa_aaaa,
        0x0000_0009,
    ]);
    let parts: Vec<Packet<'_>> = packets(&datagram).collect();
    let [
        Packet::ReceiverReport { ssrc, reports },
        Packet::Nack { media, pairs },
        Packet::Pli { media: pli },
    ] = parts.as_slice()
    else {
        panic!("three packets, not {parts:?}");
    };
    assert_eq!(*ssrc, Ssrc(0xaaaa_aaaa));
    let report = reports.iter().next().expect("one block");
    assert_eq!((report.fraction_lost, report.lost), (0x20, -3));
    assert_eq!((report.highest_sequence, report.jitter), (0x0001_0005, 77));
    assert_eq!(*media, Ssrc(1));
    let lost: Vec<u16> = pairs
        .iter()
        .flat_map(NackPair::sequences)
        .map(|sequence| sequence.0)
        .collect();
    assert_eq!(lost, [0xfffe, 0xffff, 1, 0x10], "across the roll-over");
    assert_eq!(*pli, Ssrc(9));
}

#[test]
fn a_reduced_size_packet_stands_alone() {
    let fir = words(&[0x84ce_0004, 1, 0, 42, 0x0700_0000]);
    let Some(Packet::Fir { sources }) = packets(&fir).next() else {
        panic!("a full intra request");
    };
    assert_eq!(sources.iter().collect::<Vec<_>>(), [(Ssrc(42), 7)]);
}

#[test]
fn what_does_not_parse_ends_the_datagram_and_never_loops() {
    let check = |bytes: &[u8], expected: usize| {
        assert_eq!(packets(bytes).count(), expected, "{bytes:02x?}");
    };
    check(&[], 0);
    check(&[0x80, 201, 0], 0);
    check(&words(&[0x80c9_0001]), 0);
    check(&words(&[0x40c9_0001, 1]), 0);
    // One block announced, none there; and 31 sources of a goodbye.
    check(&words(&[0x81c9_0001, 1]), 0);
    check(&words(&[0x9fcb_0001, 1]), 0);
    // Feedback too short for its two sources.
    check(&words(&[0x81ce_0001, 1]), 0);
    // Padding longer than the packet.
    check(&words(&[0xa0c9_0001, 0x0000_00ff]), 0);
    // A good one, then garbage.
    check(&words(&[0x80c9_0001, 1, 0xffff_ffff]), 1);
    // An unknown type is passed over.
    check(&words(&[0x80d0_0000, 0x80c9_0001, 1]), 2);
}

#[test]
fn padding_is_not_taken_for_lost_packets() {
    let nack = words(&[0xa1cd_0004, 1, 2, 0x0005_0000, 4]);
    let Some(Packet::Nack { pairs, .. }) = packets(&nack).next() else {
        panic!("a NACK");
    };
    assert_eq!(pairs.iter().count(), 1);
}

#[test]
fn a_written_sender_report_is_read_back() {
    let info = SenderInfo {
        ssrc: Ssrc(7),
        ntp: NtpTime::from_unix(Duration::new(1_700_000_000, 500_000_000)),
        rtp_time: RtpTime(90_000),
        packets: 3,
        bytes: 4_000,
    };
    let mut datagram = Vec::new();
    write_sender_report(&info, &mut datagram);
    for name in ["", "a", "ab", "abc", "zongzi"] {
        let mut datagram = datagram.clone();
        write_cname(info.ssrc, name, &mut datagram);
        write_bye(&[info.ssrc], &mut datagram);
        let parts: Vec<Packet<'_>> = packets(&datagram).collect();
        let [
            Packet::SenderReport {
                ssrc,
                ntp,
                rtp_time,
                packets,
                bytes,
                ..
            },
            Packet::Other {
                packet_type: 202,
                format: 1,
            },
            Packet::Bye { sources },
        ] = parts.as_slice()
        else {
            panic!("three packets, not {parts:?}");
        };
        let read = SenderInfo {
            ssrc: *ssrc,
            ntp: *ntp,
            rtp_time: *rtp_time,
            packets: *packets,
            bytes: *bytes,
        };
        assert_eq!(read, info);
        assert_eq!(sources.iter().collect::<Vec<_>>(), [Ssrc(7)]);
    }
}

#[test]
fn the_round_trip_is_what_the_receiver_did_not_spend() {
    let sent = NtpTime::from_unix(Duration::from_secs(1_000));
    let received = NtpTime::from_unix(Duration::from_millis(1_000_350));
    let mut report = Report {
        ssrc: Ssrc(1),
        fraction_lost: 0,
        lost: 0,
        highest_sequence: 0,
        jitter: 0,
        last_report: sent.compact(),
        since_last_report: 65_536 / 4,
    };
    let trip = report.round_trip(received).expect("a report was received");
    assert!(trip.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1));
    report.since_last_report = 65_536;
    assert_eq!(
        report.round_trip(received),
        None,
        "longer than all the time"
    );
    report.last_report = 0;
    assert_eq!(report.round_trip(received), None, "no sender report came");
}
