# METADATA
# title: An owner tag names nobody
# description: An empty or placeholder owner looks fine in a report and helps no one.
# custom:
#   severity: warning
#   suggestion: Replace the placeholder by a team or a person.
package day2.tags.placeholder_owner

warn contains {"rule": "placeholder_owner", "msg": sprintf("Owner tag %s names nobody", [key])} if {
	some key in data.lib.elava.placeholder_owner_tags
	data.lib.elava.alive
}
