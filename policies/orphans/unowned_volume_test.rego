package day2.orphans.unowned_volume_test

import data.day2.orphans.unowned_volume as policy

test_finds_an_orphan if {
	{v.rule | some v in policy.info} == {"unowned_volume"} with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"status": "available",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_an_owner if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"status": "available",
			"tags": {"team": "payments"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_an_attached_one if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"status": "in-use",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}
