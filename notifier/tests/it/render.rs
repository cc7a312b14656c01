//! What people read.

use elava_notifier::{Colour, Notice, render, slack_payload};
use elava_schemas::{Action, Decision, DecisionState, Severity};
use expect_test::expect;

use crate::{alert, decision};

#[test]
fn text() {
    let waiting = Decision {
        requires_approval: true,
        metadata: serde_json::Map::from_iter([("dry_run".to_owned(), true.into())]),
        ..decision("b", Action::EnforcePolicy, Severity::Warning, DecisionState::Changed)
    };
    let hostile = Decision { reason: "Evil\u{1b}[2J\nname".into(), metadata: Default::default(), ..alert("c") };
    let rows = [alert("a"), waiting, decision("d", Action::Notify, Severity::Info, DecisionState::Resolved), hostile];
    let text: String = rows.iter().map(|decision| render(&Notice::of(decision), Colour::No)).collect();
    expect![[r#"
        2026-01-02 03:04:05Z  CRITICAL  Open to <the world>: security group web (ec2:security-group, us-east-1)
            aws/123456789012/us-east-1/ec2:security-group/sg-0abc · alert (new)
            → Close port 22 & 3389
        2026-01-02 03:04:05Z  WARNING   Open to <the world>: security group web (ec2:security-group, us-east-1)
            aws/123456789012/us-east-1/ec2:security-group/sg-0abc · enforce policy (changed)
            waits for approval of dec_f0222e4972b8cdf2ffefbe91b2dfe5f5
            dry run: nothing will be written
        2026-01-02 03:04:05Z  RESOLVED  Open to <the world>: security group web (ec2:security-group, us-east-1)
            aws/123456789012/us-east-1/ec2:security-group/sg-0abc · notify (resolved)
        2026-01-02 03:04:05Z  CRITICAL  Evil�[2J�name
            aws/123456789012/us-east-1/ec2:security-group/sg-0abc · alert (new)
    "#]]
    .assert_eq(&text);
}

#[test]
fn colour() {
    let text = render(&Notice::of(&alert("a")), Colour::Yes).replace('\u{1b}', "ESC");
    expect![[r#"
        ESC[2m2026-01-02 03:04:05ZESC[0m ESC[37;41;1m CRITICAL ESC[0m ESC[1mOpen to <the world>: security group web (ec2:security-group, us-east-1)ESC[0m
            ESC[2maws/123456789012/us-east-1/ec2:security-group/sg-0abc · alert (new)ESC[0m
            → Close port 22 & 3389
    "#]].assert_eq(&text);
}

#[test]
fn slack_blocks() {
    let payload = slack_payload(&Notice::of(&alert("a")), Some("#alerts"));
    expect![[r##"
        {
          "text": "🔴 CRITICAL: Open to &lt;the world&gt;: security group web (ec2:security-group, us-east-1)",
          "blocks": [
            {
              "type": "header",
              "text": {
                "type": "plain_text",
                "text": "🔴 CRITICAL",
                "emoji": true
              }
            },
            {
              "type": "section",
              "text": {
                "type": "mrkdwn",
                "text": "*Open to &lt;the world&gt;: security group web (ec2:security-group, us-east-1)*"
              }
            },
            {
              "type": "section",
              "fields": [
                {
                  "type": "mrkdwn",
                  "text": "*Resource*\nweb"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Type*\nec2:security-group"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Account*\n123456789012"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Region*\nus-east-1"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Policy*\nday2.security"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Rule*\npublic"
                }
              ]
            },
            {
              "type": "section",
              "text": {
                "type": "mrkdwn",
                "text": "Close port 22 &amp; 3389"
              }
            },
            {
              "type": "context",
              "elements": [
                {
                  "type": "mrkdwn",
                  "text": "alert · new · 2026-01-02 03:04:05Z · aws/123456789012/us-east-1/ec2:security-group/sg-0abc · dec_2f769e68e7a407e683304438b8967017"
                }
              ]
            }
          ],
          "channel": "#alerts"
        }"##]].assert_eq(&serde_json::to_string_pretty(&payload).expect("JSON"));
}

#[test]
fn slack_limits() {
    let endless = Decision { reason: "&".repeat(10_000), requires_approval: true, ..alert("a") };
    let payload = slack_payload(&Notice::of(&endless), None);
    let blocks = payload["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50);
    for block in blocks {
        let texts =
            [&block["text"]["text"], &block["elements"][0]["text"]].into_iter().filter_map(|text| text.as_str());
        let fields = block["fields"].as_array().into_iter().flatten().filter_map(|field| field["text"].as_str());
        assert!(texts.into_iter().all(|text| text.chars().count() <= 3000));
        assert!(fields.into_iter().all(|text| text.chars().count() <= 2000));
    }
    assert!(payload.get("channel").is_none());
}
