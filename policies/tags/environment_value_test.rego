package day2.tags.environment_value_test

import data.day2.tags.environment_value as policy

test_finds_a_misspelling if {
	{v.rule | some v in policy.info} == {"unknown_environment"} with input as {
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
			"environment": "prodution",
		},
	}
}

test_accepts_any_case if {
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
			"environment": "Production",
		},
	}
}

test_accepts_none if {
	{v.rule | some v in policy.info} == set() with input as {
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
