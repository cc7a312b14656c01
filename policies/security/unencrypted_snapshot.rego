# METADATA
# title: A snapshot is not encrypted
# description: It can be shared and copied in the clear.
# custom:
#   severity: warning
#   types: [ec2:snapshot, rds:snapshot]
#   suggestion: Copy the snapshot with encryption and delete the original.
package day2.security.unencrypted_snapshot

warn contains {"rule": "unencrypted_snapshot", "msg": "Snapshot is not encrypted"} if {
	input.resource.attributes.Encrypted == false
}
