package day2.protection.single_zone_test

import data.day2.protection.single_zone as policy

test_finds_a_single_zone if {
	{v.rule | some v in policy.warn} == {"single_zone"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"MultiAZ": false},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}

test_accepts_it_elsewhere if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"MultiAZ": false},
		},
		"context": {"managed": false, "blessed": false, "environment": "dev"},
	}
}

test_accepts_several_zones if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"MultiAZ": true},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}

test_leaves_members_to_their_cluster if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"MultiAZ": false, "DBClusterIdentifier": "c"},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}
