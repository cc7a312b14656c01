# METADATA
# title: Instance without an owner
# custom:
#   types: [ec2:instance]
package day2.tags.owner

import rego.v1

warn contains {"msg": "instance has no Owner tag", "rule": "instance_owner"} if {
	not input.tags.Owner
}
