# METADATA
# title: A workload does not say whether it is managed
# description: Only resources tagged as managed are watched closely.
# custom:
#   severity: info
#   types: [ec2:instance, rds:db, rds:cluster]
#   suggestion: Set the tag elava:managed to "true", or to "false" to leave it alone.
package day2.tags.managed

info contains {"rule": "missing_managed", "msg": "Resource has no elava:managed tag"} if {
	input.tags_known
	count(object.filter(input.resource.tags, data.settings.managed_tags)) == 0
	data.lib.elava.alive
}
