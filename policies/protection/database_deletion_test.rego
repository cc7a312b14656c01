package day2.protection.database_deletion_test

import data.day2.protection.database_deletion as policy

test_warns_in_production if {
	{v.rule | some v in policy.warn} == {"no_deletion_protection"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"DeletionProtection": false},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}

test_warns_of_the_blessed if {
	{v.rule | some v in policy.warn} == {"no_deletion_protection"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"DeletionProtection": false},
		},
		"context": {"managed": false, "blessed": true},
	}
}

test_notes_it_elsewhere if {
	{v.rule | some v in policy.info} == {"no_deletion_protection"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"DeletionProtection": false},
		},
		"context": {"managed": false, "blessed": false, "environment": "dev"},
	}
}

test_accepts_protection if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"DeletionProtection": true},
		},
		"context": {
			"managed": false,
			"blessed": false,
			"environment": "production",
		},
	}
}
