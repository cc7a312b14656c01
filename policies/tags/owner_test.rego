package day2.tags.owner_test

import data.day2.tags.owner as policy

test_finds_managed_without_owner if {
	{v.rule | some v in policy.warn} == {"missing_owner"} with input as {
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

test_finds_blessed_without_owner if {
	{v.rule | some v in policy.warn} == {"missing_owner"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": true},
	}
}

test_accepts_an_owner if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"elava:owner": "payments"},
			"attributes": {},
		},
		"context": {"managed": true, "blessed": false},
	}
}

test_accepts_unmanaged if {
	{v.rule | some v in policy.warn} == set() with input as {
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

test_accepts_terminated if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"status": "terminated",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": true, "blessed": false},
	}
}

test_says_nothing_of_unknown_tags if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": false,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": null,
			"attributes": {},
		},
		"context": {"managed": true, "blessed": false},
	}
}
