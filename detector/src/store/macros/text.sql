CREATE OR REPLACE MACRO version_text(version) AS lpad(lower(hex(version::UHUGEINT)), 32, '0');
COMMENT ON MACRO version_text IS 'A version''s hash as messages write it';
CREATE OR REPLACE MACRO utc(micros) AS make_timestamp(micros::BIGINT)::TIMESTAMPTZ;
COMMENT ON MACRO utc IS 'The instant of microseconds since 1970';
CREATE OR REPLACE MACRO rfc3339(instant) AS strftime(instant AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ');
COMMENT ON MACRO rfc3339 IS 'An instant as messages write it';
