# METADATA
# title: A security group lets the whole internet in on every port
# description: Whatever listens behind this group can be reached by anyone.
# custom:
#   severity: critical
#   types: [ec2:security-group]
#   suggestion: Remove the rule, or narrow it to the addresses and ports that are needed.
package day2.security.open_all_ports

deny contains {"rule": "all_ports_open_to_world", "msg": "Security group is open to the internet on all ports"} if {
	some permission in data.lib.network.open_permissions
	data.lib.network.all_ports(permission)
}
