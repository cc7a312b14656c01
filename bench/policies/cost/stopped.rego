# METADATA
# title: Stopped instance
# custom:
#   types: [ec2:instance]
package day2.cost.stopped

import rego.v1

info contains {"msg": "instance is stopped", "rule": "stopped_instance"} if {
	input.resource.status == "stopped"
}
