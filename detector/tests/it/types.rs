//! Every resource type is a table: views of the existing resources, their scalar attributes as columns.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use elava_bus::{Batch, Page, Source, Stage};
use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Bench, SOURCE, SUBJECT, report, rows, seen};
use crate::story::Story;

/// Whether every view shows what `resources` does: the same rows, and every scalar of their attributes.
pub(crate) fn check(path: &Path) {
    let lines = |sql: &str| rows(path, sql).lines().map(str::to_owned).collect::<Vec<_>>();
    let types = lines("SELECT type FROM fields.types ORDER BY type");
    for kind in lines("SELECT DISTINCT type FROM resources") {
        assert!(types.contains(&kind), "{kind} has no view");
    }
    for kind in types {
        let name = &lines(&format!("SELECT name FROM fields.types WHERE type = '{kind}'"))[0];
        let heads = "key, provider, account, region, type, id, name, arn, status, tags, created_at, monthly_cost_usd,
            valid_from, first_seen, resource_id";
        let (shown, known) =
            (format!("SELECT {heads} FROM \"{name}\""), format!("SELECT {heads} FROM resources WHERE type = '{kind}'"));
        for sql in [format!("{shown} EXCEPT ALL {known}"), format!("{known} EXCEPT ALL {shown}")] {
            assert_eq!(rows(path, &sql), "", "{kind}");
        }
        for column in lines(&format!(
            "SELECT concat_ws('|', path, name, data_type) FROM fields.columns WHERE type = '{kind}' ORDER BY ordinal"
        )) {
            let [pointer, column, scalar] = column.split('|').collect::<Vec<_>>()[..] else { panic!("{column}") };
            let sql = format!(
                "SELECT r.key, v.\"{column}\", r.attributes FROM resources r JOIN \"{name}\" v USING (resource_id)
                WHERE typeof(v.\"{column}\") <> '{scalar}' OR v.\"{column}\" IS DISTINCT FROM CASE
                    WHEN json_type(r.attributes, '{pointer}') IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL
                    ELSE TRY_CAST(json_extract_string(r.attributes, '{pointer}') AS {scalar}) END"
            );
            assert_eq!(rows(path, &sql), "", "{kind} {pointer}");
        }
        let mut scalars = BTreeSet::new();
        for attributes in lines(&format!("SELECT attributes FROM resources WHERE type = '{kind}'")) {
            pointers("", &serde_json::from_str(&attributes).expect("JSON"), &mut scalars);
        }
        let columns: BTreeSet<String> =
            lines(&format!("SELECT path FROM fields.columns WHERE type = '{kind}'")).into_iter().collect();
        assert!(scalars.is_subset(&columns), "{kind} lacks {:?}", scalars.difference(&columns));
    }
    let silent = "SELECT schema_name || '.' || table_name || '.' || column_name FROM duckdb_columns()
        WHERE NOT internal AND comment IS NULL";
    assert_eq!(rows(path, silent), "");
}

/// Where scalars are, but for those in arrays.
fn pointers(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                pointers(&format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), value, found);
            }
        }
        Value::Array(_) | Value::Null => {}
        _ => drop(found.insert(path.to_owned())),
    }
}

fn with(id: &str, attributes: Value) -> Value {
    seen(None, id, json!({ "attributes": attributes }))
}

#[test]
fn the_story_has_a_view_for_each_type() {
    let story = Story::open();
    let columns = "SELECT column_name, column_type FROM (DESCRIBE ec2_instance)";
    expect![[r#"
        key | VARCHAR
        provider | VARCHAR
        account | VARCHAR
        region | VARCHAR
        type | VARCHAR
        id | VARCHAR
        name | VARCHAR
        arn | VARCHAR
        status | VARCHAR
        tags | MAP(VARCHAR, VARCHAR)
        created_at | TIMESTAMP WITH TIME ZONE
        monthly_cost_usd | DOUBLE
        valid_from | TIMESTAMP WITH TIME ZONE
        first_seen | TIMESTAMP WITH TIME ZONE
        InstanceType | VARCHAR
        State_Name | VARCHAR
        resource_id | UBIGINT
    "#]]
    .assert_eq(&story.lines(columns));
    for (sql, expected) in [
        (
            "SELECT view_name, comment FROM duckdb_views() WHERE view_name IN (SELECT name FROM fields.types) ORDER BY 1",
            expect![[r#"
                ec2_instance | Existing resources of type ec2:instance; scalar attributes are columns
                ec2_security_group | Existing resources of type ec2:security-group; scalar attributes are columns
                ec2_volume | Existing resources of type ec2:volume; scalar attributes are columns
                rds_db | Existing resources of type rds:db; scalar attributes are columns
            "#]],
        ),
        (
            "SELECT InstanceType, count(*) FROM ec2_instance GROUP BY ALL ORDER BY ALL",
            expect![[r#"
            t3.large | 1
            t3.medium | 1
            t3.micro | 1
            t3.xlarge | 1
        "#]],
        ),
        (
            "SELECT id, state_name, tags['Owner'], region FROM ec2_instance WHERE account = '111111111111' ORDER BY id",
            expect![[r#"
                i-batch | running | data-team | eu-west-1
                i-web2 | stopped | ops | eu-west-1
                i-web3 | running | web-team | eu-west-1
            "#]],
        ),
        (
            "SELECT key, type, PubliclyAccessible, typeof(PubliclyAccessible) FROM rds_db",
            expect![[r#"
            aws/111111111111/eu-west-1/rds:db/orders | rds:db | false | BOOLEAN
        "#]],
        ),
        (
            "SELECT id, VolumeType, Size + 1 FROM ec2_volume ORDER BY id",
            expect![[r#"
            vol-1 | gp3 | 101
            vol-9 | gp3 | 501
        "#]],
        ),
        // nothing but arrays
        (
            "SELECT id, name FROM ec2_security_group",
            expect![[r#"
            sg-admin | admin
        "#]],
        ),
        (
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE column_name = 'State_Name' OR table_name = 'rds_db' AND column_name = 'status' ORDER BY ALL",
            expect![[r#"
                ec2_instance | State_Name | /State/Name
                ec2_instance | State_Name | /State/Name
                rds_db | status | Status as the cloud says it, such as running
                rds_db | status | Status as the cloud says it, such as running
            "#]],
        ),
        (
            "SELECT id, r.attributes->'$.State' FROM ec2_instance JOIN resources r USING (resource_id, id) WHERE id = 'i-web2'",
            expect![[r#"
                i-web2 | {"Name":"stopped"}
            "#]],
        ),
        // what people see when they look around
        (
            "SELECT count(*) FROM (SHOW TABLES) WHERE name LIKE '%ec2_instance%'",
            expect![[r#"
            1
        "#]],
        ),
    ] {
        expected.assert_eq(&story.lines(sql));
    }
    let mut bench = crate::story::told();
    bench.stop();
    check(&bench.path);
}

/// Batches one after another, and what the view shows then.
#[test]
fn views_follow_the_resources() {
    for (batches, expected) in [
        // changed, disappeared, come back
        (
            vec![
                vec![with("i-1", json!({"a": 1})), with("i-2", json!({"a": 2}))],
                vec![seen(Some("s2"), "i-2", json!({"attributes": {"a": 3}})), report("s2", 2, "complete", 1)],
                vec![with("i-1", json!({"a": 4}))],
                vec![with("i-1", json!({"a": 5})), with("i-1", json!({"a": 6}))],
            ],
            expect![[r#"
                a BIGINT /a
                --
                i-1 | 6
                i-2 | 3
            "#]],
        ),
        // a new attribute, one that goes, null
        (
            vec![
                vec![with("i-1", json!({"a": 1})), with("i-2", json!({"a": 1}))],
                vec![with("i-1", json!({"a": 1, "State": {"Name": "running"}}))],
                vec![with("i-2", json!({"a": null, "b": null}))],
            ],
            expect![[r#"
                a BIGINT /a
                State_Name VARCHAR /State/Name
                --
                i-1 | 1 | running
                i-2 |  | 
            "#]],
        ),
        // int, float, text
        (
            vec![
                vec![with("i-1", json!({"a": 1, "b": true})), with("i-2", json!({"a": 2, "b": false}))],
                vec![with("i-3", json!({"a": 1.5, "b": 0}))],
                vec![with("i-4", json!({"a": "x"}))],
            ],
            expect![[r#"
                a VARCHAR /a
                b VARCHAR /b
                --
                i-1 | 1 | true
                i-2 | 2 | false
                i-3 | 1.5 | 0
                i-4 | x | 
            "#]],
        ),
        // names that clash
        (
            vec![vec![with("i-1", json!({"Status": "s", "A": {"b": 1}, "a": {"B": 2}, "a_b": 3, "x y/z": 4, "": 5}))]],
            expect![[r#"
                Status_2 VARCHAR /Status
                A_b BIGINT /A/b
                a_B_2 BIGINT /a/B
                a_b_3 BIGINT /a_b
                x_y_z BIGINT /x y~1z
                _ BIGINT /
                --
                i-1 | s | 1 | 2 | 3 | 4 | 5
            "#]],
        ),
        // objects and arrays
        (
            vec![vec![
                with("i-1", json!({"o": {"p": {"q": 1, "l": [{"a": 1}]}}, "l": [1, 2]})),
                with("i-2", json!({"o": 7, "l": "none"})),
            ]],
            expect![[r#"
                o_p_q BIGINT /o/p/q
                o BIGINT /o
                l VARCHAR /l
                --
                i-1 | 1 |  | 
                i-2 |  | 7 | none
            "#]],
        ),
    ] {
        let mut bench = Bench::new();
        for batch in batches {
            bench.send(&batch);
        }
        bench.restart();
        bench.stop();
        let mut text =
            rows(&bench.path, "SELECT name || ' ' || data_type || ' ' || path FROM fields.columns ORDER BY ordinal");
        let sql = "SELECT id, * EXCLUDE (key, provider, account, region, type, id, name, arn, status, tags, created_at,
            monthly_cost_usd, valid_from, first_seen, resource_id) FROM ec2_instance ORDER BY id";
        write!(text, "--\n{}", rows(&bench.path, sql)).expect("a string");
        expected.assert_eq(&text);
        check(&bench.path);
    }
}

#[test]
fn many_rows_are_moved_into_the_table() {
    let mut bench = Bench::new();
    let all: Vec<Value> =
        (0..9000).map(|n| with(&format!("i-{n}"), json!({"n": n, "f": 1.0, "b": n % 2 == 0}))).collect();
    bench.send(&all);
    let moved = |bench: &mut Bench| {
        bench.sql("SELECT (SELECT count(*) FROM fields.ec2_instance), (SELECT count(*) FROM fields.recent)")
    };
    assert_eq!(moved(&mut bench), "9000 | 0\n");
    // each type widened and a column added, while rows come and go
    bench.send(&[
        with("i-1", json!({"n": 1.5, "f": "x", "b": 1})),
        with("i-2", json!({"new": true})),
        with("i-x", json!({})),
    ]);
    assert_eq!(moved(&mut bench), "8998 | 3\n");
    assert_eq!(
        bench.sql("SELECT typeof(n), typeof(f), typeof(b), min(f) FROM ec2_instance GROUP BY ALL"),
        "DOUBLE | VARCHAR | VARCHAR | 1.0\n"
    );
    bench.send(&[with("i-3", json!({"n": "y"}))]);
    bench.stop();
    check(&bench.path);
}

#[test]
fn a_batch_that_fails_leaves_nothing() {
    let mut bench = Bench::new();
    bench.send(&[with("i-1", json!({"a": 1})), with("i-2", json!({"a": 2}))]);
    let change = |bench: &mut Bench, sql: &str| {
        bench.stop();
        duckdb::Connection::open(&bench.path).expect("nobody has it open").execute_batch(sql).expect(sql);
    };
    let contents = |bench: &Bench| {
        let columns = "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL";
        [columns, "FROM fields.types", "FROM fields.columns", "FROM fields.recent", "FROM ec2_instance"]
            .map(|sql| rows(&bench.path, sql))
    };
    change(&mut bench, "ALTER TABLE outbox RENAME TO away");
    let before = contents(&bench);
    bench.restart();
    let other = json!({"key": "aws/1/r/rds:db/x", "attributes": {"z": 1}});
    let other = bench.page(&[json!({"kind": "observation", "v": 1, "resource": other})]);
    let other = Page { subject: SUBJECT.replace("ec2:instance", "rds:db"), ..other };
    let pages = vec![bench.page(&[with("i-1", json!({"a": "x", "b": 1}))]), other];
    let batch = Batch { source: SOURCE, pages };
    let failed = bench.block(bench.stage().handle(&batch));
    assert!(format!("{failed:?}").contains("outbox"), "{failed:?}");
    bench.stop();
    assert_eq!(contents(&bench), before);
    change(&mut bench, "ALTER TABLE away RENAME TO outbox");
    bench.restart();
    bench.handle(&batch);
    assert_eq!(bench.sql("SELECT id, a, b FROM ec2_instance ORDER BY id"), "i-1 | x | 1\ni-2 | 2 | \n");
    assert_eq!(bench.sql("SELECT id, z FROM rds_db"), "x | 1\n");
    bench.stop();
    check(&bench.path);
}

#[test]
fn tables_of_another_layout_are_made_anew() {
    let mut bench = Bench::new();
    bench.send(&[with("i-1", json!({"a": 1})), with("i-2", json!({"b": {"c": "x"}}))]);
    let expected = bench.sql("FROM ec2_instance ORDER BY id");
    bench.stop();
    let sql = "UPDATE fields.layout SET number = 0; DROP VIEW ec2_instance; DELETE FROM fields.recent";
    duckdb::Connection::open(&bench.path).expect("nobody has it open").execute_batch(sql).expect(sql);
    bench.restart();
    assert_eq!(bench.sql("FROM ec2_instance ORDER BY id"), expected);
    bench.stop();
    check(&bench.path);
}

/// Any attributes, of few names, so that they meet.
fn attributes() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-8_i32..8).prop_map(|n| json!(f64::from(n) / 2.0)),
        "[a-z'\"\\\\/~ü]{0,4}".prop_map(Value::from),
    ];
    let inner = leaf.prop_recursive(3, 12, 4, |inner| {
        let keys = prop::sample::select(vec!["a", "A", "b", "a_b", "id", "x/~", ""]);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            4 => prop::collection::hash_map(keys, inner, 0..4).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    });
    inner.prop_map(|value| if value.is_object() { value } else { json!({ "a": value }) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// With `many`, rows are in the tables of their types too; else all of them wait.
    #[test]
    fn every_view_shows_what_resources_does(
        many: bool,
        batches in prop::collection::vec(
            prop::collection::btree_map((0_u8..5, any::<bool>()), (attributes(), any::<bool>()), 1..6), 1..8,
        ),
    ) {
        let mut bench = Bench::new();
        if many {
            bench.send(&(0..8200).map(|n| with(&format!("i-{n}"), json!({"a": n}))).collect::<Vec<_>>());
        }
        for (number, batch) in batches.into_iter().enumerate() {
            let scan = format!("s{number}");
            let sent = batch.keys().filter(|(_, other)| !other).count() as u64;
            let mut rows: Vec<Value> = Vec::new();
            for ((id, other), (attributes, named)) in batch {
                // two types, whose names clash
                let kind = if other { "EC2.instance" } else { "ec2:instance" };
                let resource = json!({
                    "key": format!("aws/1/r/{kind}/i-{id}"), "attributes": attributes, "name": named.then_some("n"),
                    "tags": {"t": scan},
                });
                let scan = (!other).then_some(&scan);
                rows.push(json!({"kind": "observation", "v": 1, "scan_id": scan, "resource": resource}));
            }
            // every other batch proves that all else of one type is gone
            if number % 2 == 1 {
                rows.push(report(&scan, i64::try_from(bench.sequence).expect("small"), "complete", sent));
            }
            let pages = vec![bench.page(&rows)];
            prop_assert_eq!(bench.handle(&Batch { source: Source::Pipe, pages }).rejected, []);
            if number % 3 == 2 {
                bench.restart();
            }
        }
        bench.stop();
        check(&bench.path);
    }
}
