//! What advisories say to people: what viewers have of it, and which setting of OBS changes it.

mod chinese;
mod english;

use super::Advisory;

/// A language that hosts read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    English,
    /// Chinese, simplified.
    Chinese,
}

/// An advisory in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What the host sends and what it does to viewers: one or two sentences.
    pub effect: String,
    /// Which setting changes it, by its name in OBS.
    pub setting: &'static str,
}

impl Advisory {
    /// What it says in `language`.
    pub fn words(self, language: Language) -> Words {
        match language {
            Language::English => english::words(self),
            Language::Chinese => chinese::words(self),
        }
    }
}

/// A level as people write it: 31 is 3.1.
fn level(idc: u8) -> String {
    format!("{}.{}", idc / 10, idc % 10)
}

/// Bits in Mb/s with one digit.
fn megabits(kilobits: u32) -> String {
    let tenths = kilobits.saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Seconds with one digit, without sign.
fn seconds(millis: i32) -> String {
    let tenths = millis.unsigned_abs().saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::playability::Reason;

    fn all() -> Vec<Advisory> {
        let unplayable = [
            Reason::Hevc,
            Reason::Av1,
            Reason::VideoCodec("VP9"),
            Reason::VideoFormat,
            Reason::AudioCodec("MP3"),
            Reason::HeAac,
            Reason::KeyframesOnly,
            Reason::ReducedFrameRate,
        ];
        let mut all = unplayable.map(Advisory::Unplayable).to_vec();
        all.extend([
            Advisory::NoKeyframe,
            Advisory::UploadStalls,
            Advisory::DroppedFrames { percent: 7 },
            Advisory::TimestampsDrift {
                millis_per_hour: -7_210,
            },
            Advisory::TimestampsJump,
            Advisory::HighBitrate { kilobits: 12_040 },
            Advisory::BitrateSwing {
                mean: 2_000,
                peak: 9_960,
            },
            Advisory::LongGroups { seconds: 8 },
            Advisory::BFrames,
            Advisory::Profile {
                profile: "Extended",
                level: 52,
            },
            Advisory::Interlaced,
            Advisory::LowFrameRate { rate: 12 },
            Advisory::HighFrameRate { rate: 120 },
            Advisory::LowAudioRate { hertz: 16_000 },
        ]);
        all
    }

    #[test]
    fn every_advisory_has_a_code_of_the_list_and_words_of_its_own_in_both_languages() {
        let codes: Vec<_> = all().into_iter().map(Advisory::code).collect();
        assert_eq!(codes, Advisory::CODES);
        for language in [Language::English, Language::Chinese] {
            let words = all().into_iter().map(|advisory| advisory.words(language));
            let effects: BTreeSet<_> = words.clone().map(|words| words.effect).collect();
            assert_eq!(effects.len(), codes.len());
            for words in words {
                assert!(words.setting.contains("OBS"), "{words:?}");
                let chinese = words
                    .effect
                    .chars()
                    .any(|sign| ('\u{4e00}'..='\u{9fff}').contains(&sign));
                assert_eq!(chinese, language == Language::Chinese, "{words:?}");
            }
        }
    }

    #[test]
    fn the_page_for_hosts_has_every_advisory_as_it_is_told() {
        let page = include_str!("../../../../../docs/advisories.md");
        for advisory in all() {
            let words = advisory.words(Language::English);
            let row = format!(
                "| `{}` | {} | {} |",
                advisory.code(),
                words.effect,
                words.setting
            );
            assert!(page.lines().any(|line| line == row), "{row}");
        }
    }

    #[test]
    fn figures_are_in_the_words() {
        for (advisory, figures) in [
            (
                Advisory::HighBitrate { kilobits: 12_040 },
                vec!["12.0 Mb/s"],
            ),
            (
                Advisory::BitrateSwing {
                    mean: 2_000,
                    peak: 9_960,
                },
                vec!["2.0 Mb/s", "10.0 Mb/s"],
            ),
            (
                Advisory::TimestampsDrift {
                    millis_per_hour: -7_210,
                },
                vec!["7.2"],
            ),
            (
                Advisory::Profile {
                    profile: "Extended",
                    level: 52,
                },
                vec!["Extended", "5.2"],
            ),
            (Advisory::LongGroups { seconds: 8 }, vec!["8"]),
        ] {
            for language in [Language::English, Language::Chinese] {
                let effect = advisory.words(language).effect;
                assert!(
                    figures.iter().all(|figure| effect.contains(figure)),
                    "{effect}"
                );
            }
        }
    }
}
