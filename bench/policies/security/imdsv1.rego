# METADATA
# title: Instance with IMDSv1
# custom:
#   types: [ec2:instance]
package day2.security.imdsv1

import rego.v1

warn contains {"msg": "instance metadata can be read without a token", "rule": "imdsv1"} if {
	input.resource.attributes.MetadataOptions.HttpTokens != "required"
}
