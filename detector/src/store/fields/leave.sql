DELETE FROM fields.{name} WHERE resource_id IN (SELECT e.resource_id FROM staged_ended e);
