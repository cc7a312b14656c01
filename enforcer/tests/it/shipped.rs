//! The policies that are shipped.

use elava_enforcer::{Bundle, Dialect, check, run_tests};
use serde_json::json;

use crate::support::{evaluate, lines, load, resource, shipped};

fn bundle() -> Bundle {
    Bundle::load(&shipped(), Dialect::PerFile).expect("they load")
}

#[test]
fn their_tests_pass() {
    let mut out = Vec::new();
    let count = run_tests(&[shipped()], Dialect::PerFile, &mut out).expect("they run");
    let out = String::from_utf8(out).expect("text");
    assert_eq!(count.failed, 0, "{out}");
    for package in bundle().packages() {
        let tests = out.matches(&format!("PASS data.{}_test.", package.name)).count();
        assert!(tests >= 2, "{} has {tests} tests", package.name);
    }
}

#[test]
fn each_explains_itself() {
    assert!(bundle().packages().len() >= 20);
    for package in bundle().packages() {
        let complete = package.title.is_some() && package.description.is_some() && package.suggestion.is_some();
        assert!(complete, "{} lacks an annotation", package.name);
        assert!(package.severities().any(|severity| Some(severity) == package.severity), "{}", package.name);
        let file = package.name.strip_prefix("day2.").expect("below day2").replace('.', "/");
        assert_eq!(package.files, [format!("{file}.rego")]);
    }
}

#[test]
fn the_guide_lists_them_all() {
    let guide = include_str!("../../../docs/policies.md");
    let mut list = Vec::new();
    check(&bundle(), &mut list).expect("it is written");
    let list = String::from_utf8(list).expect("text");
    for row in list.lines().filter(|line| line.starts_with('|')) {
        assert!(guide.contains(row), "docs/policies.md lacks (see `elava-enforcer check policies`)\n{row}");
    }
}

#[test]
fn unknown_is_not_a_violation() {
    let bundle = bundle();
    for kind in [
        "ec2:instance",
        "ec2:volume",
        "ec2:snapshot",
        "ec2:image",
        "ec2:security-group",
        "rds:db",
        "rds:cluster",
        "rds:snapshot",
    ] {
        assert_eq!(lines(&evaluate(&bundle, resource(kind, None, json!({})))), "", "{kind}");
    }
}

#[test]
fn a_failing_rego_test_is_told() {
    let folder = crate::support::folder(&[
        ("a.rego", "package day2.a\n\nwarn contains \"x\" if input.x\n"),
        (
            "a_test.rego",
            "package day2.a_test\n\ntest_good if count(data.day2.a.warn) == 1 with input as {\"x\": true}\n\ntest_bad if count(data.day2.a.warn) == 1 with input as {}\n\ntest_error if lower(1) == \"\"\n\ntodo_test_later if false\n",
        ),
    ]);
    let mut out = Vec::new();
    run_tests(&[folder.path().to_owned()], Dialect::PerFile, &mut out).expect("they run");
    expect_test::expect![[r#"
        FAIL data.day2.a_test.test_bad (a_test.rego): undefined
        FAIL data.day2.a_test.test_error (a_test.rego): a_test.rego:7:21: `lower` expects string argument. Got `1` instead
        PASS data.day2.a_test.test_good
        SKIP data.day2.a_test.todo_test_later (a_test.rego)
        1 passed, 2 failed, 1 skipped
    "#]].assert_eq(&String::from_utf8(out).expect("text"));
    assert!(load(&[]).is_err());
}
