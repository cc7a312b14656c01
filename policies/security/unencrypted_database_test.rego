package day2.security.unencrypted_database_test

import data.day2.security.unencrypted_database as policy

test_finds_an_unencrypted_instance if {
	{v.rule | some v in policy.warn} == {"unencrypted_database"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"StorageEncrypted": false},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_an_unencrypted_cluster if {
	{v.rule | some v in policy.warn} == {"unencrypted_database"} with input as {
		"type": "rds:cluster",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:cluster"},
			"tags": {},
			"attributes": {"StorageEncrypted": false, "DBClusterIdentifier": "c"},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_leaves_members_to_their_cluster if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"StorageEncrypted": false, "DBClusterIdentifier": "c"},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_encryption if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"StorageEncrypted": true},
		},
		"context": {"managed": false, "blessed": false},
	}
}
