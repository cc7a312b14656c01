# METADATA
# title: An important instance can be terminated with one call
# description: Termination protection makes terminating take two steps. Only judged where the observer could read the setting.
# custom:
#   severity: warning
#   types: [ec2:instance]
#   suggestion: Switch on termination protection.
package day2.protection.instance_termination

warn contains {"rule": "no_termination_protection", "msg": "Important instance has no termination protection"} if {
	input.resource.attributes.DisableApiTermination == false
	data.lib.elava.important
	data.lib.elava.alive
}
