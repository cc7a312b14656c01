package day2.cost.gp2_volume_test

import data.day2.cost.gp2_volume as policy

test_finds_gp2 if {
	{v.rule | some v in policy.info} == {"gp2_volume"} with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"tags": {},
			"attributes": {"VolumeType": "gp2"},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_gp3 if {
	{v.rule | some v in policy.info} == set() with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"tags": {},
			"attributes": {"VolumeType": "gp3"},
		},
		"context": {"managed": false, "blessed": false},
	}
}
