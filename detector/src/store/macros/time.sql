CREATE OR REPLACE MACRO present() AS coalesce(getvariable('now')::TIMESTAMPTZ, now());
COMMENT ON MACRO present IS
'Now; or, after SET VARIABLE now = TIMESTAMPTZ ''…'', that moment: relative times and ages are then seen from there';

-- Sunday is 0 for dayofweek, and 1 in the list.
CREATE OR REPLACE MACRO day_named(word) AS (
    date_trunc('day', present() AT TIME ZONE 'UTC') - to_days(
        CASE word
            WHEN 'TODAY' THEN 0
            WHEN 'YESTERDAY' THEN 1
            ELSE (
                dayofweek(present() AT TIME ZONE 'UTC') + 8 - list_position(
                    ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'], word
                )
            ) % 7
        END::INTEGER
    )
);
COMMENT ON MACRO day_named IS 'For instant: the midnight at which today, yesterday or the last such weekday began';

-- Each form is known by its pattern. All of it folds to a constant, so that a scan prunes by it. What DuckDB has to
-- resolve before, though, is every function here each time one is asked: there are few, and where a macro needs an
-- instant twice, it names it once.
CREATE OR REPLACE MACRO instant_of(word) AS (
    CASE
        WHEN regexp_full_match(word, '[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?')
            THEN word::TIMESTAMP AT TIME ZONE 'UTC'
        -- seconds are added, and the colon of an offset
        WHEN regexp_full_match(
            word, '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)'
        )
            THEN regexp_replace(
                regexp_replace(regexp_replace(word, ' ?(Z|[+-][0-9:]+)$', '\1'), '^(.{16})([Z+-])', '\1:00\2'),
                '([+-][0-9]{2})([0-9]{2})$', '\1:\2'
            )::TIMESTAMPTZ
        WHEN regexp_full_match(word, '[0-9]{1,7} ?[SMHDW]( AGO)?')
            THEN present() - to_seconds(epoch(regexp_extract(word, '^[0-9]+ ?[A-Z]')::INTERVAL))
        WHEN word = 'NOW' THEN present()
        WHEN regexp_full_match(
            word,
            '(TODAY|YESTERDAY|(SUN|MON|TUES|WEDNES|THURS|FRI|SATUR)DAY)( ([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?)?'
        )
            THEN (
                day_named(regexp_extract(word, '^[A-Z]+'))
                + coalesce(try_cast(regexp_extract(word, '[0-9:]+$') AS INTERVAL), INTERVAL 0 SECOND)
            ) AT TIME ZONE 'UTC'
        WHEN word IS NOT NULL THEN error(
            '"' || lower(word) || '" is no time; write now, 30m, 24h, 7d, 2w, today, yesterday 14:00, monday, '
            || '2026-11-20, 2026-11-20 14:00 or 2026-11-20T14:00:00Z (UTC unless it names an offset)'
        )
    END
);
COMMENT ON MACRO instant_of IS 'For instant: the instant that a text in capitals means';

CREATE OR REPLACE MACRO instant(t) AS (
    CASE
        WHEN typeof(t) = 'INTERVAL' THEN present() - try_cast(t::VARCHAR AS INTERVAL)
        ELSE instant_of(upper(trim(t::VARCHAR)))
    END
);
COMMENT ON MACRO instant IS
'The instant that is meant: of a TIMESTAMPTZ itself; of an INTERVAL, that long ago; of a text, what people write: now, 30m, 24h, 7d, 2w, today, yesterday 14:00, monday, 2026-11-20, 2026-11-20 14:00, 2026-11-20T14:00:00Z. UTC unless it names an offset';
