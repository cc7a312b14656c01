package day2.security.imdsv1_test

import data.day2.security.imdsv1 as policy

test_finds_optional_tokens if {
	{v.rule | some v in policy.warn} == {"imdsv1_allowed"} with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"}},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_required_tokens if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"MetadataOptions": {"HttpTokens": "required"}},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_accepts_no_endpoint if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {"MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "disabled"}},
		},
		"context": {"managed": false, "blessed": false},
	}
}

test_says_nothing_of_the_unknown if {
	{v.rule | some v in policy.warn} == set() with input as {
		"type": "ec2:instance",
		"tags_known": true,
		"resource": {
			"key": {"type": "ec2:instance"},
			"tags": {},
			"attributes": {},
		},
		"context": {"managed": false, "blessed": false},
	}
}
