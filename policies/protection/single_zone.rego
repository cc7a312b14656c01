# METADATA
# title: A production database lives in one availability zone
# description: When the zone fails, so does the database.
# custom:
#   severity: warning
#   types: [rds:db]
#   suggestion: Switch on Multi-AZ.
package day2.protection.single_zone

warn contains {"rule": "single_zone", "msg": "Production database is in a single availability zone"} if {
	input.resource.attributes.MultiAZ == false
	data.lib.elava.production
	not input.resource.attributes.DBClusterIdentifier
	not input.resource.attributes.ReadReplicaSourceDBInstanceIdentifier
	data.lib.elava.alive
}
