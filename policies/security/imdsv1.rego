# METADATA
# title: An instance still answers version 1 of the metadata service
# description: Version 1 gives the instance's credentials to any request that can be forged on it.
# custom:
#   severity: warning
#   types: [ec2:instance]
#   suggestion: Set HttpTokens to required once nothing on the instance uses version 1.
package day2.security.imdsv1

warn contains {"rule": "imdsv1_allowed", "msg": "Instance metadata can be read without a session token (IMDSv1)"} if {
	input.resource.attributes.MetadataOptions.HttpTokens == "optional"
	not input.resource.attributes.MetadataOptions.HttpEndpoint == "disabled"
	data.lib.elava.alive
}
