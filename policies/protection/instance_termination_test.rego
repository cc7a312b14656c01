package day2.protection.instance_termination_test

import data.day2.protection.instance_termination as policy

test_finds_it_in_production if {
	{v.rule | some v in policy.warn} == {"no_termination_protection"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"DisableApiTermination": false},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}

test_finds_it_of_the_blessed if {
	{v.rule | some v in policy.warn} == {"no_termination_protection"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"DisableApiTermination": false},
		},
		"context": {"managed": false, "blessed": true},
	}
}

test_accepts_protection if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"DisableApiTermination": true},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}

test_says_nothing_of_the_unknown if {
	{v.rule | some v in policy.warn} == set() with input as {
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
			"environment": "production",
		},
	}
}
