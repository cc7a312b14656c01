package day2.cost.previous_generation_test

import data.day2.cost.previous_generation as policy

test_finds_an_old_instance_type if {
	{v.rule | some v in policy.info} == {"previous_generation"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"InstanceType": "m3.large"},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_finds_an_old_database_class if {
	{v.rule | some v in policy.info} == {"previous_generation"} with input as {
		"type": "rds:db",
		"tags_known": true,
		"resource": {
			"key": {"type": "rds:db"},
			"tags": {},
			"attributes": {"DBInstanceClass": "db.r3.large"},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_a_current_one if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"InstanceType": "m7g.large"},
		},
		"context": {"managed": false, "blessed": false},
	}
}
