# METADATA
# title: A snapshot is old
# description: Snapshots kept by hand tend to be kept for ever. After how many days is in data.json; automated ones expire by themselves, and those of an image belong to it.
# custom:
#   severity: info
#   types: [ec2:snapshot, rds:snapshot]
#   suggestion: Delete the snapshot, or move it to an archive tier.
package day2.cost.old_snapshot

info contains {"rule": "old_snapshot", "msg": sprintf("Snapshot is older than %d days", [limit])} if {
	limit := data.settings.old_snapshot_days
	input.context.resource_age_days > limit
	not kept
}

kept if input.resource.attributes.SnapshotType == "automated"

kept if contains(input.resource.attributes.Description, "CreateImage(")
