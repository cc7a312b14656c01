# METADATA
# title: Volume not encrypted
# custom:
#   types: [ec2:volume]
package day2.security.encryption

import rego.v1

deny contains {"msg": "volume is not encrypted", "rule": "volume_encryption"} if {
	input.resource.attributes.Encrypted == false
}
