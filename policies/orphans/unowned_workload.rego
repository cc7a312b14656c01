# METADATA
# title: Nobody owns this workload
# description: "Neither managed nor blessed, and no owner tag: nobody would answer for it."
# custom:
#   severity: info
#   types: [ec2:instance, rds:db, rds:cluster]
#   suggestion: Find out who started it, and tag it or remove it.
package day2.orphans.unowned_workload

import data.lib.elava

info contains {"rule": "unowned_workload", "msg": "Nobody owns this resource"} if {
	elava.unowned
	elava.alive
}
