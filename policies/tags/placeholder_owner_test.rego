package day2.tags.placeholder_owner_test

import data.day2.tags.placeholder_owner as policy

test_finds_a_placeholder if {
	{v.rule | some v in policy.warn} == {"placeholder_owner"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"owner": " TODO "},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_an_empty_owner if {
	{v.rule | some v in policy.warn} == {"placeholder_owner"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"elava:owner": ""},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_a_name if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {"owner": "payments"},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
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
		"context": {"managed": false, "blessed": false},
	}
}
