//! Each channel against a real server of its protocol: what arrives, and what follows from its answers.

use elava_bus::{Source, Stage};
use elava_notifier::{Notice, teams_card};
use elava_schemas::{Decision, DecisionState, Severity};
use serde_json::{Value, json};

use crate::http::receipts;
use crate::server::{Answer, Server};
use crate::{PARTITION, batch, clock, given, messages, notifier_of, owned, soon};

const TS: Answer = Answer::Status(200, "", r#"{"ok":true,"channel":"C1","ts":"1767323045.000100"}"#);

fn bot(server: &Server) -> String {
    format!(
        "stdout: {{enabled: false}}\nchannels:\n  ops:\n    slack_bot: {{token: xoxb-SECRET, channel: '#ops', url: '{}/api', channels: {{critical: '#urgent'}}}}",
        server.url
    )
}

fn life(name: &str) -> [Decision; 3] {
    [DecisionState::New, DecisionState::Reminder, DecisionState::Resolved]
        .map(|state| owned(name, "me", Severity::Warning, state))
}

#[tokio::test]
async fn a_slack_bot_keeps_threads() {
    let server = Server::start(&[TS; 3]).await;
    let notifier = notifier_of(&bot(&server), clock);
    for decision in life("x") {
        let passed = given(&notifier, &batch(PARTITION, &messages(&[decision])), soon()).await.expect("told");
        assert_eq!(receipts(&passed), ["ops Delivered 1 -"]);
    }
    let received = server.received();
    assert!(received.iter().all(|one| one.path == "/api/chat.postMessage"));
    assert!(received.iter().all(|one| one.header("authorization") == "Bearer xoxb-SECRET"));
    let bodies: Vec<Value> = received.iter().map(|one| one.json()).collect();
    let seen: Vec<(&Value, &Value, &Value)> =
        bodies.iter().map(|body| (&body["channel"], &body["thread_ts"], &body["text"])).collect();
    let ts = json!("1767323045.000100");
    assert_eq!(
        seen,
        [
            (&json!("#ops"), &Value::Null, &json!("🟡 WARNING: Open to the world: x")),
            (&json!("#ops"), &ts, &json!("🟡 WARNING: Still open: Open to the world: x")),
            (&json!("#ops"), &ts, &json!("🟢 RESOLVED: Open to the world: x")),
        ]
    );
    // told in one go, the thread is known as well
    let server = Server::start(&[TS; 3]).await;
    let notifier = notifier_of(&bot(&server), clock);
    given(&notifier, &batch(PARTITION, &messages(&life("y"))), soon()).await.expect("told");
    let threads: Vec<Value> = server.received().iter().map(|one| one.json()["thread_ts"].clone()).collect();
    assert_eq!(threads, [Value::Null, ts.clone(), ts]);
}

#[tokio::test]
async fn what_a_slack_bot_is_answered() {
    let no = "http://127.0.0.1: answered";
    for (answers, severity, expected) in [
        (
            vec![Answer::Status(200, "", r#"{"ok":false,"error":"ratelimited"}"#), TS],
            Severity::Info,
            "ops Delivered 2 -".to_owned(),
        ),
        (vec![Answer::Status(429, "0", ""), TS], Severity::Critical, "ops:#urgent Delivered 2 -".to_owned()),
        (vec![Answer::Status(200, "", "<html>"), TS], Severity::Info, "ops Delivered 2 -".to_owned()),
        (
            vec![Answer::Status(200, "", r#"{"ok":false,"error":"channel_not_found"}"#)],
            Severity::Info,
            format!("ops Failed 1 {no} channel_not_found"),
        ),
        (
            vec![Answer::Status(200, "", r#"{"ok":false,"error":"xoxb-SECRET"}"#)],
            Severity::Info,
            format!("ops Failed 1 {no} no reason given"),
        ),
    ] {
        let server = Server::start(&answers).await;
        let notifier = notifier_of(&bot(&server), clock);
        let one = owned("x", "me", severity, DecisionState::New);
        let passed = given(&notifier, &batch(PARTITION, &messages(&[one])), soon()).await.expect("told");
        assert_eq!(receipts(&passed), [expected]);
        assert!(!format!("{notifier:?}").contains("SECRET"));
    }
}

#[tokio::test]
async fn teams_gets_cards() {
    let error =
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
    let server = Server::start(&[Answer::Status(200, "", error), Answer::Status(202, "", "")]).await;
    let yaml =
        format!("stdout: {{enabled: false}}\nchannels: {{team: {{teams: {{webhook: '{}/SECRET'}}}}}}", server.url);
    let notifier = notifier_of(&yaml, clock);
    let decision = Decision {
        reason: "Open: [click](http://evil) <at>all</at>".into(),
        ..owned("x", "me", Severity::Warning, DecisionState::New)
    };
    let passed =
        given(&notifier, &batch(PARTITION, &messages(std::slice::from_ref(&decision))), soon()).await.expect("told");
    assert_eq!(receipts(&passed), ["team Delivered 2 -"]);
    let body = server.received()[1].json();
    assert_eq!(body, teams_card(&Notice::of(&decision)));
    assert_eq!(body["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &body["attachments"][0]["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    let texts: Vec<&str> =
        card["body"].as_array().expect("blocks").iter().filter_map(|block| block["text"].as_str()).collect();
    assert_eq!(texts[..2], ["🟡 WARNING", "Open: \\[click](http://evil) &lt;at>all&lt;/at>"]);
    assert_eq!(card["body"][2]["facts"][1], json!({"title": "Type", "value": "ec2:security-group"}));

    let endless = Decision { reason: "ä".repeat(100_000), ..decision };
    assert!(teams_card(&Notice::of(&endless)).to_string().len() < 28_000);
}

fn pager(server: &Server) -> String {
    format!(
        "stdout: {{enabled: false}}\nchannels: {{pager: {{pagerduty: {{routing_key: SECRET, url: '{}', severities: {{warning: error}}}}}}}}",
        server.url
    )
}

fn events(server: &Server) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    server
        .received()
        .iter()
        .map(|one| one.json())
        .map(|body| (text(&body["event_action"]), text(&body["dedup_key"])))
        .collect()
}

#[tokio::test]
async fn pagerduty_has_an_incident_a_finding() {
    let server =
        Server::start(&[Answer::Status(429, "0", ""), Answer::Status(202, "", r#"{"status":"success"}"#)]).await;
    let notifier = notifier_of(&pager(&server), clock);
    for decision in life("x") {
        given(&notifier, &batch(PARTITION, &messages(&[decision])), soon()).await.expect("told");
    }
    let finding = life("x")[0].finding.to_string();
    let event = |action: &str| (action.to_owned(), finding.clone());
    assert_eq!(events(&server), [event("trigger"), event("trigger"), event("trigger"), event("resolve")]);
    let first = &server.received()[1];
    assert_eq!(first.path, "/v2/enqueue");
    let mut body = first.json();
    assert_eq!(body["routing_key"], "SECRET");
    let details = body["payload"]["custom_details"].take();
    assert_eq!(details["rule"], "public");
    assert_eq!(
        body["payload"],
        json!({
            "summary": "Open to the world: x",
            "source": "aws/123456789012/us-east-1/ec2:security-group/x",
            "severity": "error",
            "timestamp": "2026-01-02T03:04:05.000Z",
            "component": "ec2:security-group",
            "group": "123456789012",
            "class": "public",
            "custom_details": null,
        })
    );
    assert!(!format!("{notifier:?}").contains("SECRET"));
}

/// Several findings told at once are one incident, and the last of them ends it.
#[tokio::test]
async fn an_incident_of_several_ends_with_the_last() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&pager(&server), clock);
    let all: Vec<[Decision; 3]> = (0..6).map(|number| life(&number.to_string())).collect();
    let of = |state: usize, range: std::ops::Range<usize>| {
        messages(&all[range].iter().map(|life| life[state].clone()).collect::<Vec<_>>())
    };
    given(&notifier, &batch(PARTITION, &of(0, 0..6)), soon()).await.expect("told");
    let [(trigger, key)] = events(&server).try_into().expect("one incident");
    assert_eq!(trigger, "trigger");
    let passed = given(&notifier, &batch(PARTITION, &of(2, 0..2)), soon()).await.expect("told");
    assert_eq!(receipts(&passed).len(), 2);
    assert_eq!(events(&server).len(), 1, "others are open");
    given(&notifier, &batch(PARTITION, &of(2, 2..6)), soon()).await.expect("told");
    assert_eq!(events(&server)[1..], [("resolve".to_owned(), key)]);
}

/// However many one scan resolves: each has an incident of its own.
#[tokio::test]
async fn every_incident_ends() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&pager(&server), clock);
    let all: Vec<[Decision; 3]> = (0..30).map(|number| life(&number.to_string())).collect();
    for [new, ..] in &all {
        given(&notifier, &batch(PARTITION, &messages(std::slice::from_ref(new))), soon()).await.expect("told");
    }
    let ends: Vec<Decision> = all.iter().map(|[.., end]| end.clone()).collect();
    given(&notifier, &batch(PARTITION, &messages(&ends)), soon()).await.expect("told");
    let keys = |action: &str| -> Vec<String> {
        events(&server).into_iter().filter(|(of, _)| of == action).map(|(_, key)| key).collect()
    };
    assert_eq!(keys("trigger").len(), 30);
    assert_eq!(keys("resolve"), keys("trigger"));
}

/// Nobody is to mind what an exception covers, nor what counts as how things are: nobody else would end the incident.
#[tokio::test]
async fn an_incident_ends_with_an_exception() {
    use DecisionState::{Expired, New, Reminder, Reopened, Resolved, Suppressed};
    let with = |mut decision: Decision| {
        decision.metadata.insert("exception".into(), "known".into());
        decision.metadata.insert("exception_until".into(), "2026-01-20".into());
        decision
    };
    let of = |state| {
        let one = owned("x", "me", Severity::Warning, state);
        if matches!(state, Suppressed | Reminder) { with(one) } else { one }
    };
    for (life, expected) in [
        (&[New, Suppressed, Reminder][..], &["trigger", "resolve"][..]),
        (&[New, Suppressed, Resolved], &["trigger", "resolve"]),
        (&[New, Suppressed, Reminder, Reopened, Resolved], &["trigger", "resolve", "trigger", "resolve"]),
        (&[Suppressed, Reminder, Reopened, Resolved], &["trigger", "resolve"]),
        (&[New, Expired, Resolved], &["trigger", "resolve"]),
        (&[Expired], &[]),
    ] {
        for in_one in [false, true] {
            let server = Server::start(&[]).await;
            let slack = format!("slack: {{enabled: true, webhook: '{}/slack'}}", server.url);
            let notifier = notifier_of(&format!("{}\n{slack}", pager(&server)), clock);
            let life: Vec<Decision> = life.iter().map(|state| of(*state)).collect();
            for part in life.chunks(if in_one { life.len() } else { 1 }) {
                given(&notifier, &batch(PARTITION, &messages(part)), soon()).await.expect("told");
            }
            let received: Vec<Value> =
                server.received().iter().filter(|one| one.path == "/v2/enqueue").map(|one| one.json()).collect();
            let mut actions: Vec<&str> = received.iter().filter_map(|event| event["event_action"].as_str()).collect();
            // what comes at once can end twice
            actions.dedup();
            assert_eq!(actions, expected, "{life:?}");
            assert!(received.iter().all(|event| event["dedup_key"] == life[0].finding.as_str()));
            let why: Vec<&str> = received.iter().filter_map(|event| event["payload"]["summary"].as_str()).collect();
            if life.iter().any(|decision| decision.state == Suppressed) && life[0].state == New {
                assert_eq!(why[1], "Suppressed by the exception known until 2026-01-20: Open to the world: x");
            }
            // people hear of the opening, of the exception that is about to end, of the opening after it, and of the end
            let is_told = |decision: &&Decision| !matches!(decision.state, Suppressed | Expired);
            let is_first_end = life.iter().any(|decision| decision.state == Expired);
            let told = life.iter().filter(is_told).count() - usize::from(is_first_end && life.len() > 1);
            let of_slack = server.received().iter().filter(|one| one.path == "/slack").count();
            assert_eq!(of_slack, told, "{life:?}");
        }
    }
}

/// Of an incident of several, those that an exception covers count no more.
#[tokio::test]
async fn an_incident_of_several_ends_without_what_is_suppressed() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&pager(&server), clock);
    let of = |numbers: std::ops::Range<usize>, state| {
        let one = |number: usize| owned(&number.to_string(), "me", Severity::Warning, state);
        messages(&numbers.map(one).collect::<Vec<_>>())
    };
    for (decisions, events_by_then) in [
        (of(0..6, DecisionState::New), 1),
        (of(0..2, DecisionState::Suppressed), 1),
        (of(2..5, DecisionState::Resolved), 1),
        (of(5..6, DecisionState::Suppressed), 2),
        (of(5..6, DecisionState::Reopened), 3),
    ] {
        given(&notifier, &batch(PARTITION, &decisions), soon()).await.expect("told");
        assert_eq!(events(&server).len(), events_by_then);
    }
    let events = events(&server);
    let actions: Vec<&str> = events.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["trigger", "resolve", "trigger"]);
    assert_eq!(events[0].1, events[1].1);
}

#[tokio::test]
async fn files_are_appended_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let yaml = format!(
        "stdout: {{enabled: false}}\nchannels:\n  a: {{file: {{path: '{}'}}}}\n  b: {{file: {{path: '{}', format: text}}}}\n  c: {{file: {{path: '{}/none/x'}}}}",
        path("a"),
        path("b"),
        path("")
    );
    std::fs::write(path("a"), "before\n").expect("writes");
    let notifier = notifier_of(&yaml, clock);
    let [first, ..] = life("x");
    notifier.handle(&batch(PARTITION, &messages(std::slice::from_ref(&first)))).await.expect("held");
    let (mut told, mut now) = (Vec::new(), soon());
    // the third has no folder: it is tried again and again
    while told.len() < 2 {
        now += crate::LATER;
        let output = notifier.tick(&PARTITION, now).await.expect("a and b are written");
        told.extend(output.messages.iter().map(|emit| emit.message().expect("a message")));
    }
    let [a, b] = [path("a"), path("b")].map(|path| std::fs::read_to_string(path).expect("it is there"));
    let line = String::from_utf8(elava_schemas::Message::from(first.clone()).to_line()).expect("JSON");
    assert_eq!(a, format!("before\n{line}\n"));
    assert_eq!(b, elava_notifier::render(&Notice::of(&first), elava_notifier::Colour::No));
    let device = notifier_of("channels: {device: {file: {path: /dev/null}}}", clock);
    assert_eq!(device.test("device").await.expect("it is written"), "device: written");
    std::fs::create_dir(folder.path().join("none")).expect("a folder");
    crate::pass(&notifier, &PARTITION, now + crate::LATER).await.expect("c is written");
    assert_eq!(std::fs::read_to_string(path("none/x")).expect("it is there"), format!("{line}\n"));
}

/// In a pipe nothing is held past the end of the input.
#[tokio::test]
async fn at_the_end_of_a_pipe_everything_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a").display().to_string();
    let quiet = "quiet_hours: {from: '00:00', to: '00:00'}";
    let yaml =
        format!("stdout: {{enabled: false}}\nchannels: {{a: {{file: {{path: '{file}', format: text}}, {quiet}}}}}");
    let notifier = notifier_of(&yaml, clock);
    let later = Decision {
        not_before: Some(clock() + chrono::TimeDelta::days(3)),
        ..owned("later", "me", Severity::Critical, DecisionState::New)
    };
    let decisions = [owned("x", "me", Severity::Info, DecisionState::New), later];
    let output = notifier.handle(&batch(Source::Pipe, &messages(&decisions))).await.expect("held");
    assert!(output.messages.is_empty());
    let output = notifier.finish().await.expect("told");
    assert_eq!(output.messages.len(), 2);
    let text = std::fs::read_to_string(file).expect("it is there");
    assert!(text.contains("1 finding in quiet hours") && text.contains("Open to the world: later"), "{text}");
}

#[tokio::test]
async fn templates_are_used() {
    let server = Server::start(&[]).await;
    let yaml = format!(
        "stdout: {{enabled: false}}\nslack: {{enabled: true, webhook: '{}/x'}}\nchannels:\n  slack:\n    templates: {{title: '{{{{ owner }}}}: {{{{ title }}}}', body: '{{{{ resource }}}} <{{{{ count }}}}>'}}",
        server.url
    );
    let notifier = notifier_of(&yaml, clock);
    let one = owned("x", "me", Severity::Info, DecisionState::New);
    given(&notifier, &batch(PARTITION, &messages(&[one])), soon()).await.expect("told");
    let body = server.received()[0].json();
    assert_eq!(body["blocks"][1]["text"]["text"], "*me: Open to the world: x*");
    assert_eq!(body["blocks"][3]["text"]["text"], "aws/123456789012/us-east-1/ec2:security-group/x &lt;1&gt;");
}

#[tokio::test]
async fn a_channel_can_be_tried() {
    let server = Server::start(&[TS, Answer::Status(200, "", r#"{"ok":false,"error":"invalid_auth"}"#)]).await;
    let notifier = notifier_of(&bot(&server), clock);
    let told = [notifier.test("ops").await, notifier.test("ops").await, notifier.test("pager").await];
    let told = told.map(|told| told.unwrap_or_else(|error| error.to_string()));
    assert_eq!(
        told,
        [
            "ops: answered ok",
            "ops did not take it: http://127.0.0.1: answered invalid_auth",
            "there is no channel `pager` that is switched on; there are ops",
        ]
    );
    assert!(server.received()[0].json()["text"].as_str().is_some_and(|text| text.contains("This is a trial")));
}
