//! The oracle is str0m's depacketizer, which shares no code with ours.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test may overflow: it fails"
)]

use std::time::Instant;

use str0m::format::CodecExtra;
use str0m::unversioned::{Depacketizer, H264Depacketizer};
use zongzi_media::{MediaTime, TrackId};

use super::*;
use crate::fixture::{self, Chance, Picture, picture, prefixed, with_seeds};

/// The NAL units that come out at the other side.
fn depacketized(batch: &Batch) -> Vec<Vec<u8>> {
    let mut depacketizer = H264Depacketizer::default();
    depacketizer.is_avc = true;
    let (mut out, mut extra) = (Vec::new(), CodecExtra::None);
    for index in 0..batch.packets() {
        let payload = batch.media(index).unwrap();
        depacketizer
            .depacketize(payload, &mut out, &mut extra)
            .unwrap();
    }
    let units = zongzi_media::h264::NalUnits::new(out.into(), 4);
    units.map(|unit| unit.bytes().to_vec()).collect()
}

fn packetize(packetizer: &mut Packetizer, frame: &Frame) -> Batch {
    let units = fixture::units(frame);
    packetizer
        .packetize(frame, &units, 7, 3, Instant::now())
        .unwrap()
}

fn of_units(keyframe: bool, units: &[Vec<u8>]) -> Frame {
    let time = MediaTime::ZERO;
    Frame {
        track: TrackId::VIDEO,
        dts: time,
        pts: time,
        keyframe,
        payload: prefixed(units),
    }
}

/// Lengths of GSO sends: packets of one size, the last one not longer.
fn runs(batch: &Batch) -> Vec<usize> {
    let mut runs: Vec<usize> = Vec::new();
    let (mut size, mut open) = (0, false);
    for index in batch.lead()..batch.packets() {
        let len = batch.payload(index).unwrap().len();
        if open && len <= size {
            *runs.last_mut().unwrap() += 1;
            open = len == size;
        } else {
            runs.push(1);
            (size, open) = (len, true);
        }
    }
    runs
}

fn check_shape(batch: &Batch) {
    let lens: Vec<_> = (0..batch.packets())
        .map(|index| batch.payload(index).unwrap().len())
        .collect();
    assert!(
        lens.iter().all(|len| (1..=PAYLOAD_MAX).contains(len)),
        "{lens:?}"
    );
    assert_eq!(lens.iter().sum::<usize>(), batch.bytes());
}

fn keyframe_track() -> Packetizer {
    let zongzi_media::Codec::H264(config) = fixture::h264_track(9).codec else {
        unreachable!()
    };
    Packetizer::new(&config)
}

const SPS: [u8; 4] = [0x67, 66, 0xc0, 9];
const PPS: [u8; 3] = [0x68, 0xce, 9];

#[test]
fn a_datagram_with_all_headers_stays_within_1200_bytes() {
    assert_eq!(PAYLOAD_MAX, 1_158);
}

#[test]
fn a_real_stream_comes_out_as_it_went_in() {
    for file in [fixture::OBS_BASELINE, fixture::OBS_STOCK] {
        let config = fixture::h264_config(file);
        let sets = [config.sps[0].to_vec(), config.pps[0].to_vec()];
        let mut packetizer = Packetizer::new(&config);
        let pictures = fixture::pictures(file);
        assert_eq!(pictures.len(), 12);
        for frame in pictures {
            let batch = packetize(&mut packetizer, &frame);
            check_shape(&batch);
            let slices = fixture::units(&frame)
                .into_iter()
                .filter(|unit| unit.nal_type().is_slice())
                .map(|unit| unit.bytes().to_vec());
            let expected: Vec<_> = if frame.keyframe {
                sets.iter().cloned().chain(slices).collect()
            } else {
                slices.collect()
            };
            assert!(depacketized(&batch) == expected, "at {:?}", frame.dts);
        }
    }
}

#[test]
fn a_keyframe_has_its_parameter_sets_in_a_packet_of_their_own_in_front() {
    let batch = packetize(
        &mut keyframe_track(),
        &picture(40_000, Picture::Idr, 10_000),
    );
    assert!(batch.is_keyframe());
    assert_eq!(
        (batch.lead(), batch.sequence, batch.group, batch.rtp_time),
        (1, 7, 3, 3_600)
    );
    // STAP-A with the highest NRI, then length and unit, twice.
    let expected = [&[0x78, 0, 4][..], &SPS, &[0, 3], &PPS].concat();
    assert_eq!(batch.payload(0).unwrap(), expected);
    assert_eq!(runs(&batch), [9]);
}

#[test]
fn other_pictures_have_no_parameter_sets() {
    let batch = packetize(&mut keyframe_track(), &picture(0, Picture::P, 500));
    assert_eq!(
        (batch.is_keyframe(), batch.lead(), batch.packets()),
        (false, 0, 1)
    );
}

#[test]
fn parameter_sets_in_band_replace_those_in_force() {
    let mut packetizer = keyframe_track();
    let (sps, pps) = (vec![0x67, 77, 0, 31], vec![0x68, 0xee, 1]);
    let idr = vec![0x65, 0b1000_1000, 0x80, 1];
    let batch = packetize(
        &mut packetizer,
        &of_units(true, &[sps.clone(), pps.clone(), idr.clone()]),
    );
    assert_eq!(
        depacketized(&batch),
        [sps.clone(), pps.clone(), idr.clone()]
    );
    let batch = packetize(&mut packetizer, &of_units(true, std::slice::from_ref(&idr)));
    assert_eq!(
        depacketized(&batch),
        [sps, pps, idr],
        "the next keyframe repeats them"
    );
}

#[test]
fn what_no_decoder_needs_is_left_out() {
    let slice = vec![0x41, 0b1001_1010, 0x80];
    let units = [
        vec![9, 0xf0],
        vec![6, 5, 1, 0, 0x80],
        slice.clone(),
        vec![12, 0xff],
        vec![10],
    ];
    let batch = packetize(&mut keyframe_track(), &of_units(false, &units));
    assert_eq!(depacketized(&batch), [slice]);
}

#[test]
fn a_large_slice_is_one_run_of_equal_packets() {
    for bytes in [1_159, 1_160, 2_313, 2_314, 5_000, 9_999, 64_000, 1_000_000] {
        let batch = packetize(&mut keyframe_track(), &picture(0, Picture::P, bytes));
        check_shape(&batch);
        assert_eq!(runs(&batch), [batch.packets()], "{bytes} bytes");
        assert_eq!(
            batch.packets(),
            (bytes - 1).div_ceil(1_156),
            "as few as can be"
        );
        let first = batch.payload(0).unwrap().len();
        let last = batch.packets() - 1;
        let padding = first - batch.media(last).unwrap().len();
        assert!(
            padding < batch.packets(),
            "{bytes} bytes: {padding} bytes of padding"
        );
        if padding < 256 {
            assert_eq!(batch.payload(last).unwrap().len(), first, "{bytes} bytes");
            assert_eq!(batch.is_padded(last), padding > 0);
        }
        if batch.is_padded(last) {
            let counted = *batch.payload(last).unwrap().last().unwrap();
            assert_eq!(usize::from(counted), padding);
        }
    }
    let batch = packetize(&mut keyframe_track(), &picture(0, Picture::P, 1_158));
    assert_eq!(batch.packets(), 1, "what fits is not cut");
}

#[test]
fn several_slices_make_a_run_each_and_small_ones_share_a_packet() {
    let slice = |bytes| {
        let mut slice = vec![0x41, 0b1001_1010, 0x80];
        slice.resize(bytes, 7);
        slice
    };
    let check = |slices: &[usize], expected: &[usize]| {
        let units: Vec<_> = slices.iter().copied().map(slice).collect();
        let batch = packetize(&mut keyframe_track(), &of_units(false, &units));
        check_shape(&batch);
        assert_eq!(runs(&batch), expected, "{slices:?}");
        assert_eq!(depacketized(&batch), units);
    };
    check(&[5_000, 5_000], &[5, 5]);
    check(&[5_000, 100, 100, 5_000], &[5, 1, 5]);
    check(&[300, 300, 300], &[1]);
    check(&[600, 600], &[2]);
    check(&[576, 577], &[1]);
    check(&[577, 577], &[2]);
}

#[test]
fn frames_that_make_no_packets_are_errors() {
    let error = |packetizer: &mut Packetizer, units: &[Vec<u8>]| {
        let frame = of_units(true, units);
        let result = packetizer.packetize(&frame, &fixture::units(&frame), 0, 0, Instant::now());
        result.map(|_| ()).unwrap_err()
    };
    let mut packetizer = keyframe_track();
    assert_eq!(error(&mut packetizer, &[]), Error::NoPicture);
    assert_eq!(
        error(&mut packetizer, &[SPS.to_vec(), vec![9, 16]]),
        Error::NoPicture
    );
    let mut huge = vec![0x65; 2];
    huge.resize(FRAME_BYTES_MAX, 0);
    assert_eq!(
        error(&mut packetizer, &[huge]),
        Error::TooLarge(FRAME_BYTES_MAX + SPS.len() + PPS.len())
    );
    let sps = vec![0x67; PARAMETER_SETS_BYTES_MAX];
    assert_eq!(
        error(&mut packetizer, &[sps, vec![0x65, 0x88, 0x80]]),
        Error::ParameterSets(PARAMETER_SETS_BYTES_MAX + PPS.len())
    );
}

#[test]
fn any_access_unit_comes_out_as_it_went_in() {
    with_seeds(|chance| {
        let mut packetizer = keyframe_track();
        let idr = chance.below(2) == 0;
        let count = chance.below(12) + 1;
        let units: Vec<_> = (0..count).map(|_| any_slice(chance, idr)).collect();
        let batch = packetize(&mut packetizer, &of_units(idr, &units));
        check_shape(&batch);
        let sets = if idr {
            vec![SPS.to_vec(), PPS.to_vec()]
        } else {
            vec![]
        };
        assert_eq!(depacketized(&batch), [sets, units.clone()].concat());
        let large = units.iter().filter(|unit| unit.len() > PAYLOAD_MAX).count();
        let small = units.len() - large;
        assert!(
            runs(&batch).len() <= large + small,
            "no more sends than units"
        );
    });
}

fn any_slice(chance: &mut Chance, idr: bool) -> Vec<u8> {
    let size = match chance.below(3) {
        0 => chance.between(2, 60),
        1 => chance.between(1_100, 1_200),
        _ => chance.between(2, 20_000),
    };
    let mut slice = chance.bytes(usize::try_from(size).unwrap());
    slice[0] = u8::try_from(chance.below(4)).unwrap() << 5 | if idr { 5 } else { 1 };
    slice
}
