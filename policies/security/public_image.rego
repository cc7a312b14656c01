# METADATA
# title: A machine image is public
# description: Anyone can start it and read what is on its disks.
# custom:
#   severity: critical
#   types: [ec2:image]
#   suggestion: Make the image private and share it with the accounts that need it.
package day2.security.public_image

deny contains {"rule": "public_image", "msg": "Machine image is public"} if {
	input.resource.attributes.Public == true
}
