//! What the stand-in's estate consists of: one item's XML from its number and its revision.
//!
//! The shares of faults are those of the run that Cloud Custodian was measured on: 1 instance in 20
//! stopped, 1 in 10 without an owner, every second one with IMDSv1; 1 volume in 4 not encrypted; 1
//! security group in 5 open to the world on port 22; 1 database in 7 public.

use bytes::Bytes;

/// A sort of resource that the stand-in can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// EC2 instances, one a reservation.
    Instance,
    /// EBS volumes, one per instance.
    Volume,
    /// Security groups.
    SecurityGroup,
    /// RDS instances.
    DbInstance,
    /// RDS clusters.
    DbCluster,
}

/// How many there are of each sort.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// EC2 instances.
    pub instances: usize,
    /// EBS volumes.
    pub volumes: usize,
    /// Security groups; at least 1.
    pub security_groups: usize,
    /// RDS instances.
    pub db_instances: usize,
    /// RDS clusters.
    pub db_clusters: usize,
}

impl Counts {
    /// The usual mix around so many instances.
    #[must_use]
    pub fn around(instances: usize) -> Self {
        Self {
            instances,
            volumes: instances,
            security_groups: (instances / 50).max(5),
            db_instances: (instances / 20).max(5),
            db_clusters: 1,
        }
    }

    /// How many there are of one sort.
    #[must_use]
    pub fn of(&self, sort: Sort) -> usize {
        match sort {
            Sort::Instance => self.instances,
            Sort::Volume => self.volumes,
            Sort::SecurityGroup => self.security_groups,
            Sort::DbInstance => self.db_instances,
            Sort::DbCluster => self.db_clusters,
        }
    }
}

/// One item as the API writes it in a list. The same number and revision give the same bytes;
/// another revision changes the `Team` tag only.
pub(super) fn render(sort: Sort, number: usize, revision: u32, counts: &Counts) -> Bytes {
    let group = number % counts.security_groups.max(1);
    let every = |nth: usize| number.is_multiple_of(nth);
    let pick = |of: [&str; 2], first: bool| if first { of[0] } else { of[1] }.to_owned();
    let ip = format!("10.{}.{}.{}", number % 5, number / 250 % 250, number % 250 + 4);
    let tags = |owned| tags(sort, number, revision, owned);
    let stopped = every(20);
    let open = every(5);

    let values: Vec<(&str, String)> = match sort {
        Sort::Instance => vec![
            ("state_code", pick(["80", "16"], stopped)),
            ("state", pick(["stopped", "running"], stopped)),
            ("type", ["t3.micro", "m5.large", "c5.xlarge"][number % 3].to_owned()),
            ("ip_dashed", ip.replace('.', "-")),
            ("ip", ip),
            ("group_hex", format!("{group:017x}")),
            ("group", group.to_string()),
            ("token", format!("{number:032x}")),
            ("http_tokens", pick(["optional", "required"], every(2))),
            ("tags", tags(!every(10))),
        ],
        Sort::Volume => {
            vec![("size", (8 + number % 100).to_string()), ("encrypted", (!every(4)).to_string()), ("tags", tags(true))]
        }
        Sort::SecurityGroup => vec![
            ("port", pick(["22", "443"], open)),
            ("cidr", pick(["0.0.0.0/0", "10.0.0.0/8"], open)),
            ("tags", tags(true)),
        ],
        Sort::DbInstance => vec![
            ("group_hex", format!("{group:017x}")),
            ("public", every(7).to_string()),
            ("encrypted", (!every(5)).to_string()),
            ("protected", (!every(2)).to_string()),
            ("token", format!("{number:026}")),
            ("tags", tags(true)),
        ],
        Sort::DbCluster => vec![("tags", tags(true))],
    };
    let template = match sort {
        Sort::Instance => include_str!("items/instance.xml"),
        Sort::Volume => include_str!("items/volume.xml"),
        Sort::SecurityGroup => include_str!("items/security-group.xml"),
        Sort::DbInstance => include_str!("items/db-instance.xml"),
        Sort::DbCluster => include_str!("items/db-cluster.xml"),
    };
    let mut xml: String = template.lines().map(str::trim_start).collect();
    for (name, value) in values {
        xml = xml.replace(&format!("{{{name}}}"), &value);
    }
    Bytes::from(xml.replace("{hex}", &format!("{number:017x}")).replace("{number}", &number.to_string()))
}

fn tags(sort: Sort, number: usize, revision: u32, owned: bool) -> String {
    let mut tags = vec![
        ("Name", format!("web-{number}")),
        ("Env", ["prod", "stage", "dev"][number % 3].to_owned()),
        ("Team", format!("team-{}", number % 17 + 17 * revision as usize)),
    ];
    if owned {
        tags.push(("Owner", format!("user{}@example.com", number % 40)));
    }
    let (list, item, key, value) = match sort {
        Sort::Instance | Sort::Volume | Sort::SecurityGroup => ("tagSet", "item", "key", "value"),
        Sort::DbInstance | Sort::DbCluster => ("TagList", "Tag", "Key", "Value"),
    };
    let items: String = tags
        .iter()
        .map(|(name, text)| format!("<{item}><{key}>{name}</{key}><{value}>{text}</{value}></{item}>"))
        .collect();
    format!("<{list}>{items}</{list}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_and_every_element_closed() {
        let counts = Counts::around(5);
        for sort in [Sort::Instance, Sort::Volume, Sort::SecurityGroup, Sort::DbInstance, Sort::DbCluster] {
            let xml = render(sort, 3, 0, &counts);
            let text = std::str::from_utf8(&xml).expect("UTF-8");
            assert!(!text.contains(['{', '}']), "{sort:?}: {text}");
            let mut open = Vec::new();
            for tag in text.split('<').skip(1).map(|rest| rest.split('>').next().expect("split gives one")) {
                match (tag.strip_prefix('/'), tag.ends_with('/')) {
                    (Some(name), _) => assert_eq!(open.pop(), Some(name), "{sort:?}"),
                    (None, false) => open.push(tag),
                    (None, true) => {}
                }
            }
            assert!(open.is_empty(), "{sort:?}: {open:?}");
        }
    }

    #[test]
    fn a_revision_changes_the_team_only() {
        let counts = Counts::around(5);
        let [before, after] = [0, 1]
            .map(|revision| String::from_utf8(render(Sort::Volume, 3, revision, &counts).to_vec()).expect("UTF-8"));
        assert_eq!(before.replace("team-3", "team-20"), after);
        assert_ne!(before, after);
    }
}
