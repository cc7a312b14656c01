# METADATA
# title: A managed or blessed resource has no owner
# description: Somebody must be asked before such a resource changes. Unmanaged resources are left to day2.orphans.
# custom:
#   severity: warning
#   suggestion: Set the tag elava:owner to a team or a person.
package day2.tags.owner

warn contains {"rule": "missing_owner", "msg": "Managed resource has no owner tag"} if {
	kept
	data.lib.elava.without_owner_tag
	data.lib.elava.alive
}

kept if input.context.managed

kept if input.context.blessed
