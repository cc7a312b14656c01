package day2.security.public_instance_test

import data.day2.security.public_instance as policy

test_finds_a_public_address if {
	{v.rule | some v in policy.info} == {"public_instance"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"PublicIpAddress": "198.51.100.7"},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "Production",
		},
	}
}

test_accepts_it_elsewhere if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"PublicIpAddress": "198.51.100.7"},
		},
		"context": {"managed": false, "blessed": false, "environment": "dev"},
	}
}

test_accepts_a_private_instance if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}
