# METADATA
# title: Instance with IMDSv1
package day2.security

import rego.v1

warn contains {"msg": "instance metadata can be read without a token", "rule": "imdsv1"} if {
	input.type == "ec2:instance"
	input.resource.attributes.MetadataOptions.HttpTokens != "required"
}
