# METADATA
# title: A database has no automated backups
# description: Without backups there is no way back. Critical in production. Members of a cluster and replicas are backed up elsewhere.
# custom:
#   severity: warning
#   types: [rds:db]
#   suggestion: Set a backup retention period of at least seven days.
package day2.protection.no_backups

violation := {"rule": "no_backups", "msg": "Database has no automated backups"} if {
	input.resource.attributes.BackupRetentionPeriod == 0
	not input.resource.attributes.DBClusterIdentifier
	not input.resource.attributes.ReadReplicaSourceDBInstanceIdentifier
	data.lib.elava.alive
}

deny contains violation if data.lib.elava.important

warn contains violation if not data.lib.elava.important
