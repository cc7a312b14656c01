//! Two lists of violations of one resource, side by side.

use elava_schemas::Timestamp;
use serde::Serialize;

use super::timeline::Episode;

/// What the new bundle does with a violation that the other one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Only the new one finds it.
    Opens,
    /// Both find it, and the new one finds it mended earlier.
    Resolves,
    /// Both find it, at other times, or with another severity or message.
    Changes,
    /// Both find the same.
    Unchanged,
    /// Only the other one finds it.
    Gone,
}

impl Sort {
    /// Every sort, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Opens, Self::Resolves, Self::Changes, Self::Unchanged, Self::Gone];

    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Opens => "would open",
            Self::Resolves => "would resolve",
            Self::Changes => "changed",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
        }
    }
}

/// One violation, as both find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How they differ.
    pub sort: Sort,
    /// As the new bundle finds it.
    pub new: Option<Episode>,
    /// As the other one finds it, or as it was recorded.
    pub old: Option<Episode>,
}

impl Difference {
    /// The violation, as the new bundle finds it where it does.
    ///
    /// # Panics
    /// Never: somebody finds it.
    #[must_use]
    pub fn episode(&self) -> &Episode {
        self.new.as_ref().or(self.old.as_ref()).expect("a violation is found by one of the two")
    }
}

/// Pairs what is of one rule and overlaps in time; in order of rule and time.
pub(super) fn compare(mut new: Vec<Episode>, mut old: Vec<Episode>) -> Vec<Difference> {
    for episodes in [&mut new, &mut old] {
        episodes.sort_by(|a, b| place(a).cmp(&place(b)));
    }
    let mut differences = Vec::with_capacity(new.len().max(old.len()));
    for episode in new {
        let same = old.iter().position(|other| {
            (&other.policy, &other.rule) == (&episode.policy, &episode.rule) && overlap(other, &episode)
        });
        let other = same.map(|place| old.remove(place));
        let sort = other.as_ref().map_or(Sort::Opens, |other| sort(&episode, other));
        differences.push(Difference { sort, new: Some(episode), old: other });
    }
    differences.extend(old.into_iter().map(|old| Difference { sort: Sort::Gone, new: None, old: Some(old) }));
    differences.sort_by(|a, b| place(a.episode()).cmp(&place(b.episode())));
    differences
}

fn place(episode: &Episode) -> (&str, &str, Timestamp) {
    (&episode.policy, &episode.rule, episode.opened_at)
}

fn overlap(a: &Episode, b: &Episode) -> bool {
    let begins_within =
        |a: &Episode, b: &Episode| a.opened_at >= b.opened_at && b.closed_at.is_none_or(|closed| a.opened_at < closed);
    a.opened_at == b.opened_at || begins_within(a, b) || begins_within(b, a)
}

fn sort(new: &Episode, old: &Episode) -> Sort {
    let closes_earlier = match (new.closed_at, old.closed_at) {
        (Some(new), Some(old)) => new < old,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let times = |episode: &Episode| (episode.opened_at, episode.closed_at);
    let says_else = (new.severity, &new.message) != (old.severity, &old.message);
    if closes_earlier {
        Sort::Resolves
    } else if times(new) != times(old) || (old.is_final && says_else) {
        Sort::Changes
    } else {
        Sort::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use elava_schemas::{Severity, Timestamp};

    use super::*;

    fn episode(rule: &str, opened: u8, closed: Option<u8>, message: &str) -> Episode {
        let at = |hour: u8| format!("2026-11-01T{hour:02}:00:00Z").parse::<Timestamp>().expect("a time");
        Episode {
            policy: "day2.a".to_owned(),
            rule: rule.to_owned(),
            severity: Severity::Warning,
            message: message.to_owned(),
            opened_at: at(opened),
            closed_at: closed.map(at),
            is_final: true,
        }
    }

    #[test]
    fn violations_side_by_side() {
        let e = episode;
        for (name, new, old, expected) in [
            ("nothing", vec![], vec![], ""),
            ("the same", vec![e("r", 1, Some(2), "m")], vec![e("r", 1, Some(2), "m")], "unchanged"),
            ("another rule", vec![e("r", 1, None, "m")], vec![e("s", 1, None, "m")], "would open, gone"),
            ("mended earlier", vec![e("r", 1, Some(2), "m")], vec![e("r", 1, None, "m")], "would resolve"),
            ("mended later", vec![e("r", 1, Some(3), "m")], vec![e("r", 1, Some(2), "m")], "changed"),
            ("found later", vec![e("r", 2, None, "m")], vec![e("r", 1, None, "m")], "changed"),
            ("other words", vec![e("r", 1, None, "n")], vec![e("r", 1, None, "m")], "changed"),
            (
                "one of two",
                vec![e("r", 4, Some(5), "m")],
                vec![e("r", 1, Some(2), "m"), e("r", 4, Some(5), "m")],
                "gone, unchanged",
            ),
            (
                "in two pieces",
                vec![e("r", 1, Some(2), "m"), e("r", 3, None, "m")],
                vec![e("r", 1, None, "m")],
                "would resolve, would open",
            ),
            ("one after the other", vec![e("r", 2, None, "m")], vec![e("r", 1, Some(2), "m")], "gone, would open"),
        ] {
            let found: Vec<&str> = compare(new, old).iter().map(|difference| difference.sort.words()).collect();
            assert_eq!(found.join(", "), expected, "{name}");
        }
        let unsure = Episode { is_final: false, ..e("r", 1, None, "m") };
        assert_eq!(compare(vec![e("r", 1, None, "n")], vec![unsure])[0].sort, Sort::Unchanged);
    }
}
