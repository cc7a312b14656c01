#!/usr/bin/env python3
"""A small estate in an AWS emulator, and a day of operations in it.

    estate.py seed        --endpoint-url http://127.0.0.1:5000
    estate.py launch      --endpoint-url …    an instance without any tag
    estate.py drift       --endpoint-url …    the owner tag of a managed instance changes
    estate.py open-ssh    --endpoint-url …    a security group opens port 22 to the world
    estate.py delete-blessed --endpoint-url … the blessed database is deleted
    estate.py orphan      --endpoint-url …    a volume is detached from its instance
    estate.py resize      --endpoint-url …    an instance becomes a larger, dearer one

Everything goes through the AWS API. Prints one JSON line per thing done. The steps of the day find
what they change by name, so each is a process of its own and can be run once, in any order.
Start moto_server with MOTO_EC2_LOAD_DEFAULT_AMIS=false, or the estate also has several hundred
snapshots of Amazon's images.
"""

import argparse
import json
import os
import sys

import boto3

HOME = "us-east-1"
ABROAD = "eu-west-1"

# name, subnet, type, environment, owner
HOME_INSTANCES = [
    ("web-1", "public", "t3.medium", "production", "shop"),
    ("web-2", "public", "t3.medium", "production", "shop"),
    ("api-1", "private", "m6i.large", "production", "shop"),
    ("api-2", "private", "m6i.large", "production", "shop"),
    ("worker-1", "private", "c6i.large", "production", "shop"),
    ("worker-2", "private", "c6i.large", "staging", "shop"),
    ("bastion", "public", "t3.micro", "production", "platform"),
    ("legacy-ftp", "private", "m3.medium", "production", "platform"),
]
ABROAD_INSTANCES = [
    ("etl-1", "private", "r6i.large", "production", "analytics"),
    ("etl-2", "private", "r6i.large", "production", "analytics"),
    ("reporting", "public", "t3.large", "production", "analytics"),
    ("jupyter", "public", "t3.xlarge", "development", None),
]


def tags(name, environment=None, owner=None, managed=True, **more):
    """Tags in the form that the API wants. Without an owner there is no owner tag."""
    pairs = {"Name": name, "environment": environment, "elava:owner": owner}
    if managed:
        pairs["elava:managed"] = "true"
    pairs.update({f"elava:{key}": value for key, value in more.items()})
    return [{"Key": key, "Value": value} for key, value in pairs.items() if value is not None]


class Estate:
    def __init__(self, endpoint_url):
        self.endpoint_url = endpoint_url
        self.step = None

    def client(self, service, region):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        )

    def did(self, what, region, id, **more):
        print(json.dumps({"step": self.step, "did": what, "region": region, "id": id, **more}), flush=True)

    def named(self, kind, name, region=HOME):
        """The id of the only EC2 resource of this kind and name."""
        ec2 = self.client("ec2", region)
        filters = [{"Name": "tag:Name", "Values": [name]}]
        if kind == "instance":
            reservations = ec2.describe_instances(Filters=filters)["Reservations"]
            found = [one["InstanceId"] for reservation in reservations for one in reservation["Instances"]]
        elif kind == "volume":
            found = [one["VolumeId"] for one in ec2.describe_volumes(Filters=filters)["Volumes"]]
        else:
            found = [one["GroupId"] for one in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]]
        if len(found) != 1:
            sys.exit(f"estate: {len(found)} {kind}s named {name} in {region}; run `seed` once, first")
        return found[0]

    # --- the estate ---------------------------------------------------------------------------

    def seed(self):
        self.seed_home()
        self.seed_abroad()

    def seed_home(self):
        ec2 = self.client("ec2", HOME)
        subnets, vpc = self.network(ec2, HOME, "shop", "10.0", owner="shop")
        web = self.group(ec2, HOME, vpc, "shop-web", "https from everywhere", 443, "0.0.0.0/0", owner="shop")
        self.group(ec2, HOME, vpc, "shop-admin", "ssh from the office", 22, "10.20.0.0/16", owner="platform")
        inside = self.group(ec2, HOME, vpc, "shop-inside", "inside the VPC", 5432, "10.0.0.0/16", owner="shop")
        groups = {"public": web, "private": inside}
        instances = self.instances(ec2, HOME, HOME_INSTANCES, subnets, groups)

        index = self.volume(ec2, HOME, "search-index", 200, tags("search-index", "production", "shop"))
        ec2.attach_volume(VolumeId=index, InstanceId=instances["api-1"], Device="/dev/sdf")
        # nobody's any more, and never encrypted
        forgotten = self.volume(ec2, HOME, "old-import", 100, tags("old-import", managed=False), encrypted=False)
        for volume, name in ((index, "search-index-weekly"), (forgotten, "old-import-before-cleanup")):
            self.snapshot(ec2, HOME, volume, name)

        address = ec2.allocate_address(
            Domain="vpc",
            TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags("bastion", "production", "platform")}],
        )["AllocationId"]
        ec2.associate_address(AllocationId=address, InstanceId=instances["bastion"])
        self.did("elastic-ip", HOME, address, name="bastion")

        self.database(HOME, "orders-db", "db.m6g.large", tags("orders-db", "production", "shop", blessed="true"))
        self.database(
            HOME, "catalog-db", "db.t4g.medium", tags("catalog-db", "production", "shop"), DeletionProtection=True
        )

    def seed_abroad(self):
        ec2 = self.client("ec2", ABROAD)
        subnets, vpc = self.network(ec2, ABROAD, "analytics", "10.1", owner="analytics")
        inside = self.group(ec2, ABROAD, vpc, "analytics", "inside the VPC", 8443, "10.1.0.0/16", owner="analytics")
        self.instances(ec2, ABROAD, ABROAD_INSTANCES, subnets, {"public": inside, "private": inside})

        idle = ec2.allocate_address(
            Domain="vpc",
            TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags("was-reporting", "production", "analytics")}],
        )["AllocationId"]
        self.did("elastic-ip", ABROAD, idle, name="was-reporting")
        # public, not encrypted, nobody's
        self.database(
            ABROAD,
            "reporting-db",
            "db.t3.medium",
            tags("reporting-db", "production"),
            PubliclyAccessible=True,
            StorageEncrypted=False,
            BackupRetentionPeriod=0,
        )

    def network(self, ec2, region, name, prefix, owner):
        def tagged(kind, name):
            return [{"ResourceType": kind, "Tags": tags(name, "production", owner)}]

        vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0.0/16", TagSpecifications=tagged("vpc", name))["Vpc"]["VpcId"]
        self.did("vpc", region, vpc, name=name)
        subnets = {}
        for number, half in enumerate(("public", "private")):
            subnet = ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"{prefix}.{number}.0/24",
                AvailabilityZone=f"{region}{'ab'[number]}",
                TagSpecifications=tagged("subnet", f"{name}-{half}"),
            )["Subnet"]["SubnetId"]
            subnets[half] = subnet
            self.did("subnet", region, subnet, name=f"{name}-{half}")
        return subnets, vpc

    def group(self, ec2, region, vpc, name, description, port, cidr, owner):
        group = ec2.create_security_group(
            GroupName=name,
            Description=description,
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags(name, "production", owner)}],
        )["GroupId"]
        self.allow(ec2, group, port, cidr, description)
        self.did("security-group", region, group, name=name)
        return group

    def allow(self, ec2, group, port, cidr, description):
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": port,
                    "ToPort": port,
                    "IpRanges": [{"CidrIp": cidr, "Description": description}],
                }
            ],
        )

    def image(self, ec2, region):
        """The company's own image, made on first use."""
        found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["base-2026"]}])["Images"]
        if found:
            return found[0]["ImageId"]
        image = ec2.register_image(Name="base-2026", Description="what every instance starts from")["ImageId"]
        ec2.create_tags(Resources=[image], Tags=tags("base-2026", "production", "platform"))
        self.did("image", region, image, name="base-2026")
        return image

    def instances(self, ec2, region, wanted, subnets, groups):
        image = self.image(ec2, region)
        instances = {}
        for name, half, kind, environment, owner in wanted:
            labels = tags(name, environment, owner)
            instance = ec2.run_instances(
                ImageId=image,
                MinCount=1,
                MaxCount=1,
                InstanceType=kind,
                SubnetId=subnets[half],
                SecurityGroupIds=[groups[half]],
                MetadataOptions={"HttpTokens": "required", "HttpEndpoint": "enabled"},
                BlockDeviceMappings=[
                    {
                        "DeviceName": "/dev/sda1",
                        "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True},
                    }
                ],
                TagSpecifications=[
                    {"ResourceType": "instance", "Tags": labels},
                    {"ResourceType": "volume", "Tags": labels},
                ],
            )["Instances"][0]["InstanceId"]
            instances[name] = instance
            self.did("instance", region, instance, name=name)
        return instances

    def volume(self, ec2, region, name, size, labels, encrypted=True):
        volume = ec2.create_volume(
            AvailabilityZone=f"{region}b",
            Size=size,
            VolumeType="gp3",
            Encrypted=encrypted,
            TagSpecifications=[{"ResourceType": "volume", "Tags": labels}],
        )["VolumeId"]
        self.did("volume", region, volume, name=name)
        return volume

    def snapshot(self, ec2, region, volume, name):
        snapshot = ec2.create_snapshot(
            VolumeId=volume,
            Description=name,
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags(name, "production", "shop")}],
        )["SnapshotId"]
        self.did("snapshot", region, snapshot, name=name)

    def database(self, region, name, kind, labels, **more):
        settings = {
            "Engine": "postgres",
            "AllocatedStorage": 100,
            "StorageType": "gp3",
            "StorageEncrypted": True,
            "PubliclyAccessible": False,
            "BackupRetentionPeriod": 7,
            "MasterUsername": "elava",
            "MasterUserPassword": "not-a-secret-1",
            **more,
        }
        self.client("rds", region).create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass=kind, Tags=labels, **settings
        )
        self.did("database", region, name, name=name)

    # --- the day ------------------------------------------------------------------------------

    def launch(self):
        ec2 = self.client("ec2", HOME)
        subnet = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["shop-private"]}])["Subnets"][0]
        instance = ec2.run_instances(
            ImageId=self.image(ec2, HOME),
            MinCount=1,
            MaxCount=1,
            InstanceType="c6i.4xlarge",
            SubnetId=subnet["SubnetId"],
        )["Instances"][0]["InstanceId"]
        self.did("launched", HOME, instance)

    def drift(self):
        instance = self.named("instance", "worker-1")
        self.client("ec2", HOME).create_tags(Resources=[instance], Tags=[{"Key": "elava:owner", "Value": "nobody"}])
        self.did("retagged", HOME, instance, name="worker-1")

    def open_ssh(self):
        group = self.named("security-group", "shop-admin")
        self.allow(self.client("ec2", HOME), group, 22, "0.0.0.0/0", "just for a minute")
        self.did("opened", HOME, group, name="shop-admin")

    def delete_blessed(self):
        self.client("rds", HOME).delete_db_instance(DBInstanceIdentifier="orders-db", SkipFinalSnapshot=True)
        self.did("deleted", HOME, "orders-db", name="orders-db")

    def orphan(self):
        volume = self.named("volume", "search-index")
        self.client("ec2", HOME).detach_volume(VolumeId=volume, InstanceId=self.named("instance", "api-1"))
        self.did("detached", HOME, volume, name="search-index")

    def resize(self):
        ec2 = self.client("ec2", HOME)
        instance = self.named("instance", "worker-2")
        ec2.stop_instances(InstanceIds=[instance])
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "c6i.4xlarge"})
        ec2.start_instances(InstanceIds=[instance])
        self.did("resized", HOME, instance, name="worker-2")


STEPS = ("seed", "launch", "drift", "open-ssh", "delete-blessed", "orphan", "resize")


def main():
    parser = argparse.ArgumentParser(description="A small estate in an AWS emulator, and a day of operations in it.")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--endpoint-url", required=True, help="the emulator, such as http://127.0.0.1:5000")
    args = parser.parse_args()
    estate = Estate(args.endpoint_url)
    estate.step = args.step
    getattr(estate, args.step.replace("-", "_"))()


if __name__ == "__main__":
    main()
