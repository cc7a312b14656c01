package day2.orphans.unused_interface_test

import data.day2.orphans.unused_interface as policy

test_finds_an_unused_interface if {
	{v.rule | some v in policy.info} == {"unused_interface"} with input as {
		"type": "ec2:network-interface",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:network-interface"},
			"status": "available",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_one_in_use if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:network-interface",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:network-interface"},
			"status": "in-use",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}
