# METADATA
# title: Volume not encrypted
package day2.security

import rego.v1

deny contains {"msg": "volume is not encrypted", "rule": "volume_encryption"} if {
	input.type == "ec2:volume"
	input.resource.attributes.Encrypted == false
}
