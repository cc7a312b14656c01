# METADATA
# title: An environment tag has a value nobody knows
# description: A misspelt environment escapes every rule that asks for it. The known values are in data.json.
# custom:
#   severity: info
#   suggestion: Use one of the known environments, or add this one to policies/data.json.
package day2.tags.environment_value

info contains {"rule": "unknown_environment", "msg": sprintf("Unknown environment %q", [environment])} if {
	environment := input.context.environment
	not lower(environment) in data.settings.environments
}
