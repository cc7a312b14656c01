//! A synthetic estate: resources of about 2 KB in 16 scopes, one for each partition.
//!
//! Deterministic: the same number and revision give the same resource. Ids, addresses and digests
//! are spread by a mixing function, so that they compress no better than real ones.

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Pager, message_subject};
use elava_schemas::{
    Attributes, Message, Observation, Provider, Relation, Resource, ResourceKey, ScanId, ScanOutcome, ScanReport, Scope,
    Timestamp,
};
use serde_json::{Value, json};

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
    fn revision(self, number: usize) -> u32 {
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

    /// How many scopes it has.
    #[must_use]
    pub fn scopes(&self) -> usize {
        self.scopes.len()
    }

    /// The pages of one scan, as an observer publishes them: every scope's rows, then its report.
    #[must_use]
    pub fn scan(&self, number: u32, changed: Changed) -> Vec<Page> {
        let begun = self.begun + TimeDelta::minutes(i64::from(number));
        self.scopes.iter().enumerate().flat_map(|(index, scope)| self.scan_scope(index, scope, begun, changed)).collect()
    }

    fn scan_scope(&self, index: usize, scope: &Scope, begun: Timestamp, changed: Changed) -> Vec<Page> {
        let scan_id = ScanId::of(&["bench", &scope.to_string(), &begun.to_rfc3339()]);
        let mut pager = Pager::default();
        let mut pages = Vec::new();
        let mut observed = 0;
        let numbers = (index..self.resources).step_by(self.scopes.len());
        let rows = numbers.map(|number| {
            observed += 1;
            Message::from(Observation {
                scan_id: Some(scan_id.clone()),
                observed_at: Some(begun),
                resource: resource(scope, number, changed.revision(number)),
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

/// One resource; a revision changes its `Team` tag.
fn resource(scope: &Scope, number: usize, revision: u32) -> Resource {
    let (id, attributes) = match scope.kind.as_str() {
        "ec2:instance" => instance(number),
        "ec2:volume" => volume(number),
        "ec2:security-group" => security_group(number),
        _ => database(number),
    };
    let key = ResourceKey {
        provider: scope.provider,
        account: scope.account.clone(),
        region: scope.region.clone(),
        kind: scope.kind.clone(),
        id: id.clone(),
    };
    let tag = |name: &str, value: String| (name.to_owned(), value);
    let mut tags = vec![
        tag("Name", format!("web-{number}")),
        tag("Env", ["prod", "stage", "dev"][number % 3].to_owned()),
        tag("Team", format!("team-{}", number % 17 + 17 * revision as usize)),
        tag("CostCenter", format!("cc-{:04}", mix(number, 1) % 400)),
    ];
    if !(number / 16).is_multiple_of(10) {
        tags.push(tag("Owner", format!("user{}@example.com", number % 40)));
    }
    let vpc = ResourceKey { kind: "ec2:vpc".into(), id: vpc_id(number), ..key.clone() };
    let arn = format!("arn:aws:{}:{}:{}/{id}", scope.kind, scope.region, scope.account);
    let stopped = scope.kind == "ec2:instance" && (number / 16).is_multiple_of(20);
    Resource {
        name: Some(format!("web-{number}")),
        arn: Some(arn),
        status: Some(if stopped { "stopped" } else { "available" }.to_owned()),
        tags: Some(tags.into_iter().collect()),
        attributes,
        relations: vec![Relation { relation: "vpc".into(), to: vpc }],
        ..Resource::new(key)
    }
}

fn instance(number: usize) -> (String, Attributes) {
    let id = format!("i-0{}", hex(number, 2));
    let group = json!({"GroupId": group_id(number), "GroupName": format!("sg-{}", number % 50)});
    let address = address(number);
    let dns = format!("ip-{}.ec2.internal", address.replace('.', "-"));
    let attributes = json!({
        "InstanceId": id, "ImageId": format!("ami-0{}", hex(number % 7, 3)), "KeyName": "ops", "AmiLaunchIndex": 0,
        "InstanceType": instance_type(number), "LaunchTime": time(number),
        "Monitoring": {"State": "disabled"}, "Placement": placement(number), "Hypervisor": "xen",
        "PrivateDnsName": dns, "PrivateIpAddress": address, "SubnetId": subnet_id(number), "VpcId": vpc_id(number),
        "Architecture": "x86_64", "ClientToken": hex(number, 4), "EbsOptimized": false, "EnaSupport": true,
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"AttachTime": time(number), "DeleteOnTermination": true,
            "Status": "attached", "VolumeId": format!("vol-0{}", hex(number, 5))}}],
        "NetworkInterfaces": [{"Attachment": {"AttachTime": time(number), "AttachmentId": format!("eni-attach-0{}", hex(number, 6)),
                "DeleteOnTermination": true, "DeviceIndex": 0, "Status": "attached", "NetworkCardIndex": 0},
            "Groups": [group], "MacAddress": "02:00:00:28:c4:36", "NetworkInterfaceId": format!("eni-0{}", hex(number, 7)),
            "OwnerId": "123456789012", "PrivateDnsName": dns, "PrivateIpAddress": address,
            "PrivateIpAddresses": [{"Primary": true, "PrivateDnsName": dns, "PrivateIpAddress": address}],
            "SourceDestCheck": true, "Status": "in-use", "SubnetId": subnet_id(number), "VpcId": vpc_id(number), "InterfaceType": "interface"}],
        "RootDeviceName": "/dev/xvda", "RootDeviceType": "ebs", "SecurityGroups": [group], "SourceDestCheck": true,
        "VirtualizationType": "hvm", "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
        "MetadataOptions": {"State": "applied", "HttpTokens": if (number / 16).is_multiple_of(2) { "optional" } else { "required" },
            "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled", "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "disabled"},
        "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances", "MaintenanceOptions": {"AutoRecovery": "default"},
        "CurrentInstanceBootMode": "legacy-bios",
    });
    (id, object(attributes))
}

fn volume(number: usize) -> (String, Attributes) {
    let id = format!("vol-0{}", hex(number, 5));
    // a volume of many attachments, so that all kinds weigh about the same
    let attachments: Vec<Value> = (0..8)
        .map(|slot| json!({"AttachTime": time(number), "DeleteOnTermination": true, "Device": format!("/dev/xvd{slot}"),
            "InstanceId": format!("i-0{}", hex(number, 20 + slot)), "State": "attached", "VolumeId": id}))
        .collect();
    let attributes = json!({
        "VolumeId": id, "Size": 8 + number % 100, "VolumeType": "gp3", "Encrypted": !(number / 16).is_multiple_of(4), "State": "in-use",
        "AvailabilityZone": "us-east-1a", "CreateTime": time(number), "Iops": 3000, "Throughput": 125, "MultiAttachEnabled": true,
        "SnapshotId": format!("snap-0{}", hex(number, 8)), "KmsKeyId": format!("arn:aws:kms:us-east-1:123456789012:key/{}", hex(number % 9, 9)),
        "Attachments": attachments,
    });
    (id, object(attributes))
}

fn security_group(number: usize) -> (String, Attributes) {
    let id = format!("sg-0{}", hex(number, 10));
    let open = (number / 16).is_multiple_of(5);
    let permissions: Vec<Value> = (0..9)
        .map(|rule| {
            let port = if open && rule == 0 { 22 } else { 1024 + mix(number, rule) % 60_000 };
            let cidr = if open && rule == 0 { "0.0.0.0/0".to_owned() } else { format!("{}/32", address(number + rule)) };
            json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
                "IpRanges": [{"CidrIp": cidr, "Description": format!("rule {rule} of {}", hex(number, 30 + rule))}],
                "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []})
        })
        .collect();
    let attributes = json!({
        "GroupId": id, "GroupName": format!("sg-{number}"), "Description": "of the bench", "OwnerId": "123456789012",
        "VpcId": vpc_id(number), "IpPermissions": permissions,
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    });
    (id, object(attributes))
}

fn database(number: usize) -> (String, Attributes) {
    let id = format!("db-{number}");
    let subnets: Vec<Value> = (0..4)
        .map(|slot| json!({"SubnetIdentifier": format!("subnet-0{}", hex(number, 40 + slot)), "SubnetStatus": "Active",
            "SubnetAvailabilityZone": {"Name": format!("us-east-1{}", ["a", "b", "c", "d"][slot])}}))
        .collect();
    let attributes = json!({
        "DBInstanceIdentifier": id, "DBInstanceClass": "db.t3.medium", "Engine": "postgres", "EngineVersion": "16.3",
        "DBInstanceStatus": "available", "MasterUsername": "ops", "AllocatedStorage": 20, "InstanceCreateTime": time(number),
        "Endpoint": {"Address": format!("{id}.{}.us-east-1.rds.amazonaws.com", hex(number, 11)), "HostedZoneId": "Z2R2ITUGPM61AM", "Port": 5432},
        "BackupRetentionPeriod": 7, "PreferredBackupWindow": "03:10-03:40", "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
        "VpcSecurityGroups": [{"VpcSecurityGroupId": group_id(number), "Status": "active"}], "AvailabilityZone": "us-east-1a",
        "DBParameterGroups": [{"DBParameterGroupName": "default.postgres16", "ParameterApplyStatus": "in-sync"}],
        "DBSubnetGroup": {"DBSubnetGroupName": "main", "DBSubnetGroupDescription": "main", "VpcId": vpc_id(number), "SubnetGroupStatus": "Complete", "Subnets": subnets},
        "MultiAZ": false, "PubliclyAccessible": (number / 16).is_multiple_of(7), "AutoMinorVersionUpgrade": true, "CopyTagsToSnapshot": false,
        "OptionGroupMemberships": [{"OptionGroupName": "default:postgres-16", "Status": "in-sync"}],
        "IAMDatabaseAuthenticationEnabled": false, "CACertificateIdentifier": "rds-ca-rsa2048-g1", "MonitoringInterval": 0,
        "PerformanceInsightsEnabled": false, "StorageType": "gp3", "DbiResourceId": format!("db-{}", hex(number, 12).to_uppercase()),
        "StorageEncrypted": true, "KmsKeyId": format!("arn:aws:kms:us-east-1:123456789012:key/{}", hex(number % 9, 9)),
        "DeletionProtection": number.is_multiple_of(2), "LicenseModel": "postgresql-license", "NetworkType": "IPV4",
    });
    (id, object(attributes))
}

fn object(value: Value) -> Attributes {
    match value {
        Value::Object(attributes) => attributes,
        _ => Attributes::new(),
    }
}

fn instance_type(number: usize) -> &'static str {
    ["t3.micro", "m5.large", "c5.xlarge"][number % 3]
}

fn placement(number: usize) -> Value {
    json!({"AvailabilityZone": format!("us-east-1{}", ["a", "b", "c"][number % 3]), "GroupName": "", "Tenancy": "default"})
}

fn group_id(number: usize) -> String {
    format!("sg-0{}", hex(number % 50, 10))
}

fn vpc_id(number: usize) -> String {
    format!("vpc-0{}", hex(number % 16, 13))
}

fn subnet_id(number: usize) -> String {
    format!("subnet-0{}", hex(number % 64, 14))
}

fn address(number: usize) -> String {
    let bits = mix(number, 15);
    format!("10.{}.{}.{}", bits % 250, bits / 250 % 250, bits / 62_500 % 250)
}

fn time(number: usize) -> String {
    let bits = mix(number, 16);
    format!("2026-{:02}-{:02}T{:02}:{:02}:{:02}Z", bits % 9 + 1, bits / 9 % 28 + 1, bits / 252 % 24, bits / 6048 % 60, bits / 362_880 % 60)
}

fn hex(number: usize, salt: usize) -> String {
    format!("{:016x}", mix(number, salt))
}

/// The output function of SplitMix64: spreads consecutive numbers over all of them.
fn mix(number: usize, salt: usize) -> usize {
    let mut bits = (number as u64).wrapping_add((salt as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOTHING: Changed = Changed { one_in: 0 };

    fn lines(pages: &[Page]) -> Vec<Message> {
        let lines = pages.iter().flat_map(|page| page.body.split(|byte| *byte == b'\n')).filter(|line| !line.is_empty());
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
