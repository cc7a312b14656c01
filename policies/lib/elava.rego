# METADATA
# title: What several policies ask about a resource
# description: A library. It decides nothing itself, so it is not below `day2`.
package lib.elava

# METADATA
# description: The resource is in production, by its environment tag.
production if lower(input.context.environment) in data.settings.production_environments

# METADATA
# description: Losing the resource would hurt.
important if production

important if input.context.blessed

# METADATA
# description: The resource is not on its way out; a terminated instance is listed for another hour.
alive if not ending

# A rule of its own: negated in place, an absent status would be undefined in OPA and true in regorus.
ending if input.resource.status in data.settings.ended_states

# METADATA
# description: The tags that say who owns the resource.
owner_tags := object.filter(input.resource.tags, data.settings.owner_tags) if input.tags_known

# METADATA
# description: Tags could be read, and none of them says who owns the resource.
without_owner_tag if count(owner_tags) == 0

# METADATA
# description: Owner tags whose text names nobody.
placeholder_owner_tags contains key if {
	some key, text in owner_tags
	lower(trim_space(text)) in data.settings.placeholder_values
}

# METADATA
# description: Nobody would miss the resource, as far as its tags say.
unowned if {
	not input.context.managed
	not input.context.blessed
	without_owner_tag
}
