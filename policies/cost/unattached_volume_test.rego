package day2.cost.unattached_volume_test

import data.day2.cost.unattached_volume as policy

test_finds_an_unattached_volume if {
	{v.rule | some v in policy.warn} == {"unattached_volume"} with input as {
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

test_accepts_an_attached_one if {
	{v.rule | some v in policy.warn} == set() with input as {
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
