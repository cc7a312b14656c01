//! A synthetic estate, written as the lines an observer would write.

use elava_schemas::{Message, Observation, Resource, ScanId, ScanOutcome, ScanReport, Scope, Timestamp, to_line};
use serde_json::json;

/// Resources by scope, to be changed between scans.
#[derive(Clone)]
pub struct Estate {
    /// Every resource that exists.
    pub resources: Vec<Resource>,
    scopes: Vec<Scope>,
}

impl Estate {
    /// `per_scope` resources in each of `scopes` scopes.
    ///
    /// # Panics
    /// Never: its keys are well-formed.
    #[must_use]
    pub fn new(scopes: usize, per_scope: usize) -> Self {
        let kinds = ["ec2:instance", "ec2:volume", "ec2:security-group"];
        let mut estate = Self { resources: Vec::new(), scopes: Vec::new() };
        for scope in 0..scopes {
            let (account, kind) = (100_000_000_000 + scope, kinds[scope % kinds.len()]);
            for row in 0..per_scope {
                let key = format!("aws/{account}/us-east-1/{kind}/r-{scope:03}-{row:05}");
                let mut resource = Resource::new(key.parse().expect("a key"));
                resource.status = Some("running".to_owned());
                resource.tags = Some([("Owner".to_owned(), format!("team-{}", row % 7))].into());
                if row % 10 == 0 {
                    resource.tags = Some([("elava:blessed".to_owned(), "true".to_owned())].into());
                }
                let attributes = json!({ "Size": 8 + row % 100, "Encrypted": row % 4 != 0, "VolumeType": "gp3" });
                resource.attributes = attributes.as_object().cloned().unwrap_or_default();
                if row == 0 {
                    estate.scopes.push(resource.key.scope());
                }
                estate.resources.push(resource);
            }
        }
        estate
    }

    /// The same resources, in so many regions.
    #[must_use]
    pub fn in_regions(mut self, count: usize) -> Self {
        for (number, resource) in self.resources.iter_mut().enumerate() {
            resource.key.region = format!("region-{}", number % count);
        }
        self.scopes = self.resources.iter().take(count).map(|resource| resource.key.scope()).collect();
        self
    }

    /// With what another one has besides.
    pub fn add(&mut self, other: &Self) {
        let new = other.scopes.iter().filter(|scope| !self.scopes.contains(scope)).cloned().collect::<Vec<_>>();
        let is_new = |resource: &&Resource| new.contains(&resource.key.scope());
        self.resources.extend(other.resources.iter().filter(is_new).cloned());
        self.scopes.extend(new);
    }
}

/// The lines of one complete scan of every scope at `at`.
#[must_use]
pub fn scan_lines(estate: &Estate, at: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for scope in &estate.scopes {
        let scan_id = ScanId::of(&[&scope.to_string(), &at.to_rfc3339()]);
        let mut observed = 0;
        for resource in estate.resources.iter().filter(|resource| resource.key.scope() == *scope) {
            observed += 1;
            let observation =
                Observation { scan_id: Some(scan_id.clone()), observed_at: Some(at), resource: resource.clone() };
            lines.push(Message::from(observation).to_line());
        }
        let report = ScanReport {
            scan_id,
            scope: scope.clone(),
            started_at: at,
            finished_at: at,
            outcome: ScanOutcome::Complete,
            observed,
            api_calls: 1,
            errors: Vec::new(),
        };
        lines.push(to_line(elava_schemas::Kind::ScanReport, &report));
    }
    lines.into_iter().map(|line| String::from_utf8(line).expect("JSON is UTF-8")).collect()
}
