package day2.orphans.unowned_workload_test

import data.day2.orphans.unowned_workload as policy

test_finds_unowned if {
	{v.rule | some v in policy.info} == {"unowned_workload"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_an_owner if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"Owner": "payments"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_managed if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": true, "blessed": false},
	}
}

test_says_nothing_of_unknown_tags if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": false,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": null,
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}
