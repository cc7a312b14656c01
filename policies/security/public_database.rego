# METADATA
# title: A database can be reached from the internet
# description: A publicly accessible RDS instance has a public address; only its security group guards it.
# custom:
#   severity: critical
#   types: [rds:db]
#   suggestion: Switch off public access and connect from inside the VPC.
package day2.security.public_database

deny contains {"rule": "public_database", "msg": "Database is publicly accessible"} if {
	input.resource.attributes.PubliclyAccessible == true
	data.lib.elava.alive
}
