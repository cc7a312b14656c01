package day2.security.public_image_test

import data.day2.security.public_image as policy

test_finds_a_public_image if {
	{v.rule | some v in policy.deny} == {"public_image"} with input as {
		"type": "ec2:image",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:image"},
			"tags": {},
			"attributes": {"Public": true},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_a_private_one if {
	{v.rule | some v in policy.deny} == set() with input as {
		"type": "ec2:image",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:image"},
			"tags": {},
			"attributes": {"Public": false},
		},
		"context": {"managed": false, "blessed": false},
	}
}
