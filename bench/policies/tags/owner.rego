# METADATA
# title: Instance without an owner
package day2.tags

import rego.v1

warn contains {"msg": "instance has no Owner tag", "rule": "instance_owner"} if {
	input.type == "ec2:instance"
	not input.tags.Owner
}
