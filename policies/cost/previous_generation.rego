# METADATA
# title: An instance or database is of a previous generation
# description: Newer generations do more for less. The families are in data.json.
# custom:
#   severity: info
#   types: [ec2:instance, rds:db]
#   suggestion: Move to a current generation of the same size.
package day2.cost.previous_generation

info contains violation if {
	old(split(input.resource.attributes.InstanceType, ".")[0])
	violation := told(input.resource.attributes.InstanceType)
}

# db.m3.large
info contains violation if {
	old(split(input.resource.attributes.DBInstanceClass, ".")[1])
	violation := told(input.resource.attributes.DBInstanceClass)
}

old(family) if {
	family in data.settings.previous_generation_families
	data.lib.elava.alive
}

told(class) := {"rule": "previous_generation", "msg": sprintf("%s is of a previous generation", [class])}
