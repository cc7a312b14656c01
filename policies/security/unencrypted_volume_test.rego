package day2.security.unencrypted_volume_test

import data.day2.security.unencrypted_volume as policy

test_finds_an_unencrypted_volume if {
	{v.rule | some v in policy.warn} == {"unencrypted_volume"} with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"tags": {},
			"attributes": {"Encrypted": false},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_encryption if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"tags": {},
			"attributes": {"Encrypted": true},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_says_nothing_of_the_unknown if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:volume",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:volume"},
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}
