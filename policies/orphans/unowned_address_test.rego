package day2.orphans.unowned_address_test

import data.day2.orphans.unowned_address as policy

test_finds_an_orphan if {
	{v.rule | some v in policy.info} == {"unowned_address"} with input as {
		"type": "ec2:elastic-ip",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:elastic-ip"},
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_an_owner if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:elastic-ip",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:elastic-ip"},
			"tags": {"team": "payments"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_an_associated_one if {
	{v.rule | some v in policy.info} == set() with input as {
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
