//! The temporal vocabulary: what each macro answers, and at the edges.

use expect_test::expect;
use serde_json::json;

use crate::harness::{Bench, report, seen};
use crate::story::{Story, told};

#[test]
fn times_people_write() {
    let story = Story::open();
    story.set("SET VARIABLE now = TIMESTAMPTZ '2026-11-23T12:00:00.123456Z'");
    let rows = include_str!("../times.txt").lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let (text, expected) = row.split_once(" | ").expect(row);
        // what a session's time zone is changes nothing
        for zone in ["UTC", "Asia/Kolkata"] {
            story.set(&format!("SET TimeZone = '{zone}'"));
            let found = story.rows(&format!("SELECT rfc3339(instant('{text}'))"));
            assert_eq!(found.map_or_else(|_| "-".to_owned(), |rows| rows[1][0].clone()), expected, "{text}");
        }
    }
    story.set("SET TimeZone = 'UTC'");
    for (sql, expected) in [
        ("SELECT instant(now()) = now(), instant(present()) = present()", "true | true\n"),
        ("SELECT instant(INTERVAL 90 MINUTE)", "2026-11-23 10:30:00.123456+00\n"),
        ("SELECT instant(DATE '2026-11-01'), instant(NULL)", "2026-11-01 00:00:00+00 | -\n"),
        (
            "SELECT instant('soon')",
            "Invalid Input Error: \"soon\" is no time; write now, 30m, 24h, 7d, 2w, today, yesterday 14:00, monday, 2026-11-20, 2026-11-20 14:00 or 2026-11-20T14:00:00Z (UTC unless it names an offset)",
        ),
    ] {
        assert_eq!(story.lines(sql), expected, "{sql}");
    }
}

#[test]
fn every_macro_answers() {
    let story = Story::open();
    for (sql, expected) in [
        (
            "SELECT type, count(*) FROM resources GROUP BY type ORDER BY type",
            "ec2:instance | 4\nec2:security-group | 1\nec2:volume | 2\nrds:db | 1\n",
        ),
        // a version holds from its first instant until before its end
        ("SELECT count(*) FROM resources_at('2026-11-15 14:05:19.999999') WHERE id = 'i-web1'", "1\n"),
        ("SELECT count(*) FROM resources_at('2026-11-15 14:05:20') WHERE id = 'i-web1'", "0\n"),
        ("SELECT status FROM resources_at('2026-11-15 13:50') WHERE id = 'orders'", "modifying\n"),
        ("SELECT count(*) FROM resources_at('2026-10-13 09:00')", "7\n"),
        ("SELECT count(*) FROM resources_at('2026-10-13 08:59:59.999999')", "0\n"),
        ("SELECT count(*) FROM history('i-dev1')", "4\n"),
        ("SELECT count(*) FROM history('aws/222222222222/us-east-1/ec2:instance/i-dev1')", "4\n"),
        ("SELECT status FROM previous_observation('i-dev1')", "running\n"),
        ("FROM previous_observation('vol-9')", ""),
        ("SELECT count(*), count(*) FILTER (baseline) FROM changes_since('2026-10-13')", "25 | 7\n"),
        // since is inclusive
        ("SELECT id FROM disappeared_since('2026-11-15 14:05:20')", "i-web1\n"),
        ("SELECT id FROM disappeared_since('2026-11-15 14:05:21')", ""),
        ("SELECT id FROM new_since('yesterday') ORDER BY id", "i-web3\nvol-9\n"),
        ("SELECT count(*) FROM modified_since('24h')", "4\n"),
        ("SELECT id, tag_keys FROM tag_changes_since('7d', ['Owner'])", "i-batch | [Owner]\ni-batch | [Owner]\ni-web2 | [Owner]\n"),
        ("FROM tag_changes_since('7d', ['owner'])", ""),
        ("SELECT change, count(*) FROM diff_between('7d', 'now') GROUP BY change ORDER BY change", "appeared | 2\nchanged | 2\ndisappeared | 1\n"),
        ("SELECT id FROM diff_between('2026-11-15 13:00', '2026-11-15 14:42')", "i-web1\n"),
        ("SELECT change, count(*) FROM changed_between('7d', 'now') GROUP BY change ORDER BY change", "appeared | 2\nchanged | 2\ndisappeared | 1\n"),
        ("SELECT id, previous_version = current_version FROM changed_between('2026-11-15 13:00', '2026-11-15 14:42')", "i-web1 | -\n"),
        ("FROM diff_between('now', 'now')", ""),
        ("FROM diff_between('now', '24h')", "Invalid Input Error: the first time must not be after the second one"),
        ("SELECT id, policy FROM open_violations ORDER BY policy", "vol-9 | day2.orphans.unowned_volume\nvol-9 | day2.tags.owner\n"),
        // from the instant it is found until before it is found mended
        ("SELECT id FROM violations_at('2026-11-13 13:30:21') WHERE severity = 'critical'", "sg-admin\n"),
        ("SELECT id FROM violations_at('2026-11-13 13:30:20') WHERE severity = 'critical'", ""),
        ("SELECT id FROM violations_at('2026-11-13 15:00:21') WHERE severity = 'critical'", ""),
        ("SELECT id FROM blessed", "orders\n"),
        ("SELECT id, monthly_cost_usd FROM orphans", "vol-9 | 40.0\n"),
        ("SELECT type, last_outcome, age > INTERVAL 1 DAY FROM coverage WHERE region = 'us-east-1'", "ec2:instance | failed | true\n"),
        ("SELECT id, last_seen FROM sightings WHERE id IN ('orders', 'i-dev1') ORDER BY id", "i-dev1 | 2026-11-14 18:00:00+00\norders | 2026-11-16 11:30:00+00\n"),
        ("SELECT id, changes, returns FROM flapping('7d')", "i-dev1 | 4 | 2\ni-web2 | 3 | 0\n"),
        ("FROM flapping('7d', at_least := 5)", ""),
        ("SELECT sum(resources), round(sum(monthly_cost_usd), 2) FROM cost_at('2026-10-13 09:00')", "7 | 167.44\n"),
        ("SELECT tag, sum(resources) FROM cost_at('now', by_tag := 'Team') GROUP BY tag ORDER BY tag", "data | 1\norders | 1\nweb | 3\n- | 3\n"),
        // the sum of steps is what stands at that time
        (
            "SELECT c.as_of, round(sum(c.monthly_cost_usd), 2) = (SELECT round(sum(monthly_cost_usd), 2) FROM cost_at('2026-11-14 12:00'))
             FROM cost_over_time('3d') c WHERE c.as_of = instant('2026-11-14 12:00') GROUP BY c.as_of",
            "2026-11-14 12:00:00+00 | true\n",
        ),
        ("SELECT count(DISTINCT as_of), sum(resources) FILTER (as_of = present()) FROM cost_over_time('30d')", "31 | 8\n"),
        ("SELECT principal, operation FROM who_changed('i-web2') WHERE principal IS NOT NULL", "bob | StopInstances\n"),
        ("SELECT string_agg(step, ', ') FROM audit('sg-admin')", "observation, change, observation, change, policy result, decision, delivery, delivery, observation, change, policy result, decision, delivery\n"),
        ("SELECT DISTINCT meant FROM explanation('f-sg')", "[finding f-sg]\n"),
        ("SELECT string_agg(step, ', ') FROM explanation('d-sg-1')", "observation, change, policy result, decision, delivery, delivery, observation, change, policy result\n"),
        // the beginning of several
        ("SELECT DISTINCT meant FROM explanation('d-sg')", "[decision d-sg-1, decision d-sg-2]\n"),
        ("SELECT count(*) FROM explanation('d-s')", "0\n"),
        ("SELECT step, finding, details ->> '$.cause.principal' FROM explanation('c-bob')", "change | - | bob\n"),
        // a resource: each step once for a finding, or without one
        ("SELECT finding, count(*), count(DISTINCT step_id) FROM explanation('sg-admin') GROUP BY ALL ORDER BY ALL", "f-sg | 11 | 11\n- | 2 | 2\n"),
        // never seen
        ("FROM explanation('nope')", ""),
        ("FROM history('nope')", ""),
        ("FROM previous_observation('nope')", ""),
        ("FROM audit('nope')", ""),
        ("FROM who_changed('nope')", ""),
    ] {
        assert_eq!(story.lines(sql), expected, "{sql}");
    }
}

#[test]
fn fields_that_differ() {
    let mut bench = Bench::new();
    let attributes =
        json!({"a": {"x": 1, "y~/": [1, 2]}, "n": null, "gone": true, "$d": "1", "same": {"k": 1}, "t": {"u": 1}});
    bench.send(&[seen(None, "i-1", json!({"name": "web", "tags": {"a/b": "1"}, "attributes": attributes}))]);
    // between the two times: something that is changed back
    bench.send(&[seen(None, "i-1", json!({"name": "other", "tags": {"a/b": "1"}, "attributes": {}}))]);
    let attributes = json!({"a": {"x": 1, "y~/": [2]}, "$d": null, "new": {"z": 1}, "same": {"k": 1}, "t": 5});
    bench.send(&[seen(None, "i-1", json!({"name": "web", "tags": {"a/b": "2", "c": ""}, "attributes": attributes}))]);
    let fields = "SELECT unnest(diff::JSON[]) FROM diff_between('2026-01-01 00:01', '2026-01-01 00:03')";
    expect![[r#"
        {"path":"/attributes/$d","before":"1","after":null}
        {"path":"/attributes/a/y~0~1","before":[1,2],"after":[2]}
        {"path":"/attributes/gone","before":true}
        {"path":"/attributes/n","before":null}
        {"path":"/attributes/new","after":{"z":1}}
        {"path":"/attributes/t","before":{"u":1},"after":5}
        {"path":"/tags/a~1b","before":"1","after":"2"}
        {"path":"/tags/c","after":""}
    "#]]
    .assert_eq(&bench.sql(fields));
    // tags that cannot be read are not different, and so nothing is
    bench.send(&[seen(None, "i-2", json!({"tags": null}))]);
    bench.send(&[seen(None, "i-2", json!({"tags": {"a": "b"}}))]);
    assert_eq!(bench.sql("SELECT count(*) FROM history('i-2')"), "2\n");
    assert_eq!(bench.sql("SELECT id FROM diff_between('2026-01-01 00:04', '2026-01-01 00:05')"), "");
}

/// SQL compares two versions just as the detector does.
#[test]
fn fields_differ_in_sql_as_they_do_in_changes() {
    let mut bench = Bench::new();
    let pairs = [
        (json!({"a": [1, {"b": 2, "c": [3]}]}), json!({"a": [1, {"b": 3, "c": [3]}]})),
        (json!({"a": [1, 2]}), json!({"a": [1, 2, 3]})),
        (json!({"a": []}), json!({"a": {}})),
        (json!({"a": null, "b": {}}), json!({"b": {"c": null}})),
        (json!({"a": [[1], [2, 3]]}), json!({"a": [[1], [2]]})),
        (json!({"": 1, "/": {"~": "x"}, "0": [false]}), json!({"": 2, "/": {"~": "y"}, "0": [true]})),
        (json!({"a": {"b": {"c": {"d": 1.5}}}}), json!({"a": {"b": {"c": {"d": "1.5"}}}})),
        (json!({"a": "quote \" and \\ and ü\n"}), json!({"a": "$.x"})),
    ];
    let rows = |after: bool| -> Vec<_> {
        let row = |(n, (a, b)): (usize, &(serde_json::Value, serde_json::Value))| {
            seen(None, &format!("i-{n}"), json!({"attributes": if after { b } else { a }}))
        };
        pairs.iter().enumerate().map(row).collect()
    };
    bench.send(&rows(false));
    bench.send(&rows(true));
    for (n, (before, after)) in pairs.iter().enumerate() {
        let mut expected = Vec::new();
        elava_schemas::field_diffs("/attributes", before, after, &mut expected);
        expected.sort_by(|a, b| a.path.cmp(&b.path));
        let query = json!({"query": "diff", "from": "2026-01-01T00:01:00Z", "to": "2026-01-01T00:02:00Z"});
        let found = bench.ask(&query).into_iter().find(|row| row["id"] == format!("i-{n}")).expect("it differs");
        let mut found: Vec<elava_schemas::FieldDiff> = serde_json::from_value(found["diff"].clone()).expect("a diff");
        found.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(found, expected, "{before} {after}");
    }
}

#[test]
fn gone_and_back() {
    let mut bench = Bench::new();
    let web = || seen(Some("s1"), "i-1", json!({"name": "web"}));
    bench.send(&[web(), report("s1", 0, "complete", 1)]);
    bench.sequence = 4;
    bench.send(&[report("s2", 5, "complete", 0)]);
    bench.sequence = 6;
    bench.send(&[seen(None, "i-1", json!({"name": "web"}))]);
    for (sql, expected) in [
        ("SELECT count(*) FROM resources_at('2026-01-01 00:05:49')", "1\n"),
        ("SELECT count(*) FROM resources_at('2026-01-01 00:05:50')", "0\n"),
        ("SELECT count(*) FROM resources_at('2026-01-01 00:07')", "1\n"),
        ("SELECT change FROM diff_between('2026-01-01 00:02', '2026-01-01 00:06')", "disappeared\n"),
        ("SELECT change FROM diff_between('2026-01-01 00:06', '2026-01-01 00:07')", "appeared\n"),
        // there, as it was: nothing differs
        ("SELECT change FROM diff_between('2026-01-01 00:02', 'now')", ""),
        ("SELECT change FROM diff_between('2026-01-01 00:00:30', '2026-01-01 00:06')", ""),
        ("SELECT count(*) FROM history('i-1')", "2\n"),
        ("SELECT changes, returns, disappearances FROM flapping('1h', at_least := 1)", "2 | 1 | 1\n"),
    ] {
        assert_eq!(bench.sql(sql), expected, "{sql}");
    }
}

/// Several changes can come of one comparison.
#[test]
fn what_returns_is_a_version() {
    let mut bench = Bench::new();
    let [first, second] = ["1", "2"].map(|n| seen(None, "i-1", json!({"status": n, "tags": {"a": n}})));
    let mut flapping = |row: &serde_json::Value| {
        bench.send(std::slice::from_ref(row));
        bench.sql("SELECT changes, returns FROM flapping('1h', at_least := 1)")
    };
    assert_eq!(flapping(&first), "1 | 0\n");
    assert_eq!(flapping(&second), "3 | 0\n");
    assert_eq!(flapping(&first), "5 | 1\n");
}

#[test]
fn the_last_errors_are_of_the_last_scan() {
    let mut bench = Bench::new();
    let mut failed = report("s1", 1, "failed", 0);
    failed["errors"] = json!([{"operation": "DescribeInstances", "code": "Throttled", "message": "slow down"}]);
    bench.send(&[failed]);
    let coverage = "SELECT last_outcome, last_errors ->> '$[0].code' FROM coverage";
    assert_eq!(bench.sql(coverage), "failed | Throttled\n");
    bench.send(&[report("s2", 2, "complete", 0)]);
    assert_eq!(bench.sql(coverage), "complete | \n");
}

#[test]
fn questions_narrowed_by_scope_and_time() {
    let bench = told();
    let at = "2026-11-13T14:00:00Z";
    for (query, ids) in [
        (json!({"query": "resources", "at": at, "scope": {"type": "rds:*"}}), "orders"),
        (json!({"query": "resources", "scope": {"account": "2*"}}), "i-dev1"),
        (
            json!({"query": "resources", "tags": {"Team": "web", "Owner": null}, "scope": {"region": "eu-*"}}),
            "i-web2 i-web3",
        ),
        (json!({"query": "resources", "tags": {"Team": "nobody"}}), ""),
        (json!({"query": "resources", "limit": 1}), "i-batch"),
        (json!({"query": "violations", "at": at, "severity": "critical"}), "sg-admin"),
        (json!({"query": "violations"}), "vol-9 vol-9"),
        (json!({"query": "orphans"}), "vol-9"),
        (
            json!({"query": "diff", "from": "2026-11-15T13:45:00Z", "to": at}),
            "the first time must not be after the second one",
        ),
        (json!({"query": "diff", "from": at, "scope": {"type": "ec2:volume"}}), "vol-9"),
        (json!({"query": "diff", "from": at, "to": "2026-11-13T16:00:00Z"}), "sg-admin"),
        (json!({"query": "flapping", "since": "2026-11-09T12:00:00Z", "at_least": 4}), "i-dev1"),
        (
            json!({"query": "changes", "since": "2026-11-15T12:00:00Z", "until": "2026-11-15T14:05:21Z", "types": ["modified", "disappeared"]}),
            "i-web1 orders",
        ),
        (json!({"query": "audit", "key": "nope"}), ""),
        (json!({"query": "explain", "id": "d-vol-1"}), "vol-9 vol-9 vol-9 vol-9 vol-9 vol-9"),
    ] {
        let found = bench.try_ask(&query).map(|rows| {
            let id =
                |row: &serde_json::Value| row["key"].as_str().and_then(|key| key.rsplit('/').next()).map(str::to_owned);
            rows.iter().filter_map(id).collect::<Vec<_>>().join(" ")
        });
        match found {
            Ok(found) => assert_eq!(found, ids, "{query}"),
            Err(error) => assert!(error.contains(ids), "{query}: {error}"),
        }
    }
    let costs = bench.ask(&json!({"query": "cost", "at": at, "by": {"tag": "Team"}}));
    let line = |row: &serde_json::Value| format!("{} {} {}\n", row["name"], row["resources"], row["monthly_cost_usd"]);
    expect![[r#"
        "web" 3 189.8
        "data" 1 30.37
        null 2 8.0
        "orders" 1 0.0
    "#]]
    .assert_eq(&costs.iter().map(line).collect::<String>());
    let over =
        json!({"query": "cost_over_time", "since": "2026-11-14T12:00:00Z", "step_seconds": 86400, "by": "account"});
    assert!(bench.ask(&over).len() >= 6, "two accounts, three days and more");
    let stale = json!({"query": "coverage", "unseen_since": "2026-11-15T12:00:00Z"});
    assert_eq!(bench.ask(&stale).iter().map(|row| row["region"].clone()).collect::<Vec<_>>(), ["us-east-1"]);
}
