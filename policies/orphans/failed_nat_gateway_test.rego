package day2.orphans.failed_nat_gateway_test

import data.day2.orphans.failed_nat_gateway as policy

test_finds_a_failed_gateway if {
	{v.rule | some v in policy.warn} == {"failed_nat_gateway"} with input as {
		"type": "ec2:natgateway",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:natgateway"},
			"status": "failed",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_a_working_one if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:natgateway",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:natgateway"},
			"status": "available",
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}
