# METADATA
# title: A volume is not encrypted
# description: Its contents and its snapshots can be read by whoever gets hold of them.
# custom:
#   severity: warning
#   types: [ec2:volume]
#   suggestion: Copy a snapshot with encryption, and switch on encryption by default for the region.
package day2.security.unencrypted_volume

warn contains {"rule": "unencrypted_volume", "msg": "Volume is not encrypted"} if {
	input.resource.attributes.Encrypted == false
	data.lib.elava.alive
}
