# METADATA
# title: A NAT gateway has failed
# description: It carries no traffic, and its address stays taken until it is deleted.
# custom:
#   severity: warning
#   types: [ec2:natgateway]
#   suggestion: Delete the gateway and find out from its failure message what it lacked.
package day2.orphans.failed_nat_gateway

warn contains {"rule": "failed_nat_gateway", "msg": "NAT gateway has failed"} if {
	input.resource.status == "failed"
}
