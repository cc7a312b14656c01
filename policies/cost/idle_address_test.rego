package day2.cost.idle_address_test

import data.day2.cost.idle_address as policy

test_finds_an_idle_address if {
	{v.rule | some v in policy.warn} == {"idle_address"} with input as {
		"type": "ec2:elastic-ip",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:elastic-ip"},
			"tags": {},
			"attributes": {"PublicIp": "198.51.100.7"},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_an_associated_one if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:elastic-ip",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:elastic-ip"},
			"tags": {},
			"attributes": {"AssociationId": "eipassoc-1"},
		},
		"context": {"managed": false, "blessed": false},
	}
}
