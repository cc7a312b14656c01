package day2.security.open_sensitive_port_test

import data.day2.security.open_sensitive_port as policy

test_finds_ssh if {
	{v.rule | some v in policy.deny} == {"port_22_open_to_world"} with input as {
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

test_finds_a_range if {
	{v.rule | some v in policy.deny} == {"port_3306_open_to_world", "port_3389_open_to_world"} with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 3300, "ToPort": 3400, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_ipv6 if {
	{v.rule | some v in policy.deny} == {"port_5432_open_to_world"} with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {
				"GroupId": "sg-1",
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}],
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
				"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_leaves_all_ports_to_its_own_rule if {
	{v.rule | some v in policy.deny} == set() with input as {
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

test_accepts_no_rules if {
	{v.rule | some v in policy.deny} == set() with input as {
		"type": "ec2:security-group",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:security-group"},
			"tags": {},
			"attributes": {"GroupId": "sg-1"},
		},
		"context": {"managed": false, "blessed": false},
	}
}
