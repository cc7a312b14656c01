# METADATA
# title: A production instance has a public address
# description: Instances in production are better reached through a load balancer.
# custom:
#   severity: info
#   types: [ec2:instance]
#   suggestion: Put the instance behind a load balancer or NAT gateway.
package day2.security.public_instance

import data.lib.elava

info contains {"rule": "public_instance", "msg": "Production instance has a public IP address"} if {
	elava.production
	input.resource.attributes.PublicIpAddress
	elava.alive
}
