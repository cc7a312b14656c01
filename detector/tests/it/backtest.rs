//! Policies tried on the past: a history that was made by detector and enforcer together, and the same changes given to
//! the policies again.

use std::path::Path;
use std::sync::Arc;

use elava_bus::{Batch, Output, Page, Source, Stream};
use elava_detector::Query;
use elava_enforcer::backtest::{Backtest, Batcher, Difference, Sort, Summary, Window, replay, report};
use elava_enforcer::{Bundle, Dialect, Enforcer, LiveBundle};
use elava_schemas::config::Config;
use expect_test::expect;
use serde_json::{Value, json};

use crate::harness::{Bench, report as scanned, seen, time};

/// What was in use while the history was made: rules of every sort that there is.
const POLICIES: [(&str, &str); 5] = [
    ("owner", "warn contains {\"rule\": \"owner\", \"msg\": \"nobody owns it\"} if not input.tags.Owner"),
    (
        "open",
        "deny contains {\"rule\": \"open\", \"msg\": sprintf(\"open to %s\", [input.resource.attributes.From])} if input.resource.attributes.From",
    ),
    ("busy", "info contains {\"rule\": \"busy\", \"msg\": \"changes often\"} if input.context.changes_30d > 2"),
    (
        "moved",
        "info contains {\"rule\": \"moved\", \"msg\": \"another owner\"} if input.resource.history.previous.tags.Owner != input.resource.tags.Owner",
    ),
    ("size", "warn contains {\"rule\": \"size\", \"msg\": \"large\"} if to_number(input.resource.attributes.Size) > 8"),
];
const RESOURCES: u64 = 30;
const STEPS: u64 = 24;

fn policies(folder: &Path, change: impl Fn(&str, &str) -> String) -> Bundle {
    for (name, rule) in POLICIES {
        let text = format!("package day2.{name}\n\n{}\n", change(name, rule));
        std::fs::write(folder.join(format!("{name}.rego")), text).expect("a file");
    }
    Bundle::load(folder, Dialect::PerFile).expect("policies")
}

/// A resource as it is at a step; none where it is gone. Of no pattern that a rule shares.
pub(crate) fn resource(number: u64, step: u64) -> Option<Value> {
    let era = (step + number * 7) / (2 + number % 5);
    if (number * 3 + era).is_multiple_of(11) {
        return None;
    }
    let mut attributes =
        json!({"Era": era / 2, "Size": if (number + era).is_multiple_of(9) { "unknown" } else { "9" }});
    if (number + era).is_multiple_of(4) {
        attributes["From"] = json!(format!("10.0.{}.0/24", era % 3));
    }
    let tags = match (number + era) % 3 {
        0 => json!({}),
        owner => json!({"Owner": format!("team-{owner}")}),
    };
    Some(json!({"name": format!("n-{number}"), "tags": tags, "attributes": attributes}))
}

/// Every step a scan of the whole scope, judged and recorded.
fn history(bundle: &Path) -> Bench {
    let mut bench = Bench::new();
    let live = LiveBundle::open(bundle.to_owned(), Dialect::PerFile).expect("policies");
    let enforcer = Enforcer::new(&Config::default(), Arc::new(live));
    for step in 0..STEPS {
        let scan = format!("s{step}");
        let there = (0..RESOURCES).filter_map(|number| Some((number, resource(number, step)?)));
        let mut rows: Vec<Value> =
            there.map(|(number, fields)| seen(Some(&scan), &format!("i-{number}"), fields)).collect();
        let minute = i64::try_from(bench.sequence).expect("few");
        rows.push(scanned(&scan, minute, "complete", rows.len() as u64));
        let changes = bench.send(&rows);
        let results = enforcer.evaluate(&batch(Source::Pipe, step + 1, changes));
        let source = Source::Partition { stream: Stream::Policy, partition: 3 };
        bench.handle(&batch(source, step + 1, results));
    }
    bench
}

fn batch(source: Source, sequence: u64, output: Output) -> Batch {
    assert_eq!(output.rejected, []);
    let body: Vec<u8> = output.messages.into_iter().flat_map(|emit| [emit.line, b"\n".to_vec()].concat()).collect();
    let received_at = time(i64::try_from(sequence).expect("few"));
    Batch { source, pages: vec![Page { sequence, subject: "-".into(), first_line: 1, received_at, body: body.into() }] }
}

/// Tries policies on what the detector says of the past, asked in so many parts.
fn tried(
    bench: &Bench,
    bundle: &Bundle,
    baseline: Option<&Bundle>,
    window: Window,
    parts: u32,
) -> (Summary, Vec<Difference>) {
    let tags = Config::default().policies.environment_tags;
    let backtest = Backtest { new: bundle, baseline, environment_tags: &tags, window };
    let mut lines = Vec::new();
    for part in 0..parts {
        let query = Query::Replay { since: window.since, until: window.until, scope: Default::default(), part, parts };
        lines.extend(bench.ask(&serde_json::to_value(query).expect("JSON")));
    }
    let (mut summary, mut differences) = (Summary::default(), Vec::new());
    let read = |give: &mut dyn FnMut(_) -> bool| {
        let mut batcher = Batcher::default();
        for line in &lines {
            if let Some(batch) = batcher.push(line.to_string().into_bytes())? {
                give(batch);
            }
        }
        batcher.finish().map(give);
        Ok(())
    };
    replay(&backtest, read, |outcome| {
        summary.add(&outcome);
        differences.extend(outcome.differences);
        Ok(())
    })
    .expect("lines of a replay");
    (summary, differences)
}

fn window(since: i64, until: Option<i64>) -> Window {
    Window { since: time(since), until: until.map(time) }
}

#[test]
fn the_same_policies_find_what_was_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = policies(folder.path(), |_, rule| rule.to_owned());
    let mut bench = history(folder.path());
    let recorded: usize = bench.sql("SELECT count(*) FROM violations").trim().parse().expect("a number");
    let mended: usize =
        bench.sql("SELECT count(*) FROM violations WHERE closed_at IS NOT NULL").trim().parse().expect("a number");
    assert!(mended > 50 && recorded > mended, "{mended} of {recorded} mended");
    for parts in [1, 7] {
        let (summary, differences) = tried(&bench, &bundle, None, window(-1, None), parts);
        assert!(summary.errors.contains_key("day2.size"), "some sizes are no number");
        assert_eq!((differences.len(), summary.unknown), (recorded, 0));
        assert_eq!(differences.iter().find(|difference| difference.sort != Sort::Unchanged), None);
    }
    // what was before the first version in the window is not known
    for (since, until) in [(10, None), (3, Some(17)), (12, Some(13))] {
        let (summary, differences) = tried(&bench, &bundle, None, window(since, until), 3);
        assert!(summary.versions > 0);
        let known = |difference: &&Difference| difference.episode().policy != "day2.moved";
        let differs = differences.iter().filter(known).find(|difference| difference.sort != Sort::Unchanged);
        assert_eq!(differs, None, "{since} {until:?}");
    }
}

#[test]
fn other_policies_differ_where_they_are_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = policies(folder.path(), |_, rule| rule.to_owned());
    let bench = history(folder.path());
    let other = |change: &dyn Fn(&str, &str) -> String| {
        let folder = tempfile::tempdir().expect("a folder");
        policies(folder.path(), |name, rule| change(name, rule))
    };
    let of = |differences: &[Difference], sort: Sort| -> Vec<String> {
        let of_sort = differences.iter().filter(|difference| difference.sort == sort);
        of_sort.map(|difference| difference.episode().policy.clone()).collect()
    };
    // one resource fewer: its violations of that rule, and nothing else
    let fewer = other(&|name, rule| match name {
        "owner" => format!("{rule}\n\tinput.resource.name != \"n-7\"").replace(" if not", " if {\n\tnot") + "\n}",
        _ => rule.to_owned(),
    });
    let (_, before) = tried(&bench, &bundle, None, window(-1, None), 2);
    let (summary, differences) = tried(&bench, &fewer, None, window(-1, None), 2);
    let gone = of(&differences, Sort::Gone);
    assert!(!gone.is_empty() && gone.iter().all(|policy| policy == "day2.owner"), "{gone:?}");
    assert_eq!(differences.len() - gone.len(), of(&differences, Sort::Unchanged).len());
    assert_eq!(differences.len(), before.len());
    assert_eq!(summary.count(Sort::Gone), gone.len() as u64);
    // the other way round, with a baseline: they would open
    let (summary, differences) = tried(&bench, &bundle, Some(&fewer), window(-1, None), 2);
    assert_eq!(of(&differences, Sort::Opens), gone);
    assert_eq!(summary.opens, [0, gone.len() as u64, 0]);
    // another severity, and a rule that finds less
    let milder = other(&|name, rule| match name {
        "open" => rule.replace("deny", "warn"),
        "busy" => rule.replace("> 2", "> 3"),
        _ => rule.to_owned(),
    });
    let (summary, _) = tried(&bench, &milder, None, window(-1, None), 2);
    expect![[r#"
        2025-12-31 23:59 → now (UTC): 209 versions of 30 resources
        bundle 12345678, compared with what was recorded
        day2.size could not be evaluated 21 times: size.rego:3:86: could not parse string as number
        would open 0, would resolve 0, changed 59, unchanged 190, gone 1

        rule        severity  would open  would resolve  changed  unchanged  gone  resources  still open  first             last              owners
        day2.open   warning            0              0       51          0     0         30           5  2026-01-01 00:01  2026-01-01 00:24  team-2 22, team-1 20, nobody 9
        day2.busy   info               0              0        8         26     1         30          27  2026-01-01 00:04  2026-01-01 00:21  team-2 17, team-1 13, nobody 5
        day2.moved  info               0              0        0         60     0         30          14  2026-01-01 00:02  2026-01-01 00:24  team-2 33, team-1 19, nobody 8
        day2.owner  warning            0              0        0         63     0         30           5  2026-01-01 00:01  2026-01-01 00:24  team-1 26, team-2 26, nobody 11
        day2.size   warning            0              0        0         41     0         30          27  2026-01-01 00:01  2026-01-01 00:21  team-2 19, team-1 14, nobody 8
    "#]]
    .assert_eq(&report(&summary, window(-1, None), "12345678", "what was recorded"));
}
