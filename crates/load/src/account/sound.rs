/// Opus packets by their timestamps, where nothing can be decrypted or compared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sound {
    last: Option<(u64, u32)>,
    jumps: u64,
}

/// The least that an Opus frame holds is 2.5 ms, and the clock has 48,000 ticks a second (RFC 6716 §2.1.4, RFC 7587 §4.1).
const FRAME_TICKS: u32 = 120;
/// A live server's packets hold 60 ms at most: what is longer is sound that was left out.
const PACKET_TICKS_MAX: u32 = 24 * FRAME_TICKS;

impl Sound {
    /// A packet came: its number, which counts what did not come too, and its timestamp.
    pub(crate) fn packet(&mut self, number: u64, rtp_time: u32) {
        if let Some((last, time)) = self.last
            && number == last + 1
            && !can_be_a_packet(rtp_time.wrapping_sub(time))
        {
            self.jumps += 1;
        }
        self.last = Some((number, rtp_time));
    }

    /// Times that the timestamp went on by what no packet holds, although none is missing.
    pub(crate) fn jumps(&self) -> u64 {
        self.jumps
    }
}

fn can_be_a_packet(ticks: u32) -> bool {
    (FRAME_TICKS..=PACKET_TICKS_MAX).contains(&ticks) && ticks.is_multiple_of(FRAME_TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jumps(packets: &[(u64, u32)]) -> u64 {
        let mut sound = Sound::default();
        for (number, rtp_time) in packets {
            sound.packet(*number, *rtp_time);
        }
        sound.jumps()
    }

    #[test]
    fn packets_of_20_and_30_ms_are_no_jump_even_where_the_clock_wraps() {
        let start = u32::MAX - 1_000;
        let times = [0, 960, 1_920, 3_360, 4_320].map(|ticks| start.wrapping_add(ticks));
        let packets: Vec<_> = (5..).zip(times).collect();
        assert_eq!(jumps(&packets), 0);
    }

    #[test]
    fn sound_left_out_backwards_or_off_the_raster_is_a_jump() {
        assert_eq!(jumps(&[(0, 0), (1, 3_840)]), 1, "60 ms are missing");
        assert_eq!(jumps(&[(0, 960), (1, 0)]), 1);
        assert_eq!(jumps(&[(0, 960), (1, 960)]), 1);
        assert_eq!(jumps(&[(0, 0), (1, 976)]), 1);
    }

    #[test]
    fn where_a_packet_is_lost_nobody_can_tell() {
        assert_eq!(jumps(&[(0, 0), (2, 50_000), (3, 50_960)]), 0);
    }
}
