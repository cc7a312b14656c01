SELECT $columns
FROM $table
WHERE $new
    AND $time >= TIMESTAMPTZ '$day 00:00:00+00'
    AND $time < TIMESTAMPTZ '$day 00:00:00+00' + INTERVAL 24 HOUR
