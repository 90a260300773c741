//! What sender reports tell a viewer, and what his own reports tell of losses.

use super::*;

/// How many pictures had gone at each report on them.
fn reported_at(got: &[Got]) -> Vec<u32> {
    got.iter()
        .filter_map(|got| match got {
            Got::Report {
                ssrc: VIDEO,
                packets,
                ..
            } => Some(*packets),
            _ => None,
        })
        .collect()
}

#[test]
fn pictures_that_may_soon_come_at_other_times_are_not_reported_on() {
    // The picture with which reports begin, where the 61st is of `then`.
    let begins = |rendition, then| {
        let mut lab = Lab::new();
        for number in 0..150 {
            lab.rendition = if number < 60 { rendition } else { then };
            lab.live(number % 60 == 0);
        }
        reported_at(&lab.got())[0] / 9
    };
    let (source, in_order, reencoded) =
        (Rendition::Source, Rendition::InOrder, Rendition::Reencoded);
    assert_eq!(begins(source, source), 1);
    assert_eq!(begins(reencoded, reencoded), 1);
    assert!((61..=91).contains(&begins(in_order, reencoded)));
    assert!(
        (122..=152).contains(&begins(in_order, in_order)),
        "after 4 s"
    );
}

#[test]
fn reports_come_every_second_while_media_flows() {
    let mut lab = Lab::at_live();
    for _ in 0..100 {
        lab.live(false);
    }
    let counts = reported_at(&lab.got());
    let apart: Vec<u32> = counts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(apart, [31 * 9; 3], "a picture of 9 packets every 33 ms");
}

#[test]
fn reported_losses_are_counted_once_and_never_more_than_was_sent() {
    let mut lab = Lab::at_live();
    lab.report(VIDEO, 0, 0);
    lab.tally();
    lab.live(false);
    let told = |lab: &mut Lab, ssrc, lost| {
        lab.report(ssrc, 0, lost);
        let tally = lab.tally();
        (tally.reported, tally.reported_lost)
    };
    assert_eq!(told(&mut lab, VIDEO, 3), (9, 3));
    assert_eq!(told(&mut lab, VIDEO, 4), (0, 0), "nothing was sent since");
    lab.live(false);
    assert_eq!(told(&mut lab, VIDEO, 2), (9, 0), "late ones were found");
    lab.live(false);
    assert_eq!(told(&mut lab, VIDEO, 5), (9, 1));
    lab.live(false);
    assert_eq!(told(&mut lab, VIDEO, i32::MAX), (9, 9));
    lab.live(false);
    assert_eq!(told(&mut lab, VIDEO, -7), (9, 0));
    assert_eq!(told(&mut lab, Ssrc(999), 7), (0, 0), "of no stream of his");
}
