# METADATA
# title: An unattached volume belongs to nobody
# description: Nothing uses it and no tag says whom to ask.
# custom:
#   severity: info
#   types: [ec2:volume]
#   suggestion: Take a snapshot and delete the volume.
package day2.orphans.unowned_volume

info contains {"rule": "unowned_volume", "msg": "Unattached volume belongs to nobody"} if {
	input.resource.status == "available"
	data.lib.elava.unowned
}
