//! What goes where, and who hears that it is over.

use elava_bus::{Source, Stage};
use elava_schemas::{Action, Decision, DecisionState, Message, Severity};
use serde_json::json;

use crate::http::receipts;
use crate::{PARTITION, Passed, batch, clock, decision, given, messages, notifier_of, owned, pass, soon, stored};

/// Three files, and which decisions go where.
fn routed(folder: &std::path::Path, routes: &str) -> String {
    let file = |name: &str| format!("  {name}: {{file: {{path: '{}'}}}}\n", folder.join(name).display());
    format!("stdout: {{enabled: false}}\nchannels:\n{}{}{}{routes}", file("a"), file("b"), file("c"))
}

fn channels(passed: &Passed) -> Vec<String> {
    let mut channels: Vec<String> =
        receipts(passed).iter().filter_map(|receipt| receipt.split(' ').next().map(str::to_owned)).collect();
    channels.sort();
    channels
}

fn production(name: &str) -> Decision {
    let mut decision = owned(name, "payments", Severity::Warning, DecisionState::New);
    decision.resource.tags.get_or_insert_default().insert("environment".into(), "prod-eu".into());
    decision
}

#[tokio::test]
async fn the_first_route_that_matches() {
    let folder = tempfile::tempdir().expect("a folder");
    let info = || owned("x", "payments", Severity::Info, DecisionState::New);
    for (routes, decision, expected) in [
        ("", info(), &["a", "b", "c"][..]),
        ("[]", info(), &["a", "b", "c"]),
        ("[{channels: [a]}]", info(), &["a"]),
        ("[{channels: []}]", info(), &[]),
        ("[{match: {severity: warning}, channels: [a]}]", info(), &["a", "b", "c"]),
        ("[{match: {severity: warning}, channels: [a]}, {channels: [b]}]", info(), &["b"]),
        ("[{match: {severity: info}, channels: [a]}, {channels: [b]}]", info(), &["a"]),
        ("[{match: {severity: info}, channels: [a], continue: true}, {channels: [a, b]}]", info(), &["a", "b"]),
        ("[{match: {owner: payments}, channels: [c]}]", info(), &["c"]),
        ("[{match: {owner: [x, 'pay*']}, channels: [c]}]", info(), &["c"]),
        (
            "[{match: {owner: '*'}, channels: [c]}]",
            decision("x", Action::Notify, Severity::Info, DecisionState::New),
            &["a", "b", "c"],
        ),
        ("[{match: {account: '123456789012', region: 'us-*', type: 'ec2:*'}, channels: [c]}]", info(), &["c"]),
        ("[{match: {account: '1', type: 'ec2:*'}, channels: [c]}, {channels: [a]}]", info(), &["a"]),
        ("[{match: {policy: day2.security, rule: public, cause: violation}, channels: [c]}]", info(), &["c"]),
        ("[{match: {policy: day2.tags}, channels: [c]}, {channels: [a]}]", info(), &["a"]),
        ("[{match: {state: [reminder, new]}, channels: [c]}]", info(), &["c"]),
        ("[{match: {state: reminder}, channels: [c]}, {channels: [a]}]", info(), &["a"]),
        ("[{match: {tags: {environment: 'prod*'}}, channels: [c]}]", production("x"), &["c"]),
        ("[{match: {tags: {environment: 'prod*'}}, channels: [c]}, {channels: [b]}]", info(), &["b"]),
    ] {
        let routes_yaml = if routes.is_empty() { String::new() } else { format!("routes: {routes}") };
        let notifier = notifier_of(&routed(folder.path(), &routes_yaml), clock);
        let passed = given(&notifier, &batch(PARTITION, &[decision.into()]), soon()).await.expect("told");
        assert_eq!(channels(&passed), expected, "{routes}");
    }
}

#[tokio::test]
async fn whoever_was_told_hears_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let routes = "routes: [{match: {severity: critical}, channels: [a, b]}, {channels: [c]}]";
    let routed = routed(folder.path(), routes);
    let of = |severity, state| owned("x", "payments", severity, state);
    use DecisionState::{Changed, Expired, New, Reminder, Reopened, Resolved, Suppressed};
    use Severity::{Critical, Info, Warning};
    for (life, expected) in [
        // wherever it was told, not where its end would go
        (vec![of(Critical, New), of(Info, Resolved)], vec![&["a", "b"][..], &["a", "b"]]),
        (
            vec![of(Info, New), of(Critical, Changed), of(Critical, Resolved)],
            vec![&["c"], &["a", "b"], &["a", "b", "c"]],
        ),
        (vec![of(Info, New), of(Info, Reminder), of(Info, Resolved)], vec![&["c"], &["c"], &["c"]]),
        (vec![of(Info, Resolved)], vec![&[]]),
        (vec![of(Info, Suppressed), of(Info, Resolved)], vec![&[], &[]]),
        (vec![of(Info, New), of(Info, Suppressed), of(Info, Resolved)], vec![&["c"], &[], &["c"]]),
        (vec![of(Info, New), of(Info, Expired), of(Warning, Resolved)], vec![&["c"], &[], &[]]),
        (vec![of(Info, New), of(Info, Resolved), of(Info, Reopened), of(Warning, Resolved)], vec![&["c"]; 4]),
        (vec![of(Info, New), of(Info, Resolved), of(Warning, Resolved)], vec![&["c"], &["c"], &[]]),
    ] {
        let states: Vec<&str> = life.iter().map(|decision| decision.state.as_str()).collect();
        let mut state = Vec::new();
        for (step, expected) in life.iter().zip(expected) {
            // another instance each time, which knows only what was stored
            let notifier = notifier_of(&routed, clock);
            let checkpoint = (!state.is_empty()).then_some(1);
            notifier.resume(&PARTITION, checkpoint, stored(&state)).await.expect("what was stored is read");
            let passed = given(&notifier, &batch(PARTITION, &[step.clone().into()]), soon()).await.expect("told");
            assert_eq!(channels(&passed), expected, "{states:?}, {}", step.state.as_str());
            state.extend(passed.state);
        }
        let told: Vec<String> = stored(&state).into_iter().map(|(key, _)| key).filter(|key| key != "format").collect();
        let is_open = !life.last().is_some_and(|last| last.state == Resolved);
        assert!(is_open || told.is_empty(), "what is over is forgotten: {told:?}");
    }
}

/// What had opened before the notifier kept a memory, as in a pipe without a file for it.
#[tokio::test]
async fn where_nothing_is_known_the_end_is_told_by_route() {
    let folder = tempfile::tempdir().expect("a folder");
    let routed = routed(folder.path(), "routes: [{match: {severity: critical}, channels: [a]}, {channels: [c]}]");
    let end = owned("x", "payments", Severity::Info, DecisionState::Resolved);
    for (source, checkpoint, expected) in
        [(PARTITION, None, &[][..]), (PARTITION, Some(1), &["c"]), (Source::Pipe, None, &["c"])]
    {
        let notifier = notifier_of(&routed, clock);
        notifier.resume(&source, checkpoint, Vec::new()).await.expect("nothing was stored");
        let passed = given(&notifier, &batch(source.clone(), &[end.clone().into()]), soon()).await.expect("told");
        assert_eq!(channels(&passed), expected, "{source} {checkpoint:?}");
    }
}

/// The breaker's alert comes from two streams.
#[tokio::test]
async fn what_comes_twice_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let routed = routed(folder.path(), "routes: [{channels: [a]}]");
    let mut breaker = owned("breaker", "", Severity::Critical, DecisionState::New);
    breaker.metadata.insert("breaker".into(), json!(true));
    let first = notifier_of(&routed, clock);
    let passed =
        given(&first, &batch(PARTITION, &messages(&[breaker.clone(), breaker.clone()])), soon()).await.expect("told");
    assert_eq!(channels(&passed), ["a"]);
    let second = notifier_of(&routed, clock);
    second.resume(&PARTITION, Some(7), stored(&passed.state)).await.expect("what was stored is read");
    let passed = given(&second, &batch(PARTITION, &messages(&[breaker])), soon()).await.expect("told");
    assert!(channels(&passed).is_empty());
}

#[tokio::test]
async fn what_is_held_for_later_is_told_then_or_never() {
    let folder = tempfile::tempdir().expect("a folder");
    let routed = routed(folder.path(), "routes: [{channels: [a]}]");
    let later = clock() + chrono::TimeDelta::hours(1);
    let held = Decision { not_before: Some(later), ..owned("x", "me", Severity::Warning, DecisionState::New) };
    let end = owned("x", "me", Severity::Warning, DecisionState::Resolved);

    let notifier = notifier_of(&routed, clock);
    let passed =
        given(&notifier, &batch(PARTITION, &messages(std::slice::from_ref(&held))), soon()).await.expect("held");
    assert!(passed.messages.is_empty());
    assert_eq!(notifier.due(&PARTITION), Some(later));
    let passed = pass(&notifier, &PARTITION, later).await.expect("told");
    assert_eq!(channels(&passed), ["a"]);

    let notifier = notifier_of(&routed, clock);
    let mut state = given(&notifier, &batch(PARTITION, &messages(&[held])), soon()).await.expect("held").state;
    let passed = given(&notifier, &batch(PARTITION, &messages(&[end])), later).await.expect("told nobody");
    assert!(passed.messages.is_empty(), "it was over before anybody was told");
    assert_eq!(notifier.due(&PARTITION), None);
    state.extend(passed.state);
    let keys: Vec<String> = stored(&state).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["format"]);
}

/// Killed at each place where something was stored, and where it was not yet.
#[tokio::test]
async fn a_kill_loses_nothing_and_repeats_no_receipt() {
    let server = crate::server::Server::start(&[]).await;
    let yaml = format!("stdout: {{enabled: false}}\nwebhook: {{enabled: true, url: '{}/x'}}", server.url);
    let first = notifier_of(&yaml, clock);
    let decision = owned("x", "me", Severity::Warning, DecisionState::New);
    let held = first.handle(&batch(PARTITION, &[decision.into()])).await.expect("held").state;

    // killed before it was told
    let second = notifier_of(&yaml, clock);
    second.resume(&PARTITION, Some(7), stored(&held)).await.expect("read");
    let at = second.due(&PARTITION).expect("it is due");
    let told = second.tick(&PARTITION, at).await.expect("told");
    assert!(told.messages.is_empty(), "that it was told is stored first");
    assert_eq!(server.received().len(), 1);

    // killed after that was stored, and again after the receipt was
    let told = stored(&[held, told.state].concat());
    let mut receipts = Vec::new();
    for _ in 0..2 {
        let third = notifier_of(&yaml, clock);
        third.resume(&PARTITION, Some(7), told.clone()).await.expect("read");
        let at = third.due(&PARTITION).expect("it is due");
        let output = third.tick(&PARTITION, at).await.expect("recorded");
        receipts.push(output.messages.into_iter().map(|emit| emit.line).collect::<Vec<_>>());
        assert_eq!(third.due(&PARTITION), None);
    }
    assert_eq!(receipts[0].len(), 1);
    assert_eq!(receipts[0], receipts[1]);
    assert!(matches!(Message::parse(&receipts[0][0]), Ok(Message::Delivery(_))));
    assert_eq!(server.received().len(), 1, "nobody is told twice");
}
