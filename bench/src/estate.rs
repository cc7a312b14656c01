//! A synthetic estate: resources of about 2 KB, in 16 scopes, one for each partition, or in many accounts.
//!
//! Deterministic: the same number and revision give the same resource.

mod resource;

use self::resource::resource;
use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Pager, message_subject};
use elava_schemas::{Message, Observation, Provider, ResourceKey, ScanId, ScanOutcome, ScanReport, Scope, Timestamp};

/// One body for one subject.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it is published.
    pub subject: String,
    /// NDJSON.
    pub body: Bytes,
}

/// So many resources.
#[derive(Clone, Debug)]
pub struct Estate {
    resources: usize,
    scopes: Vec<Scope>,
    begun: Timestamp,
}

/// Which resources differ from the first scan: every so many, from the first; none if 0.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    /// One in so many.
    pub one_in: usize,
}

impl Changed {
    /// How often a resource has changed.
    #[must_use]
    pub fn revision(self, number: usize) -> u32 {
        u32::from(self.one_in > 0 && number.is_multiple_of(self.one_in))
    }

    /// How many there are among so many.
    #[must_use]
    pub fn among(self, resources: usize) -> usize {
        if self.one_in == 0 { 0 } else { resources.div_ceil(self.one_in) }
    }
}

const KINDS: [&str; 4] = ["ec2:instance", "ec2:volume", "ec2:security-group", "rds:db"];
const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "eu-central-1", "ap-northeast-1"];

impl Estate {
    /// `begun` is when its first scan was.
    #[must_use]
    pub fn new(resources: usize, begun: Timestamp) -> Self {
        let scopes = (0..elava_bus::PARTITIONS).map(scope_in).collect();
        Self { resources, scopes, begun }
    }

    /// The same resources spread over so many accounts, each with a scope of every kind.
    #[must_use]
    pub fn of_accounts(resources: usize, accounts: usize, begun: Timestamp) -> Self {
        let scope = |account: usize, kind: &str| Scope {
            provider: Provider::Aws,
            account: (200_000_000_000 + account).to_string(),
            region: REGIONS[account % REGIONS.len()].to_owned(),
            kind: kind.to_owned(),
            filter: None,
        };
        let scopes = (0..accounts).flat_map(|account| KINDS.map(|kind| scope(account, kind))).collect();
        Self { resources, scopes, begun }
    }

    /// The scope that a resource is in.
    #[must_use]
    pub fn scope(&self, number: usize) -> &Scope {
        &self.scopes[number % self.scopes.len()]
    }

    /// A resource's key.
    #[must_use]
    pub fn key(&self, number: usize) -> ResourceKey {
        resource(self.scope(number), number, 0).key
    }

    /// A resource as an observation outside of any scan.
    #[must_use]
    pub fn sighting(&self, number: usize, revision: u32, at: Timestamp) -> Message {
        let resource = resource(self.scope(number), number, revision);
        Message::from(Observation { scan_id: None, observed_at: Some(at), resource })
    }

    /// How many scopes it has.
    #[must_use]
    pub fn scopes(&self) -> usize {
        self.scopes.len()
    }

    /// The pages of one scan, as an observer publishes them: every scope's rows, then its report.
    #[must_use]
    pub fn scan(&self, number: u32, changed: Changed) -> Vec<Page> {
        self.scan_at(self.begun + TimeDelta::minutes(i64::from(number)), &|number| changed.revision(number))
    }

    /// The same at that time, each resource at a revision of its own.
    #[must_use]
    pub fn scan_at(&self, begun: Timestamp, revision: &dyn Fn(usize) -> u32) -> Vec<Page> {
        let scopes = self.scopes.iter().enumerate();
        scopes.flat_map(|(index, scope)| self.scan_scope(index, scope, begun, revision)).collect()
    }

    fn scan_scope(&self, index: usize, scope: &Scope, begun: Timestamp, revision: &dyn Fn(usize) -> u32) -> Vec<Page> {
        let numbers = (index..self.resources).step_by(self.scopes.len());
        scan_of(scope, numbers, begun, revision)
    }
}

/// The pages of one scope's scan that shows these resources.
pub(crate) fn scan_of(
    scope: &Scope,
    numbers: impl Iterator<Item = usize>,
    begun: Timestamp,
    revision: &dyn Fn(usize) -> u32,
) -> Vec<Page> {
    let scan_id = ScanId::of(&["bench", &scope.to_string(), &begun.to_rfc3339()]);
    let mut pager = Pager::default();
    let mut pages = Vec::new();
    let mut observed = 0;
    let rows = numbers.map(|number| {
        observed += 1;
        Message::from(Observation {
            scan_id: Some(scan_id.clone()),
            observed_at: Some(begun),
            resource: resource(scope, number, revision(number)),
        })
    });
    let mut add = |message: &Message| pages.extend(pager.push(&message_subject(message), &message.to_line()));
    rows.for_each(|row| add(&row));
    add(&Message::from(ScanReport {
        scan_id: scan_id.clone(),
        scope: scope.clone(),
        started_at: begun,
        finished_at: begun + TimeDelta::seconds(30),
        outcome: ScanOutcome::Complete,
        observed,
        api_calls: observed.div_ceil(1000),
        errors: Vec::new(),
    }));
    pages.extend(pager.close());
    pages.into_iter().map(|(subject, body)| Page { subject, body }).collect()
}

/// A scope that the server puts into this partition: FNV-1a over the four tokens, as nats-server does.
fn scope_in(partition: u16) -> Scope {
    let index = usize::from(partition);
    let (kind, region) = (KINDS[index % KINDS.len()], REGIONS[index / KINDS.len() % REGIONS.len()]);
    let account = (100_000_000_000_u64..)
        .map(|account| account.to_string())
        .find(|account| {
            let hash = ["aws", account, region, kind]
                .iter()
                .flat_map(|token| token.bytes())
                .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
            hash % u32::from(elava_bus::PARTITIONS) == u32::from(partition)
        })
        .expect("the hash reaches every partition");
    Scope { provider: Provider::Aws, account, region: region.to_owned(), kind: kind.to_owned(), filter: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOTHING: Changed = Changed { one_in: 0 };

    fn lines(pages: &[Page]) -> Vec<Message> {
        let lines =
            pages.iter().flat_map(|page| page.body.split(|byte| *byte == b'\n')).filter(|line| !line.is_empty());
        lines.map(|line| Message::parse(line).expect("parses")).collect()
    }

    #[test]
    fn a_scan_has_every_resource_once_and_reports_it() {
        let estate = Estate::new(1000, Timestamp::default());
        let mut keys = BTreeSet::new();
        let mut reported = 0;
        for message in lines(&estate.scan(1, NOTHING)) {
            match message {
                Message::Observation(observation) => assert!(keys.insert(observation.resource.key)),
                Message::ScanReport(report) => reported += report.observed,
                other => panic!("unexpected {}", other.kind()),
            }
        }
        assert_eq!((keys.len(), reported), (1000, 1000));
    }

    #[test]
    fn rows_of_every_kind_weigh_about_2_kb() {
        for scope in (0..4).map(scope_in) {
            for number in [0, 16, 5000] {
                let observation = Observation {
                    scan_id: Some(ScanId::of(&["x"])),
                    observed_at: Some(Timestamp::default()),
                    resource: resource(&scope, number, 0),
                };
                let length = Message::from(observation).to_line().len();
                assert!((1800..2600).contains(&length), "{} has {length} bytes", scope.kind);
            }
        }
    }

    #[test]
    fn only_the_changed_share_differs() {
        let estate = Estate::new(1000, Timestamp::default());
        let resources = |changed| {
            let pages = estate.scan(1, changed);
            let resources = lines(&pages).into_iter().filter_map(|message| match message {
                Message::Observation(observation) => Some(observation.resource),
                _ => None,
            });
            resources.collect::<Vec<_>>()
        };
        let changed = Changed { one_in: 100 };
        let differing = resources(NOTHING).iter().zip(resources(changed)).filter(|(a, b)| *a != b).count();
        assert_eq!((differing, changed.among(1000)), (10, 10));
    }
}
