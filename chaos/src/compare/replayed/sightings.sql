SELECT * EXCLUDE (resource_id) FROM sightings WHERE account <> getvariable('observed')
