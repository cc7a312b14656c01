# METADATA
# title: A database can be deleted with one call
# description: Deletion protection makes deleting take two steps. A warning in production and for the blessed, a note elsewhere. Members of a cluster are judged by their cluster.
# custom:
#   severity: warning
#   types: [rds:db]
#   suggestion: Switch on deletion protection.
package day2.protection.database_deletion

violation := {"rule": "no_deletion_protection", "msg": "Database has no deletion protection"} if {
	input.resource.attributes.DeletionProtection == false
	not input.resource.attributes.DBClusterIdentifier
	data.lib.elava.alive
}

warn contains violation if data.lib.elava.important

info contains violation if not data.lib.elava.important
