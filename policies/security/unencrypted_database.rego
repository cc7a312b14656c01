# METADATA
# title: A database is not encrypted at rest
# description: Its storage, backups and snapshots can be read by whoever gets hold of them. Members of a cluster are judged by their cluster.
# custom:
#   severity: warning
#   types: [rds:db, rds:cluster]
#   suggestion: Restore an encrypted copy of a snapshot; encryption cannot be switched on in place.
package day2.security.unencrypted_database

warn contains {"rule": "unencrypted_database", "msg": "Database storage is not encrypted"} if {
	input.resource.attributes.StorageEncrypted == false
	not member_of_cluster
}

member_of_cluster if {
	input.type == "rds:db"
	input.resource.attributes.DBClusterIdentifier
}
