//! What several sources have that belongs together is one message; each keeps its own receipts, whoever has told it.

use std::sync::Arc;
use std::time::Duration;

use elava_bus::{Lease, Source, Stage, StateChange};
use elava_notifier::Notifier;
use elava_schemas::{Decision, DecisionState, Severity};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::http::receipts;
use crate::server::{Answer, Server};
use crate::{batch, clock, given, messages, notifier_of, owned, partition, pass, pass_all, soon, stored};

const FIRST: Source = partition(1);
const SECOND: Source = partition(2);

fn slack(server: &Server) -> String {
    format!("stdout: {{enabled: false}}\nslack: {{enabled: true, webhook: '{}/slack'}}", server.url)
}

fn of(numbers: std::ops::Range<usize>, state: DecisionState) -> Vec<Decision> {
    numbers.map(|number| owned(&format!("sg-{number}"), "me", Severity::Warning, state)).collect()
}

/// Holds three findings of each of two sources; what is stored of them.
async fn held(notifier: &Notifier) -> [Vec<StateChange>; 2] {
    let mut states = [Vec::new(), Vec::new()];
    for (place, (source, numbers)) in [(FIRST, 0..3), (SECOND, 3..6)].into_iter().enumerate() {
        let page = batch(source, &messages(&of(numbers, DecisionState::New)));
        states[place] = given(notifier, &page, clock()).await.expect("held").state;
    }
    states
}

fn headlines(server: &Server) -> Vec<String> {
    let headline = |body: serde_json::Value| body["text"].as_str().expect("a text").to_owned();
    server.received().iter().map(|one| headline(one.json())).collect()
}

const SIX: &str = "🟡 WARNING: 6 new findings: policy day2.security, rule public (owner me)";
const THREE: &str = "🟡 WARNING: Open to the world: sg-";

/// What has gone wrong with an account shows in one scan after the other: one alert an account, though they are few.
#[tokio::test]
async fn breakers_of_an_account_are_one_alert() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), clock);
    let alert = |account: &str, region: &str, state: DecisionState| {
        let mut decision = owned(&format!("{account}-{region}"), "", Severity::Critical, state);
        decision.resource_key.account = account.to_owned();
        decision.resource_key.region = region.to_owned();
        decision.reason = format!("One scan shows more than can be true: {region}");
        decision.metadata.clear();
        decision.metadata.insert("cause".into(), "breaker".into());
        decision
    };
    let all = |state| {
        let of_first = [alert("1", "eu-west-1", state), alert("2", "eu-west-1", state)];
        [(FIRST, of_first.to_vec()), (SECOND, vec![alert("1", "us-east-1", state)])]
    };
    for state in [DecisionState::New, DecisionState::Resolved] {
        for (source, decisions) in all(state) {
            given(&notifier, &batch(source, &messages(&decisions)), clock()).await.expect("held");
        }
        assert_eq!(notifier.due(&FIRST), Some(clock() + chrono::TimeDelta::seconds(5)));
        pass_all(&notifier, &[FIRST, SECOND], clock() + chrono::TimeDelta::seconds(6)).await;
    }
    let mut expected = [
        "🔴 CRITICAL: 2 scans of account 1 show more than can be true; held back until somebody releases it",
        "🔴 CRITICAL: One scan shows more than can be true: eu-west-1",
        "🟢 RESOLVED: What was held back of 2 scans of account 1 is over",
        "🟢 RESOLVED: One scan shows more than can be true: eu-west-1",
    ];
    let mut found = headlines(&server);
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let texts: String = server.received().iter().map(|one| one.json().to_string()).collect();
    let id = alert("1", "us-east-1", DecisionState::New).id;
    assert!(texts.contains(&format!("us-east-1 [{id}]")), "{texts}");
}

#[tokio::test]
async fn each_source_keeps_its_own_receipts() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), clock);
    held(&notifier).await;
    let at = notifier.due(&SECOND).expect("both are due");
    assert_eq!(notifier.due(&FIRST), Some(at));
    let own = notifier.tick(&FIRST, at).await.expect("told");
    assert_eq!(headlines(&server), [SIX]);
    assert!(own.messages.is_empty() && !own.state.is_empty());
    // that it was told is stored before anything follows from it
    let kept = notifier.tick(&SECOND, at).await.expect("kept");
    assert!(kept.messages.is_empty() && !kept.state.is_empty());
    for passed in pass_all(&notifier, &[FIRST, SECOND], soon()).await {
        assert_eq!(receipts(&passed).len(), 3);
    }
    assert_eq!(server.received().len(), 1);
    assert_eq!((notifier.due(&FIRST), notifier.due(&SECOND)), (None, None));
}

/// A tick that is repeated after a restart takes away no receipts that came after it.
#[tokio::test]
async fn a_repeated_tick_records_nothing_new() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), clock);
    let [_, mut second] = held(&notifier).await;
    // clocks differ, and go back: that of the receipts is behind
    let ticked = soon();
    notifier.tick(&SECOND, ticked).await.expect("told");
    second.extend(notifier.parting(&SECOND).await);
    let elsewhere = notifier_of(&slack(&server), clock);
    elsewhere.resume(&SECOND, Some(1), stored(&second)).await.expect("what was stored is read");
    assert!(elsewhere.tick(&SECOND, ticked).await.expect("nothing").messages.is_empty());
    let passed = pass(&elsewhere, &SECOND, ticked).await.expect("recorded");
    assert_eq!(receipts(&passed).len(), 3);
}

/// The end of what another source has just told.
#[tokio::test]
async fn an_end_right_after_is_told() {
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), clock);
    held(&notifier).await;
    notifier.tick(&FIRST, soon()).await.expect("told");
    let end = batch(SECOND, &messages(&of(3..4, DecisionState::Resolved)));
    notifier.handle(&end).await.expect("held");
    pass_all(&notifier, &[FIRST, SECOND], soon()).await;
    assert_eq!(headlines(&server), [SIX, "🟢 RESOLVED: Open to the world: sg-3"]);
}

/// A source that is given back while it is told takes along that it was.
#[tokio::test]
async fn a_source_is_given_back_with_its_receipts() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let server = Server::start(&[Answer::After(&GATE)]).await;
    let patient = elava_notifier::Patience { timeout: Duration::from_secs(30), ..crate::HASTE };
    let notifier = Notifier::with(&crate::notifications(&slack(&server)), Box::new(std::io::sink()), patient, clock);
    let notifier = Arc::new(notifier.expect("usable channels"));
    let [_, mut second] = held(&notifier).await;
    let telling = tokio::spawn({
        let notifier = Arc::clone(&notifier);
        async move { notifier.tick(&FIRST, soon()).await.expect("told") }
    });
    while server.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut parting = Box::pin(notifier.parting(&SECOND));
    assert!(futures::poll!(&mut parting).is_pending(), "it is being told");
    GATE.add_permits(1);
    second.extend(parting.await);
    notifier.left(&SECOND);
    telling.await.expect("no panic");

    let elsewhere = notifier_of(&slack(&server), clock);
    elsewhere.resume(&SECOND, Some(1), stored(&second)).await.expect("what was stored is read");
    for (notifier, source) in [(&*notifier, FIRST), (&elsewhere, SECOND)] {
        let passed = pass(notifier, &source, soon()).await.expect("recorded");
        assert_eq!(receipts(&passed).len(), 3);
    }
    assert_eq!(headlines(&server), [SIX]);
}

/// What may be somebody else's by now is not told with the rest.
#[tokio::test]
async fn only_what_is_held_is_told() {
    let server = Server::start(&[]).await;
    for (lost, given_back) in [(true, false), (false, true)] {
        let notifier = notifier_of(&slack(&server), clock);
        held(&notifier).await;
        if lost {
            notifier.taken(&SECOND, &Lease::until(Instant::now()));
        }
        if given_back {
            assert!(notifier.parting(&SECOND).await.is_empty(), "nothing of it was told");
        }
        let before = server.received().len();
        let passed = pass(&notifier, &FIRST, soon()).await.expect("told");
        assert_eq!(receipts(&passed).len(), 3);
        let told = headlines(&server).split_off(before);
        assert!(told.len() == 3 && told.iter().all(|line| line.starts_with(THREE)), "{told:?}");
    }
}

/// Several that are told one by one, by whichever source comes first, and a channel that is down for a while.
#[tokio::test]
async fn what_is_not_taken_can_be_told_again() {
    let server = Server::start(&[Answer::Status(500, "", ""), Answer::Status(503, "", "")]).await;
    let notifier = notifier_of(&slack(&server), clock);
    held(&notifier).await;
    let passed = pass_all(&notifier, &[FIRST, SECOND], soon()).await;
    assert_eq!(headlines(&server), [SIX, SIX, SIX]);
    assert_eq!(passed.iter().map(|passed| receipts(passed).len()).collect::<Vec<_>>(), [3, 3]);
}

/// An incident ends with the last of its findings, which only whoever has their source knows.
#[tokio::test]
async fn incidents_are_of_one_source() {
    let server = Server::start(&[]).await;
    let yaml = format!(
        "stdout: {{enabled: false}}\ngrouping: {{at_least: 3}}\nchannels: {{pager: {{pagerduty: {{routing_key: key, url: '{}'}}}}}}",
        server.url
    );
    let notifier = notifier_of(&yaml, clock);
    held(&notifier).await;
    pass_all(&notifier, &[FIRST, SECOND], soon()).await;
    let ends = [batch(FIRST, &messages(&of(0..3, DecisionState::Resolved)))];
    given(&notifier, &ends[0], soon()).await.expect("told");
    let events: Vec<(String, String)> = server
        .received()
        .iter()
        .map(|one| one.json())
        .map(|event| (event["event_action"].to_string(), event["dedup_key"].to_string()))
        .collect();
    let actions: Vec<&str> = events.iter().map(|(action, _)| action.trim_matches('"')).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    assert_ne!(events[0].1, events[1].1);
    assert_eq!(events[0].1, events[2].1);
}
