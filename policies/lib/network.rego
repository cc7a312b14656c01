# METADATA
# title: What several policies ask about the rules of a security group
# description: A library. It decides nothing itself, so it is not below `day2`.
package lib.network

# METADATA
# description: Rules that let in the whole internet.
open_permissions contains permission if {
	some permission in input.resource.attributes.IpPermissions
	some range in permission.IpRanges
	range.CidrIp == "0.0.0.0/0"
}

open_permissions contains permission if {
	some permission in input.resource.attributes.IpPermissions
	some range in permission.Ipv6Ranges
	range.CidrIpv6 == "::/0"
}

# METADATA
# description: The rule covers every port of its protocol.
all_ports(permission) if permission.IpProtocol == "-1"

all_ports(permission) if {
	permission.IpProtocol in {"tcp", "udp"}
	permission.FromPort <= 1
	permission.ToPort == 65535
}

# METADATA
# description: The ports that an administrator or a database listens on, among those of a rule.
sensitive_ports(permission) := {entry |
	permission.IpProtocol in {"tcp", "udp"}
	not all_ports(permission)
	some entry in data.settings.sensitive_ports
	permission.FromPort <= entry.port
	permission.ToPort >= entry.port
}
