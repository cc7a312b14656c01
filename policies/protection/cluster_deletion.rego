# METADATA
# title: A database cluster can be deleted with one call
# description: Deletion protection makes deleting take two steps. A warning in production and for the blessed, a note elsewhere.
# custom:
#   severity: warning
#   types: [rds:cluster]
#   suggestion: Switch on deletion protection.
package day2.protection.cluster_deletion

violation := {"rule": "no_deletion_protection", "msg": "Database cluster has no deletion protection"} if {
	input.resource.attributes.DeletionProtection == false
	data.lib.elava.alive
}

warn contains violation if data.lib.elava.important

info contains violation if not data.lib.elava.important
