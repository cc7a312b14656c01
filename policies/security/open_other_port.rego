# METADATA
# title: A security group opens an unusual port to the internet
# description: Only the ports of public web services (data.json) are expected to be open to everyone.
# custom:
#   severity: warning
#   types: [ec2:security-group]
#   suggestion: Restrict the rule, or add the port to public_ports in policies/data.json.
package day2.security.open_other_port

warn contains violation if {
	some permission in data.lib.network.open_permissions
	permission.IpProtocol in {"tcp", "udp"}
	not data.lib.network.all_ports(permission)
	count(data.lib.network.sensitive_ports(permission)) == 0
	not public(permission)
	violation := {
		"rule": sprintf("ports_%d_%d_open_to_world", [permission.FromPort, permission.ToPort]),
		"msg": sprintf("Security group is open to the internet on ports %d to %d", [permission.FromPort, permission.ToPort]),
	}
}

public(permission) if {
	permission.FromPort == permission.ToPort
	permission.FromPort in data.settings.public_ports
}
