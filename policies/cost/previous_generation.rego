# METADATA
# title: An instance or database is of a previous generation
# description: Newer generations do more for less. The families are in data.json.
# custom:
#   severity: info
#   types: [ec2:instance, rds:db]
#   suggestion: Move to a current generation of the same size.
package day2.cost.previous_generation

info contains {"rule": "previous_generation", "msg": sprintf("%s is of a previous generation", [class])} if {
	some class, family in families
	family in data.settings.previous_generation_families
	data.lib.elava.alive
}

# class -> family
families[class] := split(class, ".")[0] if class := input.resource.attributes.InstanceType

families[class] := split(class, ".")[1] if class := input.resource.attributes.DBInstanceClass
