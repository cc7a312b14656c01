package day2.security.open_other_port_test

import data.day2.security.open_other_port as policy

test_finds_an_unusual_port if {
	{v.rule | some v in policy.warn} == {"ports_8080_8080_open_to_world"} with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_https if {
	{v.rule | some v in policy.warn} == set() with input as {
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

test_leaves_ssh_to_its_own_rule if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_icmp if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}
