package day2.security.unencrypted_snapshot_test

import data.day2.security.unencrypted_snapshot as policy

test_finds_an_unencrypted_snapshot if {
	{v.rule | some v in policy.warn} == {"unencrypted_snapshot"} with input as {
		"type": "ec2:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:snapshot"},
			"tags": {},
			"attributes": {"Encrypted": false},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_an_unencrypted_rds_snapshot if {
	{v.rule | some v in policy.warn} == {"unencrypted_snapshot"} with input as {
		"type": "rds:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:snapshot"},
			"tags": {},
			"attributes": {"Encrypted": false},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_encryption if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:snapshot",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:snapshot"},
			"tags": {},
			"attributes": {"Encrypted": true},
		},
		"context": {"managed": false, "blessed": false},
	}
}
