# METADATA
# title: A production instance has a public address
# description: Instances in production are better reached through a load balancer.
# custom:
#   severity: info
#   types: [ec2:instance]
#   suggestion: Put the instance behind a load balancer or NAT gateway.
package day2.security.public_instance

info contains {"rule": "public_instance", "msg": "Production instance has a public IP address"} if {
	input.resource.attributes.PublicIpAddress
	data.lib.elava.production
	data.lib.elava.alive
}
