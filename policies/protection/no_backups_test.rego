package day2.protection.no_backups_test

import data.day2.protection.no_backups as policy

test_warns_of_no_backups if {
	{v.rule | some v in policy.warn} == {"no_backups"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"BackupRetentionPeriod": 0},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_denies_it_in_production if {
	{v.rule | some v in policy.deny} == {"no_backups"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"BackupRetentionPeriod": 0},
		},
		"context": {"managed": false, "blessed": false, "environment": "prod"},
	}
}

test_denies_it_of_the_blessed if {
	{v.rule | some v in policy.deny} == {"no_backups"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"BackupRetentionPeriod": 0},
		},
		"context": {"managed": false, "blessed": true},
	}
}

test_says_it_once if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"BackupRetentionPeriod": 0},
		},
		"context": {"managed": false, "blessed": false, "environment": "prod"},
	}
}

test_accepts_backups if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"BackupRetentionPeriod": 7},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_replicas if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {
				"BackupRetentionPeriod": 0,
				"ReadReplicaSourceDBInstanceIdentifier": "db-1",
			},
		},
		"context": {"managed": false, "blessed": false},
	}
}
