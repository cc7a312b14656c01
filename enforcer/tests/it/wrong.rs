//! Policies that are wrong: refused when they are loaded, or errors when they are evaluated. Never a pass.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::support::{evaluate, lines, load, refusal, resource, tags};

#[test]
fn refused_with_file_and_line() {
    let rows: [(&[(&str, &str)], Expect); 7] = [
        (
            &[("a/b.rego", "package day2.b\n\ndeny contains 1 if {\n")],
            expect!["cannot load the policies: a/b.rego:4:1: expecting expression"],
        ),
        (
            &[("a.rego", "package day2.a\n\nallow := true\n")],
            expect!["a.rego: package day2.a decides nothing: it has none of deny, warn, info"],
        ),
        (
            &[("a.rego", "package other\n\nwarn contains \"x\"\n")],
            expect!["no policy in (folder): no .rego file there has a package below `day2`"],
        ),
        (
            &[("a.rego", "# METADATA\n# custom:\n#   types: ec2:instance\npackage day2.a\n\nwarn contains \"x\"\n")],
            expect!["cannot load the policies: a.rego:1: metadata: `custom.types` must be a list of resource types"],
        ),
        (
            &[("a.rego", "package day2.a\n\nwarn contains \"x\"\n"), ("x/data.json", "{")],
            expect!["cannot load the policies: x/data.json: EOF while parsing an object at line 1 column 1"],
        ),
        (
            &[("a.rego", "package day2.a\n\nwarn contains \"x\"\n"), ("data.yaml", "- 1\n")],
            expect!["cannot load the policies: data.yaml: data must be object"],
        ),
        (
            &[
                ("x/data.json", r#"{"y": 1}"#),
                ("data.yaml", "x:\n  y: 2\n"),
                ("a.rego", "package day2.a\n\nwarn contains \"x\"\n"),
            ],
            expect![[
                r#"cannot load the policies: x/data.json: value for key `"y"` generated multiple times: `2` and `1`"#
            ]],
        ),
    ];
    for (files, expected) in rows {
        expected.assert_eq(&refusal(files));
    }
}

#[test]
fn errors_are_never_a_pass() {
    let rows = [
        // a builtin given the wrong type
        (
            "deny contains \"x\" if lower(input.resource.attributes.Size) == \"8\"",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: bad.rego:3:53: `lower` expects string argument. Got `8` instead
        "#]],
        ),
        // hidden behind a negation, where undefined would be a violation or a pass
        (
            "deny contains \"x\" if not startswith(input.resource.attributes.Size, \"8\")",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: bad.rego:3:62: `startswith` expects string argument. Got `8` instead
        "#]],
        ),
        (
            "deny contains \"x\" if input.resource.attributes.Size + input.type == 8",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: bad.rego:3:60: `add` expects numeric argument. Got `"ec2:volume"` instead
        "#]],
        ),
        (
            "deny contains 7",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: a member of data.day2.bad.deny is neither a text nor an object: 7
        "#]],
        ),
        (
            "deny contains {\"message\": 7}",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: a member of data.day2.bad.deny has a `message` that is not a text: {"message":7}
        "#]],
        ),
        (
            "deny contains {\"rule\": \"x\"}",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: a member of data.day2.bad.deny has no `msg`: {"rule":"x"}
        "#]],
        ),
        (
            "deny contains {\"msg\": \"x\", \"severity\": \"high\"}",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: a member of data.day2.bad.deny has a `severity` other than critical, warning, info: {"msg":"x","severity":"high"}
        "#]],
        ),
        (
            "deny := true",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: data.day2.bad.deny is not a set: true
        "#]],
        ),
        (
            "deny := [\"x\"] if input.type == \"rds:db\"",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: data.day2.bad.deny is undefined: it decides nothing
        "#]],
        ),
        (
            "deny[\"x\"] := 1",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: not a valid rule path
        "#]],
        ),
        (
            "deny contains unknown",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: bad.rego:3:15: var unknown is unsafe (path ["day2", "bad", "unknown"], scopes [])
        "#]],
        ),
        (
            "deny contains msg if msg := unknown",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: bad.rego:3:29: var unknown is unsafe (path ["day2", "bad", "unknown"], scopes [{}])
        "#]],
        ),
        (
            "deny contains \"x\" if not unknown",
            expect!["cannot load the policies: bad.rego:3:26: use of undefined variable `unknown` is unsafe"],
        ),
        (
            "deny contains \"x\" if unknown == 1",
            expect!["cannot load the policies: bad.rego:3:22: use of undefined variable `unknown` is unsafe"],
        ),
        (
            "deny contains no_such_function(1)",
            expect![[r#"
            warning day2.good seen: seen
            error day2.bad: bad.rego:3:31: could not find function no_such_function
        "#]],
        ),
    ];
    for (rule, expected) in rows {
        let good = "package day2.good\n\nwarn contains \"seen\"\n";
        let files = [("bad.rego", format!("package day2.bad\n\n{rule}\n")), ("good.rego", good.to_owned())];
        let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
        let text = match load(&files) {
            Ok(bundle) => {
                let verdict = evaluate(&bundle, resource("ec2:volume", tags(&[]), json!({"Size": 8})));
                assert!(!verdict.compliant());
                lines(&verdict)
            }
            Err(error) => elava_bus::cli::chain(&error),
        };
        expected.assert_eq(&text);
    }
}
