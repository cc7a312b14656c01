//! One synthetic resource of each kind, from its number.
//!
//! Ids, addresses and digests are spread by a mixing function, so that they compress no better
//! than real ones.

use elava_schemas::{Attributes, Relation, Resource, ResourceKey, Scope};
use serde_json::{Value, json};

/// One resource. Each revision differs from the one before in one thing, in turn: its `Team` tag, an attribute, its
/// status.
pub(super) fn resource(scope: &Scope, number: usize, revision: u32) -> Resource {
    let (retagged, resized, toggled) = (revision.div_ceil(3) as usize, (revision as usize + 1) / 3, revision / 3);
    let (id, mut attributes) = match scope.kind.as_str() {
        "ec2:instance" => instance(number),
        "ec2:volume" => volume(number),
        "ec2:security-group" => security_group(number),
        _ => database(number),
    };
    resize(&mut attributes, number, resized);
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
        tag("Team", format!("team-{}", number % 17 + 17 * retagged)),
        tag("CostCenter", format!("cc-{:04}", mix(number, 1) % 400)),
    ];
    if !(number / 16).is_multiple_of(10) {
        tags.push(tag("Owner", format!("user{}@example.com", number % 40)));
    }
    let vpc = ResourceKey { kind: "ec2:vpc".into(), id: vpc_id(number), ..key.clone() };
    let arn = format!("arn:aws:{}:{}:{}/{id}", scope.kind, scope.region, scope.account);
    let stopped = (scope.kind == "ec2:instance" && (number / 16).is_multiple_of(20)) != (toggled % 2 == 1);
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

/// Changes the attribute that each kind has for it.
fn resize(attributes: &mut Attributes, number: usize, times: usize) {
    let sized = [
        ("InstanceType", json!(instance_type(number + times))),
        ("Size", json!(8 + (number + times) % 100)),
        ("Description", json!(format!("of the bench, {times}"))),
        ("AllocatedStorage", json!(20 + times)),
    ];
    if times > 0
        && let Some((name, value)) = sized.into_iter().find(|(name, _)| attributes.contains_key(*name))
    {
        attributes.insert(name.to_owned(), value);
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
    let attachments: Vec<Value> = (0..6)
        .map(|slot| {
            json!({"AttachTime": time(number), "DeleteOnTermination": true, "Device": format!("/dev/xvd{slot}"),
            "InstanceId": format!("i-0{}", hex(number, 20 + slot)), "State": "attached", "VolumeId": id})
        })
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
    let permissions: Vec<Value> = (0..7)
        .map(|rule| {
            let port = if open && rule == 0 { 22 } else { 1024 + mix(number, rule) % 60_000 };
            let cidr =
                if open && rule == 0 { "0.0.0.0/0".to_owned() } else { format!("{}/32", address(number + rule)) };
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
        .map(|slot| {
            json!({"SubnetIdentifier": format!("subnet-0{}", hex(number, 40 + slot)), "SubnetStatus": "Active",
            "SubnetAvailabilityZone": {"Name": format!("us-east-1{}", ["a", "b", "c", "d"][slot])}})
        })
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
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        bits % 9 + 1,
        bits / 9 % 28 + 1,
        bits / 252 % 24,
        bits / 6048 % 60,
        bits / 362_880 % 60
    )
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
