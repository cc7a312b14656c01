# METADATA
# title: SSH open to the world
# custom:
#   types: [ec2:security-group]
package day2.security.ssh

import rego.v1

deny contains {"msg": "port 22 is open to the world", "rule": "ssh_open"} if {
	some permission in input.resource.attributes.IpPermissions
	permission.FromPort <= 22
	permission.ToPort >= 22
	some range in permission.IpRanges
	range.CidrIp == "0.0.0.0/0"
}
