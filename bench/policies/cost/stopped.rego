# METADATA
# title: Stopped instance
package day2.cost

import rego.v1

info contains {"msg": "instance is stopped", "rule": "stopped_instance"} if {
	input.type == "ec2:instance"
	input.resource.status == "stopped"
}
