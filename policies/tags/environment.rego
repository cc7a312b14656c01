# METADATA
# title: A workload does not say which environment it belongs to
# description: Rules for production cannot apply to what does not say that it is production.
# custom:
#   severity: info
#   types: [ec2:instance, rds:db, rds:cluster]
#   suggestion: Set the tag environment.
package day2.tags.environment

info contains {"rule": "missing_environment", "msg": "Resource has no environment tag"} if {
	input.tags_known
	not input.context.environment
	data.lib.elava.alive
}
