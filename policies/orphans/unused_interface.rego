# METADATA
# title: A network interface is attached to nothing
# description: Left behind by something deleted; it holds an address and its security groups.
# custom:
#   severity: info
#   types: [ec2:network-interface]
#   suggestion: Delete the interface.
package day2.orphans.unused_interface

info contains {"rule": "unused_interface", "msg": "Network interface is attached to nothing"} if {
	input.resource.status == "available"
}
