//! What a producer reads who sent something wrong.

use elava_schemas::{Kind, Message, peek_kind};
use expect_test::{Expect, expect};

fn check(line: impl AsRef<[u8]>, error: Expect) {
    let line = line.as_ref();
    let got = Message::parse(line).map_or_else(|error| error.to_string(), |message| format!("{message:?}"));
    error.assert_eq(&got);
}

#[test]
fn not_json() {
    check("hello", expect![["not a message: expected a JSON object"]]);
    check("", expect![["not a message: expected a JSON object"]]);
    check("[]", expect![["not a message: expected a JSON object"]]);
    check(
        r#"{"kind":"observation","v":1,"resource":{"#,
        expect![["bad observation: resource: EOF while parsing an object at line 1 column 40"]],
    );
    check(r#"{"kind":"observation"} {}"#, expect![["not a message: trailing characters at line 1 column 24"]]);
}

#[test]
fn no_or_wrong_kind() {
    check(r#"{"v":1}"#, expect![["not a message: missing field `kind` at line 1 column 7"]]);
    check(r#"{"kind":7}"#, expect![["not a message: invalid type: integer `7`, expected a string at line 1 column 9"]]);
    check(
        r#"{"kind":"observations","v":1,"resource":{}}"#,
        expect![[
            "unknown kind `observations`; known: observation, scan_report, change, policy_result, decision, approval, execution, delivery, dead_letter, scan_request, evaluation_request"
        ]],
    );
}

#[test]
fn missing_field() {
    check(
        r#"{"kind":"observation","v":1,"observed_at":"2026-01-01T00:00:00Z"}"#,
        expect![["bad observation: missing field `resource` at line 1 column 65"]],
    );
    check(
        r#"{"kind":"observation","resource":{"provider":"aws","account":"1","type":"ec2:vpc","id":"v"}}"#,
        expect![["bad observation: missing field `key` (or, in the flat form, `region`) at line 1 column 92"]],
    );
    check(
        r#"{"kind":"observation","resource":{"key":{"provider":"aws","account":"1","type":"ec2:vpc","id":"v"}}}"#,
        expect![["bad observation: resource.key: missing field `region` at line 1 column 98"]],
    );
    check(
        r#"{"kind":"observation","resource":{"key":"aws/1/eu-west-1/ec2:vpc"}}"#,
        expect![[
            "bad observation: resource.key: a resource key has 5 parts, provider/account/region/type/id; `aws/1/eu-west-1/ec2:vpc` has 4 at line 1 column 65"
        ]],
    );
    check(
        r#"{"kind":"approval","v":1,"id":"apr_1"}"#,
        expect![["bad approval: missing field `decision_id` at line 1 column 38"]],
    );
}

#[test]
fn wrong_type_or_value() {
    check(
        r#"{"kind":"observation","v":1,"resource":{"key":"aws/1/r/ec2:vpc/v","tags":["a"]}}"#,
        expect![["bad observation: resource.tags: invalid type: sequence, expected a map at line 1 column 73"]],
    );
    check(
        r#"{"kind":"observation","v":1,"observed_at":"yesterday","resource":{"key":"aws/1/r/ec2:vpc/v"}}"#,
        expect![["bad observation: observed_at: input contains invalid characters at line 1 column 53"]],
    );
    check(
        r#"{"kind":"observation","v":1,"resource":{"key":7}}"#,
        expect![[
            r#"bad observation: resource.key: invalid type: integer `7`, expected a resource key: "provider/account/region/type/id" or an object with these fields at line 1 column 47"#
        ]],
    );
    check(
        r#"{"kind":"observation","v":"one","resource":{}}"#,
        expect![[r#"not a message: invalid type: string "one", expected u32 at line 1 column 31"#]],
    );
    check(
        r#"{"kind":"approval","v":1,"id":"apr_1","decision_id":"dec_1","by":"ann","verdict":"maybe","at":"2026-01-01T00:00:00Z"}"#,
        expect![
            "bad approval: verdict: unknown variant `maybe`, expected one of `approved`, `denied`, `undo` at line 1 column 88"
        ],
    );
    check(
        r#"{"kind":"scan_report","v":1,"scan_id":"scan_1","scope":{"provider":"aws","account":"1","region":"r","type":"t"},"started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:00:00Z","outcome":"complete","observed":-1}"#,
        expect![["bad scan_report: observed: invalid value: integer `-1`, expected u64 at line 1 column 219"]],
    );
}

#[test]
fn unknown_provider() {
    check(
        r#"{"kind":"observation","v":1,"resource":{"key":"azure/1/r/vm/v"}}"#,
        expect![["bad observation: resource.key: unknown provider `azure`; allowed: aws, gcp at line 1 column 62"]],
    );
    check(
        r#"{"kind":"observation","v":1,"resource":{"provider":"azure","account":"1","region":"r","type":"t","id":"i"}}"#,
        expect![[
            "bad observation: resource.provider: unknown variant `azure`, expected `aws` or `gcp` at line 1 column 58"
        ]],
    );
}

#[test]
fn newer_version() {
    check(
        r#"{"kind":"observation","v":2,"resource":{}}"#,
        expect![["observation version 2 is newer than this build reads (1)"]],
    );
}

#[test]
fn invalid_utf8() {
    check(b"\xff{}", expect![["not UTF-8 at byte 0"]]);
    check(
        b"{\"kind\":\"observation\",\"v\":1,\"resource\":{\"key\":\"aws/1/r/t/\xff\"}}",
        expect![["not UTF-8 at byte 57"]],
    );
}

#[test]
fn the_head_is_found_in_every_spelling() {
    for kind in Kind::ALL {
        let head = format!(r#""kind":"{kind}","v":1"#);
        for line in [
            format!("{{{head}}}"),
            format!("{{{head},\"x\":1}}"),
            format!("{{ {head}, \"x\":1}}"),
            format!(r#"{{"v":1,"x":{{"kind":"change"}},"kind":"{kind}"}}"#),
        ] {
            assert_eq!(peek_kind(line.as_bytes()).ok(), Some(*kind), "{line}");
        }
        // not what we write, although it begins like it
        for line in [
            format!(r#"{{"kind":"{kind}s","v":1,"x":1}}"#),
            format!(r#"{{"kind":"{kind}","v":12,"x":1}}"#),
            format!(r#"{{"kind":"{kind}","v":"1","x":1}}"#),
            format!(r#"["kind":"{kind}","v":1,"x":1]"#),
        ] {
            assert!(peek_kind(line.as_bytes()).is_err(), "{line}");
        }
    }
}
