package day2.security.open_all_ports_test

import data.day2.security.open_all_ports as policy

test_finds_every_protocol if {
	{v.rule | some v in policy.deny} == {"all_ports_open_to_world"} with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_every_port if {
	{v.rule | some v in policy.deny} == {"all_ports_open_to_world"} with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_ipv6 if {
	{v.rule | some v in policy.deny} == {"all_ports_open_to_world"} with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_a_private_range if {
	{v.rule | some v in policy.deny} == set() with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_one_port if {
	{v.rule | some v in policy.deny} == set() with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}
