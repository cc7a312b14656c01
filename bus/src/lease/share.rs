//! What an instance takes and what it gives up, so that all living ones hold about the same. Pure.

use std::collections::BTreeSet;

/// What is to be done now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) take: Vec<u16>,
    pub(super) give_up: Vec<u16>,
    /// Whether more could be ours as soon as others leave it.
    pub(super) is_hungry: bool,
}

/// For one of `living` instances over `groups`. What is free is looked at from `first` on, so that
/// instances that start together do not all ask for the same.
pub(super) fn plan(groups: u16, living: usize, mine: &BTreeSet<u16>, free: &BTreeSet<u16>, first: u16) -> Plan {
    let most = usize::from(groups).div_ceil(living.max(1));
    let give_up = mine.iter().rev().take(mine.len().saturating_sub(most)).copied().collect();
    let room = most.saturating_sub(mine.len());
    let (later, sooner): (Vec<u16>, Vec<u16>) = free.iter().partition(|group| **group < first);
    let take: Vec<u16> = sooner.into_iter().chain(later).take(room).collect();
    let is_hungry = take.len() < room;
    Plan { take, give_up, is_hungry }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All instances follow their plans until nothing changes; how many each holds.
    fn settle(groups: u16, held: &mut [BTreeSet<u16>]) -> Vec<usize> {
        for _ in 0..10 {
            for index in 0..held.len() {
                let taken: BTreeSet<u16> = held.iter().flatten().copied().collect();
                let free = (0..groups).filter(|group| !taken.contains(group)).collect();
                let first = u16::try_from(index).expect("few") * 5 % groups;
                let plan = plan(groups, held.len(), &held[index], &free, first);
                assert!(plan.take.is_empty() || plan.give_up.is_empty());
                held[index].extend(plan.take);
                held[index].retain(|group| !plan.give_up.contains(group));
            }
        }
        held.iter().map(BTreeSet::len).collect()
    }

    #[test]
    fn the_living_share_everything() {
        for (groups, living, shares) in [
            (16, 1, vec![16]),
            (16, 2, vec![8, 8]),
            (16, 3, vec![6, 6, 4]),
            (16, 4, vec![4; 4]),
            (1, 1, vec![1]),
            (1, 3, vec![1, 0, 0]),
            (4, 3, vec![2, 2, 0]),
        ] {
            let mut held = vec![BTreeSet::new(); living];
            assert_eq!(settle(groups, &mut held), shares, "all start together");
            let mut held = vec![BTreeSet::new(); living];
            held[0] = (0..groups).collect();
            let found = settle(groups, &mut held);
            assert_eq!(found.iter().sum::<usize>(), usize::from(groups), "one was there before");
            assert!(found.iter().all(|count| *count <= usize::from(groups).div_ceil(living)), "{found:?}");
        }
    }

    #[test]
    fn hunger() {
        let all = |groups: u16| (0..groups).collect::<BTreeSet<u16>>();
        assert_eq!(plan(16, 1, &all(16), &all(0), 3), Plan::default());
        assert!(plan(16, 1, &all(4), &all(0), 0).is_hungry, "somebody who died still holds the rest");
        assert!(plan(1, 2, &all(0), &all(0), 0).is_hungry, "a stand-by");
        assert_eq!(plan(4, 2, &all(0), &all(4), 3).take, [3, 0]);
        assert_eq!(plan(4, 2, &all(4), &all(0), 0).give_up, [3, 2]);
    }
}
