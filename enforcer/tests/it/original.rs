//! The policy of the original design, word for word: Rego v0, tags with underscores and `true`.

use expect_test::{Expect, expect};

use crate::support::{evaluate, lines, load, resource, tags};

const ORIGINAL: &str = include_str!("original.rego");

fn check(pairs: &[(&str, &str)], expected: Expect) {
    let bundle = load(&[("day2/required_tags.rego", ORIGINAL)]).expect("it loads");
    let verdict = evaluate(&bundle, resource("ec2:instance", tags(pairs), serde_json::json!({})));
    expected.assert_eq(&lines(&verdict));
}

#[test]
fn means_what_its_author_meant() {
    check(
        &[],
        expect![[r#"
            critical day2.tags resource_missing_elava_managed_tag: Resource missing elava:managed tag
            warning day2.tags resource_missing_environment_tag: Resource missing environment tag
        "#]],
    );
    check(
        &[("elava:managed", "true"), ("environment", "dev")],
        expect![[r#"
            critical day2.tags managed_resource_missing_elava_owner_tag: Managed resource missing elava:owner tag
        "#]],
    );
    check(&[("elava:managed", "true"), ("elava:owner", "payments"), ("environment", "dev")], expect![""]);
}

#[test]
fn stands_beside_policies_in_v1() {
    let v1 = "package day2.second\n\nwarn contains \"always\" if true\n";
    let marked = "# rego: v0\npackage day2.third\n\nwarn[msg] { msg = \"always\" }\n";
    let files = [("a.rego", v1), ("b.rego", ORIGINAL), ("c.rego", marked), ("d.rego", &v1.replace("second", "fourth"))];
    let bundle = load(&files).expect("it loads");
    let verdict = evaluate(&bundle, resource("ec2:instance", tags(&[]), serde_json::json!({})));
    expect![[r#"
        warning day2.fourth always: always
        warning day2.second always: always
        critical day2.tags resource_missing_elava_managed_tag: Resource missing elava:managed tag
        warning day2.tags resource_missing_environment_tag: Resource missing environment tag
        warning day2.third always: always
    "#]]
    .assert_eq(&lines(&verdict));
}
