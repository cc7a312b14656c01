package day2.security.public_database_test

import data.day2.security.public_database as policy

test_finds_a_public_database if {
	{v.rule | some v in policy.deny} == {"public_database"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"PubliclyAccessible": true},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_a_private_one if {
	{v.rule | some v in policy.deny} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"PubliclyAccessible": false},
		},
		"context": {"managed": false, "blessed": false},
	}
}
