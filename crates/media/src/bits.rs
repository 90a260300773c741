//! Bits of codec headers.

/// Reads a byte slice bit by bit, most significant bit first. Past the end every read is `None`.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position of the next bit, counted from the start.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// At the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next bit.
    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position >> 3)?;
        let bit = byte >> (7 - (self.position & 7)) & 1;
        self.position = self.position.checked_add(1)?;
        Some(bit == 1)
    }

    /// The next `count` bits (at most 32) as a number.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        debug_assert!(count <= 32, "a u32 holds 32 bits");
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Passes over `count` bits; `None` if there are not so many.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.position = self.position.checked_add(count)?;
        (self.position <= self.bytes.len().saturating_mul(8)).then_some(())
    }

    /// Unsigned Exp-Golomb, `ue(v)` (ITU-T H.264 §9.1).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0_u32;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        (1_u32 << zeros).checked_sub(1)?.checked_add(rest)
    }

    /// [`BitReader::ue`] of at most `most`; `None` also for more.
    pub fn ue_at_most(&mut self, most: u32) -> Option<u32> {
        self.ue().filter(|value| *value <= most)
    }

    /// Signed Exp-Golomb, `se(v)` (ITU-T H.264 §9.1.1).
    pub fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let magnitude = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code & 1 == 1 { magnitude } else { -magnitude })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_of_the_standard() {
        // 1 | 010 | 011 | 00100 | 00111, then padding.
        let mut reader = BitReader::new(&[0b1010_0110, 0b0100_0011, 0b1000_0000]);
        assert_eq!(
            [(); 5].map(|()| reader.ue()),
            [Some(0), Some(1), Some(2), Some(3), Some(6)]
        );
        let mut reader = BitReader::new(&[0b1010_0110, 0b0100_0011, 0b1000_0000]);
        assert_eq!(
            [(); 5].map(|()| reader.se()),
            [Some(0), Some(1), Some(-1), Some(2), Some(-3)]
        );
    }

    #[test]
    fn the_end_is_none_not_a_panic() {
        let mut reader = BitReader::new(&[0, 0, 0, 0, 0]);
        assert_eq!(reader.ue(), None);
        let six = BitReader::new(&[0b0011_1000]);
        assert_eq!(six.clone().ue_at_most(6), Some(6));
        assert_eq!(six.clone().ue_at_most(5), None);
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.bits(9), None);
        assert_eq!(BitReader::new(&[1]).skip(9), None);
    }
}
