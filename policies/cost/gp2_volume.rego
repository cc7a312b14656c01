# METADATA
# title: A volume is of type gp2
# description: gp3 is a fifth cheaper for the same size, and its speed does not depend on it.
# custom:
#   severity: info
#   types: [ec2:volume]
#   suggestion: Modify the volume to gp3; it stays in use meanwhile.
package day2.cost.gp2_volume

info contains {"rule": "gp2_volume", "msg": "Volume is of type gp2, gp3 is cheaper"} if {
	input.resource.attributes.VolumeType == "gp2"
}
