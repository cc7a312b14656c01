# METADATA
# title: An instance has been stopped for a long time
# description: Its volumes and addresses are still paid for. After how many days is in data.json.
# custom:
#   severity: warning
#   types: [ec2:instance]
#   suggestion: Take an image and terminate the instance, or start it.
package day2.cost.stopped_instance

warn contains {"rule": "long_stopped_instance", "msg": sprintf("Instance has been stopped for more than %d days", [limit])} if {
	limit := data.settings.stopped_instance_days
	input.resource.status == "stopped"
	time.parse_rfc3339_ns(input.now) - stopped_at > limit * nanoseconds_a_day
}

nanoseconds_a_day := 86400000000000

# EC2 says it in words: "User initiated (2026-01-31 12:00:00 GMT)".
stopped_at := time.parse_rfc3339_ns(sprintf("%sZ", [replace(text, " ", "T")])) if {
	pattern := `[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}`
	text := regex.find_n(pattern, input.resource.attributes.StateTransitionReason, 1)[0]
}
