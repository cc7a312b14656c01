# METADATA
# title: An unassociated elastic IP address belongs to nobody
# description: Nothing uses it and no tag says whom to ask.
# custom:
#   severity: info
#   types: [ec2:elastic-ip]
#   suggestion: Release the address.
package day2.orphans.unowned_address

info contains {"rule": "unowned_address", "msg": "Unassociated elastic IP address belongs to nobody"} if {
	not input.resource.attributes.AssociationId
	not input.resource.attributes.InstanceId
	not input.resource.attributes.NetworkInterfaceId
	data.lib.elava.unowned
}
