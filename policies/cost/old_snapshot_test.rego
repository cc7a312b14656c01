package day2.cost.old_snapshot_test

import data.day2.cost.old_snapshot as policy

test_finds_an_old_snapshot if {
	{v.rule | some v in policy.info} == {"old_snapshot"} with input as {
		"type": "ec2:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:snapshot"},
			"tags": {},
			"attributes": {},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"resource_age_days": 91,
		},
	}
}

test_accepts_a_young_one if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:snapshot"},
			"tags": {},
			"attributes": {},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"resource_age_days": 90,
		},
	}
}

test_accepts_that_of_an_image if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:snapshot"},
			"tags": {},
			"attributes": {"Description": "Created by CreateImage(i-1) for ami-1"},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"resource_age_days": 400,
		},
	}
}

test_accepts_automated_ones if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "rds:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:snapshot"},
			"tags": {},
			"attributes": {"SnapshotType": "automated"},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"resource_age_days": 400,
		},
	}
}

test_finds_old_manual_ones if {
	{v.rule | some v in policy.info} == {"old_snapshot"} with input as {
		"type": "rds:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:snapshot"},
			"tags": {},
			"attributes": {"SnapshotType": "manual"},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"resource_age_days": 400,
		},
	}
}
