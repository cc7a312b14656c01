//! One living instance of a stage: that it lives, and the leases it holds on groups of partitions.
//!
//! Keys are `instance.<stage>.<instance>` and `group.<stage>.<group>`. Whatever the server may have
//! done with a write whose answer did not come, the next look tells: our name is in the key or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::bucket::{Bucket, Entry, Held};
use super::share::{Plan, plan};
use super::{Lease, ttl};
use crate::PARTITIONS;
use crate::nats::NatsError;

/// What one instance of a stage holds.
pub(crate) struct Holder {
    bucket: Bucket,
    stage: &'static str,
    groups: u16,
    /// Where we begin to look for what is free.
    first: u16,
    /// Says that we live.
    living: Option<Held>,
    held: BTreeMap<u16, Held>,
    /// To be given back as soon as the work on them has ended.
    leaving: BTreeSet<u16>,
    renew_at: Instant,
}

/// What a look at the bucket led to.
pub(crate) struct News {
    /// Ours from now on.
    pub(crate) taken: Vec<(u16, Lease)>,
    /// Work on these is to end.
    pub(crate) give_up: Vec<u16>,
    /// Who holds what is not ours.
    pub(crate) others: BTreeMap<u16, String>,
    /// How the holders are reached, ours too.
    pub(crate) about: BTreeMap<u16, String>,
    /// Set where somebody shares the partitions in another number of groups.
    pub(crate) differs: Option<(String, u16)>,
    /// When to look again.
    pub(crate) next: Instant,
}

impl Holder {
    pub(crate) fn new(bucket: Bucket, stage: &'static str, groups: u16) -> Self {
        let (held, leaving) = (BTreeMap::new(), BTreeSet::new());
        let first = u16::from(blake3::hash(bucket.instance.as_bytes()).as_bytes()[0]) % groups;
        Self { bucket, stage, groups, first, living: None, held, leaving, renew_at: Instant::now() }
    }

    /// Our name.
    pub(crate) fn instance(&self) -> &str {
        &self.bucket.instance
    }

    /// When the leases are to be renewed.
    pub(crate) fn renew_at(&self) -> Instant {
        self.renew_at
    }

    /// How long to wait before something is tried again.
    pub(crate) fn pause(&self) -> Duration {
        self.bucket.ttl / 10
    }

    /// Whether others know that we live.
    pub(crate) fn is_living(&self) -> bool {
        self.living.as_ref().is_some_and(|held| held.lease.is_held())
    }

    /// Whether a group is ours, or was when last looked at.
    pub(crate) fn holds(&self, group: u16) -> bool {
        self.held.get(&group).is_some_and(|held| held.lease.is_held())
    }

    /// How many partitions are certainly ours.
    pub(crate) fn partitions(&self) -> u64 {
        let held = self.held.values().filter(|held| held.lease.is_held()).count();
        held as u64 * u64::from(PARTITIONS / self.groups)
    }

    /// Renews what is due, finds out what was lost, takes what is free and gives up what is too much.
    /// Groups that are `busy`, with work that has not ended yet, are not taken again.
    pub(crate) async fn look(&mut self, busy: &BTreeSet<u16>) -> Result<News, NatsError> {
        let intact = Instant::now() < self.renew_at || self.renew().await;
        let filters = [self.key("group", ">"), self.key("instance", ">")];
        let entries = self.bucket.list(&filters).await?;
        self.compare(&entries);
        if !intact {
            self.renew_each().await;
        }
        let living = self.join(&entries).await?;
        let (free, others) = self.free(&entries, busy);
        let (about, differs) = (self.about(&entries), self.differs(&entries));
        let mine = self.held.keys().filter(|group| !self.leaving.contains(group)).copied().collect();
        let Plan { take, give_up, mut is_hungry } =
            plan(self.groups, living, &mine, &free.keys().copied().collect(), self.first);
        let wanted = take.len();
        let taken = self.take(take.into_iter().map(|group| (group, free[&group]))).await;
        is_hungry |= taken.len() < wanted;
        self.leaving.extend(&give_up);
        let pause = if is_hungry { self.pause() } else { ttl::renewal(self.bucket.ttl) };
        Ok(News { taken, give_up, others, about, differs, next: self.renew_at.min(Instant::now() + pause) })
    }

    /// Says that we live, where nobody knows; how many live, with us.
    async fn join(&mut self, entries: &[Entry]) -> Result<usize, NatsError> {
        let key = self.key("instance", &self.bucket.instance);
        let own = entries.iter().find(|entry| entry.key == key);
        if self.living.is_none() {
            self.living = self.bucket.take(&key, None, own.map_or(0, |entry| entry.revision)).await?;
        }
        let others = entries.iter().filter(|entry| entry.key.starts_with("instance.") && entry.key != key);
        Ok(1 + others.filter(|entry| entry.body().is_some()).count())
    }

    /// Forgets what is not ours any more, and learns the revisions of what is.
    fn compare(&mut self, entries: &[Entry]) {
        self.forget_lost();
        let instance = &self.bucket.instance;
        let ours = |held: &mut Held| {
            let found = entries.iter().find(|entry| entry.key == held.key);
            match found.filter(|entry| entry.body().is_some_and(|body| body.instance == *instance)) {
                Some(entry) => held.revision = held.revision.max(entry.revision),
                None => {
                    warn!(key = held.key, "lease lost");
                    held.lease.end();
                    return false;
                }
            }
            true
        };
        self.living = self.living.take().and_then(|mut held| ours(&mut held).then_some(held));
        self.held.retain(|_, held| ours(held));
        self.leaving.retain(|group| self.held.contains_key(group));
    }

    /// What lasted too long without being renewed may be another's.
    fn forget_lost(&mut self) {
        let keep = |held: &Held| {
            let is_held = held.lease.is_held();
            if !is_held {
                warn!(key = held.key, "lease not renewed in time");
                held.lease.end();
            }
            is_held
        };
        self.living = self.living.take().filter(keep);
        self.held.retain(|_, held| keep(held));
    }

    /// What others are to know of the holder of a group, from the next renewal on, which is due now.
    pub(crate) fn say(&mut self, group: u16, about: Option<String>) {
        if let Some(held) = self.held.get_mut(&group) {
            held.body.about = about;
            self.renew_at = Instant::now();
        }
    }

    fn about(&self, entries: &[Entry]) -> BTreeMap<u16, String> {
        let about =
            |entry: &Entry| Some((entry.key.strip_prefix(&self.key("group", ""))?.parse().ok()?, entry.body()?.about?));
        entries.iter().filter_map(about).collect()
    }

    /// Who shares the partitions in another number of groups, and in how many.
    fn differs(&self, entries: &[Entry]) -> Option<(String, u16)> {
        let of_groups = entries.iter().filter(|entry| entry.key.starts_with("group.")).filter_map(Entry::body);
        let mut others = of_groups.filter(|body| body.instance != self.bucket.instance);
        others.find_map(|body| {
            let partitions = body.partitions.filter(|partitions| *partitions > 0)?;
            (PARTITIONS / partitions != self.groups).then(|| (body.instance, PARTITIONS / partitions))
        })
    }

    /// What can be taken, after which revision, and who has the rest.
    fn free(&self, entries: &[Entry], busy: &BTreeSet<u16>) -> (BTreeMap<u16, u64>, BTreeMap<u16, String>) {
        let (mut free, mut others) = (BTreeMap::new(), BTreeMap::new());
        for group in (0..self.groups).filter(|group| !self.held.contains_key(group)) {
            let key = self.group_key(group);
            let entry = entries.iter().find(|entry| entry.key == key);
            match entry.and_then(Entry::body) {
                Some(body) if body.instance != self.bucket.instance => drop(others.insert(group, body.instance)),
                _ if busy.contains(&group) => {}
                _ => drop(free.insert(group, entry.map_or(0, |entry| entry.revision))),
            }
        }
        (free, others)
    }

    async fn take(&mut self, wanted: impl Iterator<Item = (u16, u64)>) -> Vec<(u16, Lease)> {
        let partitions = Some(PARTITIONS / self.groups);
        let asked = wanted.map(|(group, after)| {
            let (bucket, key) = (&self.bucket, self.group_key(group));
            async move { (group, bucket.take(&key, partitions, after).await) }
        });
        let mut taken = Vec::new();
        for (group, answer) in join_all(asked).await {
            match answer {
                Ok(Some(held)) => {
                    taken.push((group, held.lease.clone()));
                    self.held.insert(group, held);
                }
                Ok(None) => debug!(group, "somebody else was faster"),
                Err(error) => debug!(group, error = %crate::cli::chain(&error), "not taken"),
            }
        }
        taken
    }

    /// Renews everything at once; whether that worked.
    async fn renew(&mut self) -> bool {
        self.forget_lost();
        self.renew_at = Instant::now() + ttl::renewal(self.bucket.ttl);
        let mut all: Vec<&mut Held> = self.living.iter_mut().chain(self.held.values_mut()).collect();
        if all.is_empty() {
            return true;
        }
        let renewed = self.bucket.renew_all(&mut all).await;
        renewed.unwrap_or_else(|error| {
            warn!(error = %crate::cli::chain(&error), "leases are not renewed yet");
            false
        })
    }

    /// Renews one by one.
    pub(crate) async fn renew_each(&mut self) {
        self.renew_at = Instant::now() + ttl::renewal(self.bucket.ttl);
        let (bucket, all) = (&self.bucket, self.living.iter_mut().chain(self.held.values_mut()));
        join_all(all.map(|held| async move {
            match bucket.renew(held).await {
                Ok(true) => {}
                Ok(false) => {
                    warn!(key = held.key, "lease lost");
                    held.lease.end();
                }
                Err(error) => debug!(key = held.key, error = %crate::cli::chain(&error), "lease not renewed yet"),
            }
        }))
        .await;
    }

    /// Tells the others that they can have our share.
    pub(crate) async fn leave(&mut self) {
        if let Some(held) = self.living.take() {
            self.bucket.release(held).await;
        }
    }

    /// Gives a group back.
    pub(crate) async fn release(&mut self, group: u16) {
        self.leaving.remove(&group);
        match self.held.remove(&group) {
            Some(held) if held.lease.is_held() => self.bucket.release(held).await,
            Some(held) => held.lease.end(),
            None => {}
        }
    }

    fn key(&self, word: &str, last: &str) -> String {
        format!("{word}.{}.{last}", self.stage)
    }

    fn group_key(&self, group: u16) -> String {
        self.key("group", &format!("{group:02}"))
    }
}
