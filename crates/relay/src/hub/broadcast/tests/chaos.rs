//! Whatever happens, by chance.

use super::*;

/// An hour in the life of a channel, by chance: what the log says.
fn chaos(chance: &mut Chance) -> String {
    let mut rig = Rig::new();
    let mut host_time = 0;
    for _ in 0..600 {
        rig.pass(ms(chance.below(100)));
        host_time += chance.between(0, 80);
        match chance.below(60) {
            0 => {
                let mark = u8::try_from(chance.below(3)).unwrap();
                rig.host(&[h264_track(mark), aac_track()]);
                host_time = chance.between(0, 1 << 32);
            }
            1 => {
                let lost = chance.below(2) == 0;
                let finish = if lost { Finish::Lost } else { Finish::Orderly };
                rig.act(|core, now| core.host_left(now, finish));
            }
            2 => rig.pass(ms(chance.below(40_000))),
            3 => host_time += chance.between(-100_000, 100_000),
            4..8 => {
                let shard = ShardId(u16::try_from(chance.below(3)).unwrap());
                rig.act(|core, _| core.subscribe(shard));
            }
            8 | 9 => {
                let shard = ShardId(u16::try_from(chance.below(3)).unwrap());
                rig.act(|core, _| core.unsubscribe(shard));
            }
            10 => rig.act(|core, _| core.server_ends(Ended::Kicked)),
            11..30 => rig.frame(sound(host_time * 1_000, Bytes::from_static(&[7; 99]))),
            30 => rig.frame(picture(host_time * 1_000, Picture::B, 99)),
            31 => rig.no_place = !rig.no_place,
            32..34 if rig.video.is_some() => {
                let number = rig.video.unwrap();
                rig.give_way(number, GiveWay::Broken);
            }
            34..50 if rig.video.is_some() && !rig.core.video.source.newest().is_empty() => {
                let (keyframe, back) = (chance.below(4) == 0, chance.between(0, 3));
                remade(&mut rig, keyframe, back);
            }
            kind => {
                let kind = if kind < 36 { Picture::Idr } else { Picture::P };
                let bytes = usize::try_from(chance.below(5_000)).unwrap();
                rig.frame(picture(host_time * 1_000, kind, bytes));
            }
        }
        rig.render();
    }
    check_what_a_shard_saw(&rig.shard);
    rig.log.join("\n")
}

#[test]
fn two_runs_with_one_seed_give_the_same_log_byte_for_byte() {
    with_seeds(|chance| {
        let mut again = Chance::same_as(chance);
        assert_eq!(chaos(chance), chaos(&mut again));
    });
}
