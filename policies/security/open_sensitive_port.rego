# METADATA
# title: A security group opens an administration or database port to the internet
# description: SSH, RDP and databases are found and attacked within minutes. The ports are in data.json.
# custom:
#   severity: critical
#   types: [ec2:security-group]
#   suggestion: Restrict the rule to known addresses, or use a bastion, VPN or Session Manager.
package day2.security.open_sensitive_port

deny contains violation if {
	some permission in data.lib.network.open_permissions
	some entry in data.lib.network.sensitive_ports(permission)
	violation := {
		"rule": sprintf("port_%d_open_to_world", [entry.port]),
		"msg": sprintf("Security group is open to the internet on port %d (%s)", [entry.port, entry.service]),
	}
}
