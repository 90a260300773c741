#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::hash::{DefaultHasher, Hasher};

use zongzi_media::h264::NalType;

/// NAL units of one access unit at most: a defence against nonsense, far above what encoders make.
const UNITS_MAX: usize = 512;

/// A 64-bit fingerprint of an access unit's coded slices, in order.
///
/// Parameter sets, delimiters, SEI and filler are left out: a server may add, repeat or drop them. Two units with
/// other slice bytes, another number or order of slices have another fingerprint, but for a chance of 2^-64.
pub(crate) fn digest<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    // `new` gives every hasher the same key: hosts' and engines' digests can be compared.
    let mut hasher = DefaultHasher::new();
    for unit in units {
        if unit
            .first()
            .is_some_and(|first| NalType(first & 0x1f).is_slice())
        {
            hasher.write_usize(unit.len());
            hasher.write(unit);
        }
    }
    hasher.finish()
}

/// Undoes RFC 6184 packetization (single NAL units, STAP-A §5.7.1, FU-A §5.8) of one access unit whose RTP payloads
/// are given in order. `None` if they don't fit together.
pub(crate) fn slices_of_payloads<'a>(
    payloads: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Vec<Vec<u8>>> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    let mut fragmented: Option<Vec<u8>> = None;
    for payload in payloads {
        let (first, rest) = payload.split_first()?;
        let kind = first & 0x1f;
        if kind != 28 && fragmented.is_some() {
            return None;
        }
        match kind {
            1..=23 => units.push(payload.to_vec()),
            24 => {
                let mut rest = rest;
                while !rest.is_empty() {
                    let size = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
                    units.push(rest.get(2..size.checked_add(2)?)?.to_vec());
                    rest = rest.get(size.checked_add(2)?..)?;
                    if units.len() > UNITS_MAX {
                        return None;
                    }
                }
            }
            28 => {
                let (fu, data) = rest.split_first()?;
                if fu & 0x80 != 0 {
                    if fragmented.is_some() {
                        return None;
                    }
                    fragmented = Some(vec![(first & 0xe0) | (fu & 0x1f)]);
                }
                fragmented.as_mut()?.extend_from_slice(data);
                if fu & 0x40 != 0 {
                    units.extend(fragmented.take());
                }
            }
            _ => return None,
        }
        if units.len() > UNITS_MAX {
            return None;
        }
    }
    fragmented.is_none().then_some(units)
}

/// Whether an access unit can be decoded by itself: it has an IDR slice (ITU-T H.264 §7.4.1.2.4).
pub(crate) fn is_keyframe(units: &[Vec<u8>]) -> bool {
    units.iter().any(|unit| {
        unit.first()
            .is_some_and(|first| NalType(first & 0x1f) == NalType::IDR)
    })
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test's own small numbers")]
mod tests {
    use super::*;

    fn fragments(unit: &[u8], size: usize) -> Vec<Vec<u8>> {
        let (header, data) = unit.split_first().expect("a header");
        let count = data.len().div_ceil(size);
        data.chunks(size)
            .enumerate()
            .map(|(index, chunk)| {
                let start = if index == 0 { 0x80 } else { 0 };
                let end = if index + 1 == count { 0x40 } else { 0 };
                let mut payload = vec![(header & 0xe0) | 28, start | end | (header & 0x1f)];
                payload.extend_from_slice(chunk);
                payload
            })
            .collect()
    }

    fn undone(payloads: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
        slices_of_payloads(payloads.iter().map(Vec::as_slice))
    }

    #[test]
    fn aggregates_fragments_and_single_units_come_back_as_they_were() {
        let (sps, pps) = (vec![0x67, 1, 2, 3], vec![0x68, 4]);
        let idr: Vec<u8> = std::iter::once(0x65)
            .chain((0..=255).cycle().take(5000))
            .collect();
        let mut stap = vec![24, 0, 4];
        stap.extend(&sps);
        stap.extend([0, 2]);
        stap.extend(&pps);
        let mut payloads = vec![stap];
        payloads.extend(fragments(&idr, 1100));
        payloads.push(vec![0x41, 9, 9]);
        let units = undone(&payloads).expect("whole");
        assert_eq!(units, [sps, pps, idr, vec![0x41, 9, 9]]);
        assert!(is_keyframe(&units));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let parts = fragments(&[&[0x65][..], &[7; 3000]].concat(), 1000);
        assert_eq!(undone(&parts[1..]), None, "no start");
        assert_eq!(undone(&parts[..2]), None, "no end");
        let mixed = [
            parts[0].clone(),
            vec![0x41, 1],
            parts[1].clone(),
            parts[2].clone(),
        ];
        assert_eq!(undone(&mixed), None, "another unit within a fragmented one");
        assert_eq!(undone(&[vec![24, 0, 9, 1]]), None, "aggregate cut short");
        assert_eq!(undone(&[vec![28]]), None);
        assert_eq!(undone(&[vec![]]), None);
        assert_eq!(undone(&[vec![30, 1]]), None, "a type we don't know");
    }

    #[test]
    fn the_digest_sees_slices_and_nothing_else() {
        let slice: &[u8] = &[0x65, 1, 2, 3];
        let with_sets: [&[u8]; 4] = [&[0x67, 1], &[0x68, 1], &[0x06, 5], slice];
        assert_eq!(digest([slice]), digest(with_sets));
        assert_ne!(digest([slice]), digest([&[0x65, 1, 2, 4][..]]));
        assert_ne!(digest([slice, slice]), digest([slice]));
        assert_ne!(
            digest([&[0x41, 1][..], &[0x41, 2]]),
            digest([&[0x41, 1, 0x41, 2][..]]),
            "where a slice ends matters"
        );
        assert_ne!(
            digest([&[0x41, 1][..], &[0x41, 2]]),
            digest([&[0x41, 2][..], &[0x41, 1]])
        );
    }
}
