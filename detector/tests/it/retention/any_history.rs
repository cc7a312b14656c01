//! Whatever happened, thinning removes what it says and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use elava_bus::{Output, Stage, Stream};
use elava_detector::Mode;
use elava_schemas::{Change, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::{at, decided, ended, executed, hour, judged, record, rule, thin};
use crate::harness::{Bench, SOURCE, changes, rows, seen};

pub(super) const IDS: [&str; 3] = ["i-0", "i-1", "i-2"];

/// Something that happens to one of three resources.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Observed {
        id: usize,
        status: u8,
    },
    /// A scan that sees only this one.
    Scanned {
        id: usize,
    },
    Judged {
        id: usize,
        violated: bool,
    },
    /// About the last change there was.
    Decided {
        action: &'static str,
        executed: bool,
    },
    /// What was found so far is stored downstream.
    Stored,
}

/// What happens, and how many hours after what happened before: often at once, often at midnight.
pub(super) fn story(most: usize) -> impl Strategy<Value = Vec<(i64, Event)>> {
    let event = prop_oneof![
        8 => (0..3_usize, 0..4_u8).prop_map(|(id, status)| Event::Observed { id, status }),
        1 => (0..3_usize).prop_map(|id| Event::Scanned { id }),
        2 => (0..3_usize, any::<bool>()).prop_map(|(id, violated)| Event::Judged { id, violated }),
        2 => (prop_oneof![Just("notify"), Just("audit")], any::<bool>())
            .prop_map(|(action, executed)| Event::Decided { action, executed }),
        1 => Just(Event::Stored),
    ];
    prop::collection::vec((prop_oneof![Just(0), 1..5_i64, Just(6)], event), most / 2..most)
}

/// Tells a detector, and what came of it.
pub(super) struct Teller {
    pub(super) bench: Bench,
    hours: i64,
    last: Option<(String, Change)>,
}

impl Teller {
    pub(super) fn over(bench: Bench, hours: i64) -> Self {
        Self { bench, hours, last: None }
    }

    pub(super) fn tell(&mut self, story: &[(i64, Event)]) -> Vec<Change> {
        let mut told = Vec::new();
        for (number, (hours, event)) in story.iter().enumerate() {
            self.hours += hours;
            let output = self.happens(event, &format!("{}-{number}", self.hours), hour(self.hours));
            let changes = output.map(|output| changes(&output.messages)).unwrap_or_default();
            if let Some(change) = changes.last() {
                self.last = Some((change.resource_key.id.clone(), change.clone()));
            }
            told.extend(changes);
        }
        told
    }

    fn happens(&mut self, event: &Event, name: &str, now: Timestamp) -> Option<Output> {
        let bench = &mut self.bench;
        match event {
            Event::Observed { id, status } => {
                return Some(at(bench, now, &[seen(None, IDS[*id], json!({"status": status.to_string()}))]));
            }
            Event::Scanned { id } => {
                let rows = [seen(Some(name), IDS[*id], json!({"status": "scanned"})), ended(name, now, 1)];
                return Some(at(bench, now, &rows));
            }
            Event::Judged { id, violated } => {
                record(bench, Stream::Policy, &judged(IDS[*id], name, now, *violated));
            }
            Event::Decided { action, executed: done } => {
                let (id, change) = self.last.as_ref()?;
                record(bench, Stream::Decision, &decided(id, name, now, action, change.id.as_str()));
                if *done {
                    record(bench, Stream::Execution, &executed(id, name, now));
                }
            }
            Event::Stored => bench.block(bench.stage().stored(&SOURCE, bench.sequence)).expect("noted"),
        }
        None
    }
}

/// Rows of a file as they are told apart; a detector has it open before and after.
fn set(path: &Path, sql: &str) -> BTreeSet<String> {
    rows(path, sql).lines().map(str::to_owned).collect()
}

fn copy(bench: &mut Bench, name: &str) -> PathBuf {
    bench.stop();
    let copy = bench.path.with_file_name(name);
    std::fs::copy(&bench.path, &copy).expect("a copy");
    bench.restart();
    copy
}

const IDENTITY: &str = "id, version, valid_from, first_seen, scan_id, name, status, tags";
const MIDNIGHTS: &str = "SELECT unnest(generate_series(
    TIMESTAMPTZ '2026-01-01', (SELECT max(valid_from) + INTERVAL 2 DAY FROM versions), INTERVAL 1 DAY)) AS m";

/// What must be there afterwards, said another way than the detector's own statements do.
fn kept() -> String {
    format!(
        "WITH old AS (
            SELECT date_trunc('day', greatest(
                (SELECT max(finished_at) FROM scans), (SELECT max(valid_to) FROM closed), (SELECT max(last_seen) FROM current)
            ) - INTERVAL 2 DAY) AS until
        ), finding AS (
            SELECT c.resource_id, c.detected_at, c.previous_version, c.current_version FROM change_log c
            WHERE EXISTS (FROM decisions d WHERE list_contains(d.caused_by, c.change_id)
                    AND (d.action <> 'audit' OR EXISTS (FROM executions e WHERE e.decision_id = d.id)))
                OR EXISTS (FROM outbox o WHERE o.change_id = c.change_id)
        )
        SELECT {IDENTITY} FROM versions v, old
        WHERE valid_to IS NULL OR valid_to > until OR ended_by = 'disappeared' OR valid_from = first_seen
            OR EXISTS (FROM ({MIDNIGHTS}) WHERE valid_from <= m AND m < valid_to)
            OR EXISTS (FROM violations o WHERE o.resource_id = v.resource_id AND (
                (o.opened_at >= valid_from AND o.opened_at < valid_to) OR (o.closed_at >= valid_from AND o.closed_at < valid_to)))
            OR EXISTS (FROM finding f WHERE f.resource_id = v.resource_id AND (
                (f.current_version = v.version AND f.detected_at = valid_from)
                OR (f.previous_version = v.version AND f.detected_at = valid_to)))"
    )
}

/// At every midnight, what there was; at every other moment, that it was there.
fn states(moments: &str) -> [String; 2] {
    let valid = "valid_from <= m AND (valid_to IS NULL OR m < valid_to)";
    [
        format!("SELECT m, {IDENTITY} FROM versions JOIN ({MIDNIGHTS}) ON {valid}"),
        format!("SELECT m, id, first_seen FROM versions JOIN ({moments}) ON {valid}"),
    ]
}

/// Versions that do not begin where the one before them ended, or whose life has no beginning or end.
const TORN: &str = "FROM (
        SELECT *, lag(valid_to) OVER life AS before, lead(valid_from) OVER life AS after FROM versions
        WINDOW life AS (PARTITION BY key, first_seen ORDER BY valid_from, valid_to NULLS LAST)
    )
    WHERE valid_from <> coalesce(before, first_seen) OR (after IS NULL AND ended_by = 'changed')";

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn thinning_removes_what_it_says_and_nothing_else(past in story(40), future in story(8)) {
        let policy = [rule("ec2:*", "2d")];
        let mut teller = Teller::over(Bench::new(), 0);
        teller.tell(&past);
        let hours = teller.hours;
        let mut bench = teller.bench;
        let before = copy(&mut bench, "before.duckdb");
        let moments = rows(&before, "SELECT DISTINCT epoch_us(unnest([valid_from, valid_to])) FROM versions");
        let moments = moments.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
        let moments = format!("SELECT make_timestamp(unnest([{moments}]::BIGINT[]))::TIMESTAMPTZ AS m");

        let thinned = thin(&mut bench, &policy, Mode::Remove);
        let after = copy(&mut bench, "after.duckdb");
        let all = format!("SELECT {IDENTITY} FROM versions");
        prop_assert_eq!(set(&after, &all), set(&before, &kept()));
        prop_assert_eq!(rows(&after, TORN), "");
        for sql in states(&moments).iter().map(String::as_str).chain(["FROM change_log", "FROM violation_log", "FROM outbox"]) {
            let sql = format!("SELECT * FROM ({sql}) ORDER BY ALL");
            prop_assert_eq!(rows(&after, &sql), rows(&before, &sql), "{}", sql);
        }
        let gone = |path: &Path| rows(path, "SELECT count(*) FROM versions").trim().parse::<u64>().expect("a number");
        prop_assert_eq!(thinned.iter().map(|thinned| thinned.removed).sum::<u64>(), gone(&before) - gone(&after));

        for again in [rule("ec2:*", "2d"), rule("*", "2d")] {
            let thinned = thin(&mut bench, &[again], Mode::Remove);
            prop_assert_eq!(thinned.iter().map(|thinned| thinned.removed).sum::<u64>(), 0);
        }

        // and it goes on as if nothing had been removed
        let mut other = Bench::new();
        other.stop();
        std::fs::copy(&before, &other.path).expect("a copy");
        other.restart();
        other.sequence = bench.sequence;
        let pending = |bench: &Bench| {
            changes(&bench.block(bench.stage().resume(&SOURCE, None, Vec::new())).expect("a position").pending)
        };
        prop_assert_eq!(pending(&bench), pending(&other));
        let told = Teller::over(bench, hours).tell(&future);
        prop_assert_eq!(told, Teller::over(other, hours).tell(&future));
    }
}
