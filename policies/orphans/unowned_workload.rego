# METADATA
# title: Nobody owns this workload
# description: "Neither managed nor blessed, and no owner tag: nobody would answer for it."
# custom:
#   severity: info
#   types: [ec2:instance, rds:db, rds:cluster]
#   suggestion: Find out who started it, and tag it or remove it.
package day2.orphans.unowned_workload

info contains {"rule": "unowned_workload", "msg": "Nobody owns this resource"} if {
	data.lib.elava.unowned
	data.lib.elava.alive
}
