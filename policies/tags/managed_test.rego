package day2.tags.managed_test

import data.day2.tags.managed as policy

test_finds_untagged if {
	{v.rule | some v in policy.info} == {"missing_managed"} with input as {
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

test_accepts_managed if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"elava:managed": "true"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_unmanaged_on_purpose if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"elava_managed": "false"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
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
