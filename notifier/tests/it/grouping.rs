//! What belongs together and comes at once is one message; what does not is told by itself, and soon.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use elava_bus::{Source, Stage, StateChange};
use elava_schemas::{Decision, DecisionState, Delivery, DeliveryOutcome, Message, Severity, Timestamp};

use crate::http::receipts;
use crate::server::Server;
use crate::{
    PARTITION, Passed, batch, clock, given, messages, notifier_of, owned, partition, pass, pass_all, soon, stored,
};

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

/// A new policy opens 3,000 findings in four accounts: one message for each owner, and a receipt for each finding.
#[tokio::test]
async fn a_burst_is_one_message_an_owner() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server, ""), clock);
    let sources: Vec<Source> = (0..4).map(partition).collect();
    let owner = |number: usize| ["payments", "search", ""][number % 3];
    let all: Vec<Decision> = (0..3000)
        .map(|number| owned(&format!("sg-{number:04}"), owner(number), Severity::Warning, DecisionState::New))
        .collect();
    let mut states: Vec<Vec<StateChange>> = vec![Vec::new(); sources.len()];
    for (number, page) in all.chunks(200).enumerate() {
        let place = number % sources.len();
        // nothing is due while more comes
        let page = batch(sources[place].clone(), &messages(page));
        states[place].extend(given(&notifier, &page, clock()).await.expect("held").state);
    }
    assert!(server.received().is_empty());
    let entries = states.iter().flat_map(|state| stored(state));
    let held: String = entries.map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect();
    assert_eq!(held.matches("Open to the world").count(), 120, "of each account only the first few are kept in full");

    // it goes on elsewhere
    let notifier = notifier_of(&slack(&server, ""), clock);
    for (source, state) in sources.iter().zip(&states) {
        notifier.resume(source, Some(1), stored(state)).await.expect("what was stored is read");
    }
    let passed = pass_all(&notifier, &sources, soon()).await;
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
    let deliveries: Vec<Delivery> = passed.iter().flat_map(deliveries).collect();
    let told: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.decision_id.as_str()).collect();
    assert_eq!((deliveries.len(), told.len()), (3000, 3000));
    assert!(deliveries.iter().all(|delivery| delivery.outcome == DeliveryOutcome::Delivered));

    // and so is their end, however many one scan resolves
    let ends: Vec<Decision> = all
        .iter()
        .map(|decision| Decision {
            state: DecisionState::Resolved,
            id: elava_schemas::DecisionId::of(&["end", decision.id.as_str()]),
            ..decision.clone()
        })
        .collect();
    states.iter_mut().zip(passed).for_each(|(state, passed)| state.extend(passed.state));
    for (number, page) in ends.chunks(200).enumerate() {
        let place = number % sources.len();
        let page = batch(sources[place].clone(), &messages(page));
        states[place].extend(given(&notifier, &page, clock()).await.expect("held").state);
    }
    let passed = pass_all(&notifier, &sources, soon()).await;
    assert_eq!(server.received().len(), 6);
    for (state, passed) in states.iter_mut().zip(passed) {
        state.extend(passed.state);
        assert_eq!(stored(state).len(), 1, "nothing is remembered of what is over, but the format");
    }
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
    for (more, trigger, severity, expected) in [
        ("", None, Severity::Warning, after(300)),
        ("", None, Severity::Critical, after(300)),
        (long, None, Severity::Warning, after(10_000)),
        (long, None, Severity::Critical, after(1000)),
        ("grouping: {window: 0s}", None, Severity::Warning, after(0)),
        ("channels: {slack: {grouping: {window: 0s}}}", None, Severity::Warning, after(0)),
        ("", Some("policies"), Severity::Critical, after(15_000)),
        ("grouping: {evaluated: 2s}", Some("time"), Severity::Warning, after(2000)),
        ("grouping: {window: 0s}", Some("policies"), Severity::Warning, after(0)),
    ] {
        let notifier = notifier_of(&slack(&server, more), clock);
        let mut one = owned("x", "me", severity, DecisionState::New);
        one.metadata.extend(trigger.map(|trigger| ("trigger".to_owned(), trigger.into())));
        notifier.handle(&batch(PARTITION, &[one.into()])).await.expect("held");
        assert_eq!(notifier.due(&PARTITION), Some(expected), "{more}");
    }
}

/// A finding's beginning is told before its end, though it waits for more of the same, and whatever came first.
#[tokio::test]
async fn the_beginning_comes_before_the_end() {
    use std::sync::atomic::{AtomicI64, Ordering};

    use DecisionState::{New, Resolved};
    static MILLIS: AtomicI64 = AtomicI64::new(0);
    fn now() -> Timestamp {
        clock() + TimeDelta::milliseconds(MILLIS.load(Ordering::Relaxed))
    }
    let at = |millis| {
        MILLIS.store(millis, Ordering::Relaxed);
        clock() + TimeDelta::milliseconds(millis)
    };
    for (came, expected) in [
        // the end is due at 500 ms, the beginnings at 700 ms
        ([("a", New, 0), ("a", Resolved, 200), ("b", New, 400)], ["WARNING a", "WARNING b", "RESOLVED a"]),
        ([("b", Resolved, 0), ("a", New, 100), ("a", Resolved, 200)], ["RESOLVED b", "WARNING a", "RESOLVED a"]),
    ] {
        let server = Server::start(&[]).await;
        let notifier = notifier_of(&slack(&server, "grouping: {window: 300ms, longest: 10s, at_least: 3}"), now);
        // what had opened before the notifier kept a memory
        notifier.resume(&PARTITION, Some(1), Vec::new()).await.expect("nothing was stored");
        for (name, state, millis) in came {
            let decision = owned(name, "me", Severity::Warning, state);
            given(&notifier, &batch(PARTITION, &[decision.into()]), at(millis)).await.expect("held");
        }
        assert!(server.received().is_empty());
        notifier.tick(&PARTITION, at(500)).await.expect("told");
        let short = |text: &str| {
            let (_, words) = text.split_once(' ').expect("a badge");
            words.replace(": Open to the world: ", " ")
        };
        let received = server.received();
        let texts = received.iter().map(|one| one.json()["text"].as_str().map(short).expect("a text"));
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }
}

/// Of many that belong together only the first few are kept in full: should these be over, the others are told in few words.
#[tokio::test]
async fn what_is_not_kept_in_full_is_told_too() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server, ""), clock);
    let later = clock() + TimeDelta::hours(1);
    let of = |number: usize, state| owned(&format!("sg-{number}"), "me", Severity::Warning, state);
    let held = |number| Decision { not_before: Some(later), ..of(number, DecisionState::New) };
    let held: Vec<Decision> = (0..12).map(held).collect();
    let over: Vec<Decision> = (0..10).map(|number| of(number, DecisionState::Resolved)).collect();
    for decisions in [held, over] {
        given(&notifier, &batch(PARTITION, &messages(&decisions)), soon()).await.expect("held");
    }
    let passed = pass(&notifier, &PARTITION, later).await.expect("told");
    assert_eq!(receipts(&passed).len(), 2);
    let told = texts(&server);
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("violation day2.security public: aws/123456789012/us-east-1/ec2:security-group/sg-10"));
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
