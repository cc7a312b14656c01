# METADATA
# title: A volume is attached to nothing
# description: It is paid for as if it were in use.
# custom:
#   severity: warning
#   types: [ec2:volume]
#   suggestion: Take a snapshot and delete the volume, or attach it.
package day2.cost.unattached_volume

warn contains {"rule": "unattached_volume", "msg": "Volume is attached to nothing"} if {
	input.resource.status == "available"
}
