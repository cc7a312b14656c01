//! What belongs together and comes at once is one message; what does not is told by itself, and soon.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use elava_bus::Stage;
use elava_schemas::{Decision, DecisionState, Delivery, DeliveryOutcome, Message, Severity, Timestamp};

use crate::http::receipts;
use crate::server::Server;
use crate::{PARTITION, Passed, batch, clock, given, messages, notifier_of, owned, pass, soon, stored};

fn slack(server: &Server, more: &str) -> String {
    format!("stdout: {{enabled: false}}\nslack: {{enabled: true, webhook: '{}/slack'}}\n{more}", server.url)
}

/// The first two texts of each message.
fn texts(server: &Server) -> Vec<String> {
    let text = |body: serde_json::Value| {
        let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
        let texts = blocks.iter().filter(|block| block["type"] == "section").map(|block| block["text"]["text"].clone());
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
    };
    server.received().iter().map(|received| text(received.json())).collect()
}

fn deliveries(passed: &Passed) -> Vec<Delivery> {
    let delivery = |message: &Message| match message {
        Message::Delivery(delivery) => Some((**delivery).clone()),
        _ => None,
    };
    passed.messages.iter().filter_map(delivery).collect()
}

/// A new policy opens 3,000 findings: one message for each owner, and a receipt for each finding.
#[tokio::test]
async fn a_burst_is_one_message_an_owner() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server, ""), clock);
    let owner = |number: usize| ["payments", "search", ""][number % 3];
    let all: Vec<Decision> = (0..3000)
        .map(|number| owned(&format!("sg-{number:04}"), owner(number), Severity::Warning, DecisionState::New))
        .collect();
    let mut state = Vec::new();
    for page in all.chunks(200) {
        // nothing is due while more comes
        state.extend(given(&notifier, &batch(PARTITION, &messages(page)), clock()).await.expect("held").state);
    }
    assert!(server.received().is_empty());
    let held: String = stored(&state).iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
    assert_eq!(held.matches("Open to the world").count(), 30, "only the first few are kept in full");

    // it goes on elsewhere
    let notifier = notifier_of(&slack(&server, ""), clock);
    notifier.resume(&PARTITION, Some(1), stored(&state)).await.expect("what was stored is read");
    let passed = pass(&notifier, &PARTITION, soon()).await.expect("told");
    let texts = texts(&server);
    assert_eq!(texts.len(), 3);
    assert!(
        texts[0].starts_with(
            "*1,000 new findings: policy day2.security, rule public (owner payments)*\nOpen to the world: sg-0000\n"
        ),
        "{}",
        texts[0]
    );
    assert!(
        texts[0].contains("\nOpen to the world: sg-0027\nand 990 more\n→ Close port 22 &amp; 3389"),
        "{}",
        texts[0]
    );
    assert!(texts[2].starts_with("*1,000 new findings: policy day2.security, rule public*"), "{}", texts[2]);
    let deliveries = deliveries(&passed);
    let told: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.decision_id.as_str()).collect();
    assert_eq!((deliveries.len(), told.len()), (3000, 3000));
    assert!(deliveries.iter().all(|delivery| delivery.outcome == DeliveryOutcome::Delivered));

    // and so is their end
    let ends: Vec<Decision> = all
        .iter()
        .map(|decision| Decision {
            state: DecisionState::Resolved,
            id: elava_schemas::DecisionId::of(&["end", decision.id.as_str()]),
            ..decision.clone()
        })
        .collect();
    state.extend(passed.state);
    for page in ends.chunks(200) {
        state.extend(given(&notifier, &batch(PARTITION, &messages(page)), clock()).await.expect("held").state);
    }
    state.extend(pass(&notifier, &PARTITION, soon()).await.expect("told").state);
    assert_eq!(server.received().len(), 6);
    assert_eq!(stored(&state).len(), 1, "nothing is remembered of what is over, but the format");
}

#[tokio::test]
async fn what_differs_is_not_one_message() {
    let new = |name: &str| owned(name, "me", Severity::Warning, DecisionState::New);
    let with = |mut decision: Decision, name: &str, value: &str| {
        decision.metadata.insert(name.into(), value.into());
        decision
    };
    let many = |count: usize| (0..count).map(|number| new(&number.to_string())).collect::<Vec<_>>();
    for (decisions, expected) in [
        (many(1), 1),
        (many(4), 4),
        (many(5), 1),
        (vec![new("a"), new("b"), new("c"), new("d"), owned("e", "you", Severity::Warning, DecisionState::New)], 5),
        (vec![new("a"), new("b"), new("c"), new("d"), owned("e", "me", Severity::Warning, DecisionState::Reminder)], 5),
        (vec![new("a"), new("b"), new("c"), new("d"), owned("e", "me", Severity::Critical, DecisionState::New)], 5),
        (vec![new("a"), new("b"), new("c"), new("d"), owned("e", "me", Severity::Info, DecisionState::New)], 1),
        (vec![new("a"), new("b"), new("c"), new("d"), with(new("e"), "rule", "other")], 5),
        (vec![new("a"), new("b"), new("c"), new("d"), with(new("e"), "cause", "tag_drift")], 5),
    ] {
        let server = Server::start(&[]).await;
        let notifier = notifier_of(&slack(&server, ""), clock);
        let passed = given(&notifier, &batch(PARTITION, &messages(&decisions)), soon()).await.expect("told");
        assert_eq!(server.received().len(), expected, "{:?}", texts(&server));
        assert_eq!(receipts(&passed).len(), decisions.len());
    }
}

/// How long something waits for more of the same.
#[tokio::test]
async fn waits_are_short() {
    let server = Server::start(&[]).await;
    let long = "grouping: {window: 10s, longest: 1m, at_least: 5}";
    let after = |millis| clock() + TimeDelta::milliseconds(millis);
    for (more, severity, expected) in [
        ("", Severity::Warning, after(300)),
        ("", Severity::Critical, after(300)),
        (long, Severity::Warning, after(10_000)),
        (long, Severity::Critical, after(1000)),
        ("grouping: {window: 0s}", Severity::Warning, after(0)),
        ("channels: {slack: {grouping: {window: 0s}}}", Severity::Warning, after(0)),
    ] {
        let notifier = notifier_of(&slack(&server, more), clock);
        let one = owned("x", "me", severity, DecisionState::New);
        notifier.handle(&batch(PARTITION, &[one.into()])).await.expect("held");
        assert_eq!(notifier.due(&PARTITION), Some(expected), "{more}");
    }
}

/// A finding's beginning is told before its end, though it waits for more of the same.
#[tokio::test]
async fn the_beginning_comes_before_the_end() {
    use std::sync::atomic::{AtomicI64, Ordering};
    static MILLIS: AtomicI64 = AtomicI64::new(0);
    fn now() -> Timestamp {
        clock() + TimeDelta::milliseconds(MILLIS.load(Ordering::Relaxed))
    }
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server, "grouping: {window: 300ms, longest: 10s, at_least: 3}"), now);
    let at = |millis| clock() + TimeDelta::milliseconds(millis);
    let step = async |millis: i64, name: &str, state| {
        MILLIS.store(millis, Ordering::Relaxed);
        let decision = owned(name, "me", Severity::Warning, state);
        given(&notifier, &batch(PARTITION, &[decision.into()]), at(millis)).await.expect("held");
    };
    step(0, "a", DecisionState::New).await;
    step(200, "a", DecisionState::Resolved).await;
    step(400, "b", DecisionState::New).await;
    assert!(server.received().is_empty());
    MILLIS.store(500, Ordering::Relaxed);
    // the end is due at 500 ms, the beginnings at 700 ms
    pass(&notifier, &PARTITION, at(500)).await.expect("told");
    let told: Vec<String> = server.received().iter().map(|one| one.json()["text"].to_string()).collect();
    assert_eq!(
        told,
        [
            "\"🟡 WARNING: Open to the world: a\"",
            "\"🟡 WARNING: Open to the world: b\"",
            "\"🟢 RESOLVED: Open to the world: a\""
        ]
    );
}

/// Where a program reads, each decision is told by itself.
#[tokio::test]
async fn programs_are_told_one_by_one() {
    let server = Server::start(&[]).await;
    let yaml = format!("stdout: {{enabled: false}}\nwebhook: {{enabled: true, url: '{}/x'}}", server.url);
    let many: Vec<Decision> =
        (0..20).map(|number| owned(&number.to_string(), "me", Severity::Info, DecisionState::New)).collect();
    let notifier = notifier_of(&yaml, clock);
    given(&notifier, &batch(PARTITION, &messages(&many)), soon()).await.expect("told");
    assert_eq!(server.received().len(), 20);

    // unless it asks for groups
    let grouped = format!("{yaml}\nchannels: {{webhook: {{grouping: {{at_least: 5}}}}}}");
    let notifier = notifier_of(&grouped, clock);
    given(&notifier, &batch(PARTITION, &messages(&many)), soon()).await.expect("told");
    let event = server.received()[20].json();
    assert_eq!((&event["type"], &event["data"]["count"]), (&"elava.decisions".into(), &20.into()));
    assert_eq!(event["data"]["decisions"].as_array().map(Vec::len), Some(10));
}
