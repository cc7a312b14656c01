# METADATA
# title: An elastic IP address is associated with nothing
# description: An address is paid for by the hour, used or not.
# custom:
#   severity: warning
#   types: [ec2:elastic-ip]
#   suggestion: Release the address, or associate it.
package day2.cost.idle_address

warn contains {"rule": "idle_address", "msg": "Elastic IP address is associated with nothing"} if {
	not input.resource.attributes.AssociationId
	not input.resource.attributes.InstanceId
	not input.resource.attributes.NetworkInterfaceId
}
