package day2.tags.environment_test

import data.day2.tags.environment as policy

test_finds_untagged if {
	{v.rule | some v in policy.info} == {"missing_environment"} with input as {
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

test_accepts_an_environment if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"environment": "dev"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false, "environment": "dev"},
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
