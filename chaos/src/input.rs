//! What is observed: rounds of scans over a synthetic estate that changes, and what has to follow from
//! them. Pure: the same seed makes the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bench::estate::Estate;
use elava_bus::{Pager, message_subject};
use elava_schemas::{Message, ScanId, ScanOutcome, ScanReport, Scope, Timestamp};
use fastrand::Rng;

/// How large an input is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) resources: usize,
    pub(crate) rounds: usize,
    /// Each has four scopes.
    pub(crate) accounts: usize,
    /// Rows in a page at most.
    pub(crate) page_rows: usize,
}

/// One body for one subject.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) subject: String,
    pub(crate) body: Bytes,
}

/// Rounds of scans of every scope.
#[derive(Debug)]
pub(crate) struct Input {
    size: Size,
    estate: Estate,
    /// By round and resource.
    lives: Vec<Vec<Life>>,
    /// By round and scope.
    listings: Vec<Vec<Listing>>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    exists: bool,
    revision: u32,
}

/// How a scan of one scope goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    Complete,
    /// Half of it, and the report says so.
    Partial,
    /// Nothing, and the report says so.
    Failed,
    /// Half of it, and no report: the observer died.
    Abandoned,
    /// All but one row, and the report says all: one was lost.
    Short,
}

/// Long ago, so that nothing is from the future whenever this runs.
fn begun() -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::days(20_000)
}

impl Input {
    pub(crate) fn new(seed: u64, size: Size) -> Self {
        let mut random = Rng::with_seed(seed);
        let estate = Estate::of_accounts(size.resources, size.accounts, begun());
        let mut life: Vec<Life> =
            (0..size.resources).map(|_| Life { exists: random.u8(..50) > 0, revision: 0 }).collect();
        let (mut lives, mut listings) = (Vec::new(), Vec::new());
        for round in 0..size.rounds {
            if round > 0 {
                life.iter_mut().for_each(|life| life.go_on(&mut random));
            }
            lives.push(life.clone());
            let is_last = round + 1 == size.rounds;
            listings.push((0..estate.scopes()).map(|_| Listing::any(&mut random, is_last)).collect());
        }
        Self { size, estate, lives, listings }
    }

    pub(crate) fn scopes(&self) -> usize {
        self.estate.scopes()
    }

    /// What a stream needs to hold all of it, and what observers add: a row takes 2 KB. The disk of a small machine has
    /// to have eight times as much.
    pub(crate) fn stream_bytes(&self) -> u64 {
        (256 << 20) + 3072 * (self.size.resources * self.size.rounds) as u64
    }

    /// The pages of one round, by scope.
    pub(crate) fn round(&self, round: usize) -> Vec<Vec<Page>> {
        (0..self.scopes()).map(|scope| self.scan(round, scope)).collect()
    }

    /// How many pages all rounds have.
    pub(crate) fn pages(&self) -> usize {
        let each = (0..self.size.rounds).flat_map(|round| (0..self.scopes()).map(move |scope| (round, scope)));
        each.map(|(round, scope)| {
            let reports = usize::from(self.listings[round][scope] != Listing::Abandoned);
            self.shown(round, scope).len().div_ceil(self.size.page_rows) + reports
        })
        .sum()
    }

    fn scan(&self, round: usize, scope: usize) -> Vec<Page> {
        let at = begun() + TimeDelta::minutes(i64::try_from(round).expect("few rounds"));
        let scan_id = self.scan_id(round, scope);
        let shown = self.shown(round, scope);
        let rows = shown.iter().map(|number| {
            let mut row = self.estate.sighting(*number, self.lives[round][*number].revision, at);
            if let Message::Observation(observation) = &mut row {
                observation.scan_id = Some(scan_id.clone());
            }
            row
        });
        let rows: Vec<Message> = rows.collect();
        let mut pages: Vec<Page> = rows.chunks(self.size.page_rows).flat_map(packed).collect();
        let listing = self.listings[round][scope];
        if listing != Listing::Abandoned {
            let report = ScanReport {
                scan_id,
                scope: self.scope(scope).clone(),
                started_at: at,
                finished_at: at + TimeDelta::seconds(30),
                outcome: match listing {
                    Listing::Partial => ScanOutcome::Partial,
                    Listing::Failed => ScanOutcome::Failed,
                    Listing::Complete | Listing::Abandoned | Listing::Short => ScanOutcome::Complete,
                },
                observed: (shown.len() + usize::from(listing == Listing::Short)) as u64,
                api_calls: 1,
                errors: Vec::new(),
            };
            pages.extend(packed(&[report.into()]));
        }
        pages
    }

    /// The resources that a scan shows.
    fn shown(&self, round: usize, scope: usize) -> Vec<usize> {
        let mut shown: Vec<usize> = self.members(scope).filter(|number| self.lives[round][*number].exists).collect();
        let kept = match self.listings[round][scope] {
            Listing::Complete => shown.len(),
            Listing::Partial | Listing::Abandoned => shown.len() / 2,
            Listing::Failed => 0,
            Listing::Short => shown.len().saturating_sub(1),
        };
        shown.truncate(kept);
        shown
    }

    fn members(&self, scope: usize) -> impl Iterator<Item = usize> {
        (scope..self.size.resources).step_by(self.scopes())
    }

    fn scope(&self, scope: usize) -> &Scope {
        // resources are dealt to the scopes in turn
        self.estate.scope(scope)
    }

    fn scan_id(&self, round: usize, scope: usize) -> ScanId {
        ScanId::of(&["chaos", &self.scope(scope).to_string(), &round.to_string()])
    }

    /// What must have appeared and disappeared, said as `type key scan`: computed from the input alone.
    pub(crate) fn lifecycle(&self) -> BTreeSet<String> {
        let keys: Vec<String> = (0..self.size.resources).map(|number| self.estate.key(number).to_string()).collect();
        let mut expected = BTreeSet::new();
        let mut known: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (round, scope) in
            (0..self.size.rounds).flat_map(|round| (0..self.scopes()).map(move |scope| (round, scope)))
        {
            let (known, scan) = (known.entry(scope).or_default(), self.scan_id(round, scope));
            let shown: BTreeSet<usize> = self.shown(round, scope).into_iter().collect();
            let mut say = |what: &str, number: &usize| {
                expected.insert(format!("{what} {} {scan}", keys[*number]));
            };
            shown.difference(known).for_each(|number| say("appeared", number));
            if self.listings[round][scope] == Listing::Complete {
                known.difference(&shown).for_each(|number| say("disappeared", number));
                known.clear();
            }
            known.extend(shown);
        }
        expected
    }

    /// What must exist in the end.
    pub(crate) fn existing(&self) -> BTreeSet<String> {
        let last = self.lives.last().expect("one round at least");
        let existing = last.iter().enumerate().filter(|(_, life)| life.exists);
        existing.map(|(number, _)| self.estate.key(number).to_string()).collect()
    }
}

impl Life {
    /// One in 40 changes, one in 100 goes, every second of those that are gone comes back.
    fn go_on(&mut self, random: &mut Rng) {
        match self.exists {
            true if random.u8(..100) == 0 => self.exists = false,
            true => self.revision += u32::from(random.u8(..40) == 0),
            false => self.exists = random.bool(),
        }
    }
}

impl Listing {
    /// The last one is complete, so that the history ends with the truth.
    fn any(random: &mut Rng, is_last: bool) -> Self {
        match random.u8(..100) {
            _ if is_last => Self::Complete,
            0..7 => Self::Partial,
            7..10 => Self::Failed,
            10..16 => Self::Abandoned,
            16..19 => Self::Short,
            _ => Self::Complete,
        }
    }
}

fn packed(messages: &[Message]) -> Vec<Page> {
    let mut pager = Pager::default();
    let mut pages = Vec::new();
    for message in messages {
        pages.extend(pager.push(&message_subject(message), &message.to_line()));
    }
    pages.extend(pager.close());
    pages.into_iter().map(|(subject, body)| Page { subject, body }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { resources: 400, rounds: 5, accounts: 3, page_rows: 10 };

    #[test]
    fn the_same_seed_makes_the_same_bytes() {
        let bodies = |seed| {
            let input = Input::new(seed, SIZE);
            let pages = (0..SIZE.rounds).flat_map(|round| input.round(round).concat());
            pages.map(|page| page.body).collect::<Vec<_>>()
        };
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
        assert_eq!(bodies(7).len(), Input::new(7, SIZE).pages());
    }

    #[test]
    fn the_end_is_what_came_and_did_not_go() {
        for seed in 0..20 {
            let input = Input::new(seed, SIZE);
            let mut alive: BTreeMap<String, i32> = BTreeMap::new();
            for said in input.lifecycle() {
                let words: Vec<&str> = said.split(' ').collect();
                *alive.entry(words[1].to_owned()).or_default() += if words[0] == "appeared" { 1 } else { -1 };
            }
            let alive: BTreeSet<String> =
                alive.into_iter().filter(|(_, count)| *count == 1).map(|(key, _)| key).collect();
            assert_eq!(alive, input.existing(), "seed {seed}");
        }
    }

    #[test]
    fn every_sort_of_listing_occurs() {
        let listings = Input::new(1, Size { rounds: 40, ..SIZE }).listings.concat();
        for listing in [Listing::Complete, Listing::Partial, Listing::Failed, Listing::Abandoned, Listing::Short] {
            assert!(listings.contains(&listing), "{listing:?}");
        }
    }
}
