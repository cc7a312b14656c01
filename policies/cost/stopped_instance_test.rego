package day2.cost.stopped_instance_test

import data.day2.cost.stopped_instance as policy

test_finds_a_long_stopped_instance if {
	{v.rule | some v in policy.warn} == {"long_stopped_instance"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"status": "stopped",
			"tags": {},
			"attributes": {"StateTransitionReason": "User initiated (2026-01-02 03:04:05 GMT)"},
		},
		"context": {"managed": false, "blessed": false},
		"now": "2026-03-01T00:00:00Z",
	}
}

test_accepts_one_just_stopped if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"status": "stopped",
			"tags": {},
			"attributes": {"StateTransitionReason": "User initiated (2026-02-27 03:04:05 GMT)"},
		},
		"context": {"managed": false, "blessed": false},
		"now": "2026-03-01T00:00:00Z",
	}
}

test_accepts_a_running_one if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"status": "running",
			"tags": {},
			"attributes": {"StateTransitionReason": "User initiated (2026-01-02 03:04:05 GMT)"},
		},
		"context": {"managed": false, "blessed": false},
		"now": "2026-03-01T00:00:00Z",
	}
}

test_says_nothing_of_the_unknown if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"status": "stopped",
			"tags": {},
			"attributes": {"StateTransitionReason": "User initiated"},
		},
		"context": {"managed": false, "blessed": false},
		"now": "2026-03-01T00:00:00Z",
	}
}
