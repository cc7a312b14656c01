//! What is wrong with the configuration is found before anything is told, with its place and without secrets.

use elava_notifier::Notifier;
use expect_test::{Expect, expect};

use crate::{HASTE, clock, notifications};

fn check(yaml: &str, expected: Expect) {
    let made = Notifier::with(&notifications(yaml), Box::new(std::io::sink()), HASTE, clock);
    let text = made.map_or_else(|error| error.to_string(), |_| "fine".to_owned());
    assert!(!text.contains("SECRET"), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn problems_have_a_place() {
    check("stdout: {enabled: false}", expect!["fine"]);
    check(
        "channels:\n  a: {}",
        expect![
            "actions.notifications.channels.a: write exactly one of slack, slack_bot, teams, pagerduty, email, webhook, file"
        ],
    );
    check(
        "channels:\n  a: {teams: {webhook: 'http://x'}, file: {path: x}}",
        expect![
            "actions.notifications.channels.a: write exactly one of slack, slack_bot, teams, pagerduty, email, webhook, file"
        ],
    );
    check(
        "channels:\n  stdout: {file: {path: x}}",
        expect![
            "actions.notifications.channels.stdout: this name is taken by actions.notifications.stdout; here stands only what else holds for it"
        ],
    );
    check("channels:\n  stdout: {min_severity: critical}", expect!["fine"]);
    check(
        "channels:\n  a: {enabled: false, slack: {webhook: SECRET}}\n  b: {slack: {enabled: false}}",
        expect!["fine"],
    );
    check(
        "channels:\n  a: {slack: {webhook: SECRET}}",
        expect!["actions.notifications.channels.a.slack: no usable webhook for severity info: not a URL"],
    );
    check(
        "channels:\n  a: {teams: {webhook: 'ftp://SECRET'}}",
        expect!["actions.notifications.channels.a.teams: `webhook` is unusable: neither http nor https"],
    );
    check(
        "channels:\n  a: {slack_bot: {token: '', channel: '#a'}}",
        expect!["actions.notifications.channels.a.slack_bot: `token` is empty, or holds what no header can"],
    );
    check(
        "channels:\n  a: {slack_bot: {token: \"SECRET\\n\", channel: ''}}",
        expect!["actions.notifications.channels.a.slack_bot: `channel` is empty"],
    );
    check(
        "channels:\n  a: {pagerduty: {routing_key: ' '}}",
        expect!["actions.notifications.channels.a.pagerduty: `routing_key` is empty"],
    );
    check(
        "channels:\n  a: {email: {host: mail, from: nobody, to: a@b}}",
        expect!["actions.notifications.channels.a.email: `from` is no address: nobody"],
    );
    check(
        "channels:\n  a: {email: {host: mail, from: a@b, to: a@b, tls: none, username: u, password: SECRET}}",
        expect![
            "actions.notifications.channels.a.email: `password` would be sent in the open: set `tls` to starttls or tls"
        ],
    );
    check(
        "channels:\n  a: {email: {host: mail, from: a@b, to: a@b, password: SECRET}}",
        expect!["actions.notifications.channels.a.email: `username` and `password` belong together"],
    );
    check(
        "routes:\n  - {channels: [stdout]}\n  - {channels: [stdout, pager]}",
        expect!["actions.notifications.routes[1].channels: there is no channel `pager`; there are stdout"],
    );
    check(
        "channels:\n  stdout: {quiet_hours: {from: '22:00', to: '07:00', timezone: Mars}}",
        expect![
            "actions.notifications.channels.stdout.quiet_hours.timezone: no such time zone: Mars; write one like Europe/Helsinki"
        ],
    );
}

#[test]
fn templates_are_tried() {
    let words = |templates: &str| format!("channels:\n  stdout:\n    templates: {templates}");
    check(
        &words("{title: '{{ severity | upper }} {{ decision.reason }} {{ decision.metadata.nothing }}'}"),
        expect!["fine"],
    );
    check(
        &words("{title: '{{ severty }}'}"),
        expect![
            "actions.notifications.channels.stdout: templates.title: there is no `severty`; there are kind, count, more, resolved, came_and_went, owner, severity, state, title, body, resource, decision, decisions"
        ],
    );
    check(
        &words("{body: \"a\\n{{ title\"}"),
        expect![
            "actions.notifications.channels.stdout: templates.body: line 2: syntax error: unexpected end of input, expected end of variable block"
        ],
    );
    check(
        &words("{body: '{{ title | shout }}'}"),
        expect![
            "actions.notifications.channels.stdout: templates.body: line 1: unknown filter: filter shout is unknown"
        ],
    );
}

#[test]
fn a_time_of_day_is_checked() {
    for text in ["7:00", "24:00", "07:60", "0700", "-1:00", "07:00:00"] {
        assert!(text.parse::<elava_schemas::config::TimeOfDay>().is_err(), "{text}");
    }
}
