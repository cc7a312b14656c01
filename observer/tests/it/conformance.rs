//! What holds for every resource type, over the emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, Tag, TagSpecification};
use elava_observer::aws::KINDS;
use elava_schemas::{Resource, ScanOutcome};
use serde_json::Value;

use crate::collect::{ACCOUNT, config, scan_once};
use crate::moto::Moto;

const LIMIT: Duration = Duration::from_secs(120);
const FULL: &str = "us-east-1";
const EMPTY: &str = "eu-north-1";

#[test]
fn names_are_unique_and_consistent() {
    let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), KINDS.len());
    for kind in KINDS {
        assert!(matches!(kind.service(), "ec2" | "rds"), "{}", kind.name);
        assert!(kind.operation.starts_with(&format!("{}:Describe", kind.service())), "{}", kind.operation);
    }
}

#[tokio::test]
async fn every_kind_conforms() {
    let moto = Moto::start();
    seed(&moto.url).await.expect("the emulator takes what it is given");
    for kind in KINDS {
        let (resources, report) = scan_once(&moto.url, EMPTY, kind, LIMIT).await;
        assert_eq!(report.outcome, ScanOutcome::Complete, "{} in an empty region: {:?}", kind.name, report.errors);
        resources.iter().for_each(|resource| conforms(resource, kind.name, EMPTY));

        let (resources, report) = scan_once(&moto.url, FULL, kind, LIMIT).await;
        assert_eq!(report.outcome, ScanOutcome::Complete, "{}: {:?}", kind.name, report.errors);
        assert!(!resources.is_empty(), "no {} in {FULL}", kind.name);
        resources.iter().for_each(|resource| conforms(resource, kind.name, FULL));
        let named = resources.iter().filter_map(|resource| resource.tags.as_ref()).any(|tags| tags.contains_key("env"));
        assert!(named, "no {} has the tag it was given", kind.name);

        let (again, _) = scan_once(&moto.url, FULL, kind, LIMIT).await;
        assert_eq!(by_id(again), by_id(resources), "{} is the same when nothing happened", kind.name);
    }
}

fn by_id(resources: Vec<Resource>) -> BTreeMap<String, Resource> {
    resources.into_iter().map(|resource| (resource.key.id.clone(), resource)).collect()
}

fn conforms(resource: &Resource, kind: &str, region: &str) {
    let key = &resource.key;
    assert_eq!((key.account.as_str(), key.region.as_str(), key.kind.as_str()), (ACCOUNT, region, kind), "{key}");
    assert!(!key.id.is_empty() && !resource.attributes.is_empty(), "{key}");
    assert!(resource.tags.is_some(), "{key}: tags come with the listing");
    assert!(
        resource.arn.as_ref().is_some_and(|arn| arn.starts_with("arn:aws:") && arn.contains(&key.id)),
        "{key}: {:?}",
        resource.arn
    );
    for member in ["Tags", "TagSet", "TagList"] {
        assert!(!resource.attributes.contains_key(member), "{key}: {member} belongs in tags");
    }
    for relation in &resource.relations {
        assert!(KINDS.iter().any(|kind| kind.name == relation.to.kind), "{key}: {relation:?} is of a known type");
    }
    resource.attributes.values().for_each(|value| is_normal(value, &key.to_string()));
}

/// Sets are sorted, and nothing is null or empty.
fn is_normal(value: &Value, key: &str) {
    match value {
        Value::Array(items) => {
            assert!(!items.is_empty(), "{key}: an empty list");
            assert!(items.is_sorted_by_key(Value::to_string), "{key}: {items:?} is sorted");
            items.iter().for_each(|item| is_normal(item, key));
        }
        Value::Object(members) => {
            assert!(!members.is_empty(), "{key}: an empty object");
            members.values().for_each(|member| is_normal(member, key));
        }
        Value::Null => panic!("{key}: null"),
        _ => {}
    }
}

/// One of everything, tagged `env=test`, with sets in an order that is not sorted.
async fn seed(endpoint: &str) -> Result<(), Box<dyn std::error::Error>> {
    let config = config(endpoint, FULL).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let tag = || Tag::builder().key("env").value("test").build();
    let tagged = |kind: ResourceType| TagSpecification::builder().resource_type(kind).tags(tag()).build();

    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").tag_specifications(tagged(ResourceType::Vpc)).send().await?;
    let vpc = vpc.vpc.and_then(|vpc| vpc.vpc_id).ok_or("no vpc")?;
    let subnet = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.1.0/24");
    let subnet = subnet.tag_specifications(tagged(ResourceType::Subnet)).send().await?;
    let subnet = subnet.subnet.and_then(|subnet| subnet.subnet_id).ok_or("no subnet")?;
    let group = ec2.create_security_group().group_name("web").description("web").vpc_id(&vpc);
    let group = group.tag_specifications(tagged(ResourceType::SecurityGroup)).send().await?;
    let group = group.group_id.ok_or("no group")?;
    let range = |cidr: &str| IpRange::builder().cidr_ip(cidr).build();
    let rule = |port, cidrs: [&str; 2]| {
        let ranges = cidrs.iter().map(|cidr| range(cidr)).collect();
        IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port).set_ip_ranges(Some(ranges)).build()
    };
    let rules = ec2.authorize_security_group_ingress().group_id(&group);
    let rules = rules
        .ip_permissions(rule(443, ["10.2.0.0/16", "10.1.0.0/16"]))
        .ip_permissions(rule(22, ["9.0.0.0/8", "8.0.0.0/8"]));
    rules.send().await?;

    let instance = ec2.run_instances().image_id("ami-12345678").min_count(1).max_count(1).subnet_id(&subnet);
    let instance =
        instance.security_group_ids(&group).tag_specifications(tagged(ResourceType::Instance)).send().await?;
    let instance =
        instance.instances().first().and_then(|instance| instance.instance_id()).ok_or("no instance")?.to_owned();
    let image = ec2.create_image().instance_id(&instance).name("golden");
    image.tag_specifications(tagged(ResourceType::Image)).send().await?;
    let volume = ec2.create_volume().availability_zone("us-east-1a").size(8);
    let volume = volume.tag_specifications(tagged(ResourceType::Volume)).send().await?;
    let snapshot = ec2.create_snapshot().volume_id(volume.volume_id().ok_or("no volume")?);
    snapshot.tag_specifications(tagged(ResourceType::Snapshot)).send().await?;
    let interface = ec2.create_network_interface().subnet_id(&subnet).groups(&group);
    interface.tag_specifications(tagged(ResourceType::NetworkInterface)).send().await?;
    let address = ec2.allocate_address().tag_specifications(tagged(ResourceType::ElasticIp)).send().await?;
    let gateway = ec2.create_nat_gateway().subnet_id(&subnet).set_allocation_id(address.allocation_id);
    gateway.tag_specifications(tagged(ResourceType::Natgateway)).send().await?;

    let rds = aws_sdk_rds::Client::new(&config);
    let tag = || aws_sdk_rds::types::Tag::builder().key("env").value("test").build();
    let db =
        rds.create_db_instance().db_instance_identifier("orders").db_instance_class("db.t3.micro").engine("postgres");
    db.allocated_storage(20).master_username("elava").master_user_password("not-a-secret").tags(tag()).send().await?;
    let snapshot = rds.create_db_snapshot().db_instance_identifier("orders").db_snapshot_identifier("orders-1");
    snapshot.tags(tag()).send().await?;
    let cluster = rds.create_db_cluster().db_cluster_identifier("billing").engine("aurora-postgresql");
    cluster.master_username("elava").master_user_password("not-a-secret").tags(tag()).send().await?;
    Ok(())
}
