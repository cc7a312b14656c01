//! Quiet hours: what comes meanwhile is one message at the end.

use std::sync::atomic::{AtomicI64, Ordering};

use elava_bus::Stage;
use elava_schemas::{Decision, DecisionState, Severity, Timestamp};

use crate::http::receipts;
use crate::server::Server;
use crate::{PARTITION, batch, given, messages, notifier_of, owned, partition, pass, pass_all, stored};

/// A clock of the test's own.
macro_rules! clock {
    ($now:ident) => {{
        static SECONDS: AtomicI64 = AtomicI64::new(0);
        fn $now() -> Timestamp {
            Timestamp::from_timestamp(SECONDS.load(Ordering::Relaxed), 0).expect("a time")
        }
        ($now as fn() -> Timestamp, |at: &str| {
            let at: Timestamp = at.parse().expect("a time");
            SECONDS.store(at.timestamp(), Ordering::Relaxed);
            at
        })
    }};
}

const QUIET: &str = "quiet_hours: {from: '22:00', to: '07:00', timezone: Europe/Helsinki}";
/// 07:00 in Helsinki.
const END: &str = "2026-01-06T05:00:00Z";

fn slack(server: &Server) -> String {
    format!(
        "stdout: {{enabled: false}}\nslack: {{enabled: true, webhook: '{}/slack'}}\nchannels: {{slack: {{{QUIET}}}}}",
        server.url
    )
}

fn told(server: &Server) -> Vec<String> {
    let text = |body: serde_json::Value| {
        let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
        let texts = blocks
            .iter()
            .filter(|block| block["type"] == "section")
            .filter_map(|block| block["text"]["text"].as_str().map(str::to_owned));
        texts.collect::<Vec<_>>().join("\n")
    };
    server.received().iter().map(|received| text(received.json())).collect()
}

#[tokio::test]
async fn the_night_is_one_message() {
    let (now, set) = clock!(now);
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), now);
    let of = |name: &str, severity, state| owned(name, "me", severity, state);
    use DecisionState::{Changed, New, Resolved};
    use Severity::{Critical, Info, Warning};

    // before: told at once
    let evening = set("2026-01-05T19:00:00Z");
    let mut state = given(
        &notifier,
        &batch(PARTITION, &messages(&[of("told", Warning, New)])),
        evening + chrono::TimeDelta::seconds(1),
    )
    .await
    .expect("told")
    .state;
    assert_eq!(told(&server).len(), 1);

    let night = set("2026-01-05T21:00:00Z");
    let decisions = [
        of("short", Warning, New),
        of("longer", Info, New),
        of("worse", Info, New),
        of("urgent", Critical, New),
        of("told", Warning, Resolved),
        of("short", Warning, Resolved),
        of("worse", Warning, Changed),
        of("longest", Warning, New),
    ];
    let passed = given(&notifier, &batch(PARTITION, &messages(&decisions)), night + chrono::TimeDelta::hours(7))
        .await
        .expect("held");
    assert_eq!(told(&server).len(), 2, "only what is critical");
    assert_eq!(receipts(&passed).len(), 1);
    state.extend(passed.state);
    let end: Timestamp = END.parse().expect("a time");
    assert_eq!(notifier.due(&PARTITION), Some(end));

    // the night does not end with the process
    let notifier = notifier_of(&slack(&server), now);
    notifier.resume(&PARTITION, Some(1), stored(&state)).await.expect("what was stored is read");
    set(END);
    let passed = pass(&notifier, &PARTITION, end).await.expect("told");
    let expected = "*4 findings in quiet hours*\nWARNING Open to the world: worse (changed)\nWARNING Open to the world: longest\nINFO Open to the world: longer\nRESOLVED Open to the world: told\n1 finding opened and was over again before the end";
    assert_eq!(told(&server)[2..], [expected]);
    assert_eq!(receipts(&passed).len(), 7, "each has its receipt");
    state.extend(passed.state);
    let open = stored(&state).into_iter().filter(|(key, _)| key.starts_with("told.")).count();
    assert_eq!(open, 4, "longer, worse, urgent and longest are open");
}

/// The digest is the channel's, whatever the account; what an exception covers by then is not in it.
#[tokio::test]
async fn the_night_of_several_accounts_is_one_message() {
    let (now, set) = clock!(now);
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), now);
    let sources = [partition(1), partition(2), partition(3)];
    let night = set("2026-01-05T21:00:00Z");
    for (number, source) in sources.iter().enumerate() {
        let of = |name: &str, state| owned(&format!("{name}-{number}"), "me", Severity::Warning, state);
        let decisions =
            [of("open", DecisionState::New), of("known", DecisionState::New), of("known", DecisionState::Suppressed)];
        given(&notifier, &batch(source.clone(), &messages(&decisions)), night).await.expect("held");
    }
    let passed = pass_all(&notifier, &sources, set(END)).await;
    assert_eq!(
        told(&server),
        [
            "*3 findings in quiet hours*\nWARNING Open to the world: open-0\nWARNING Open to the world: open-1\nWARNING Open to the world: open-2"
        ]
    );
    assert_eq!(passed.iter().map(|passed| receipts(passed).len()).collect::<Vec<_>>(), [2, 2, 2]);
}

#[tokio::test]
async fn a_night_in_which_all_passed() {
    let (now, set) = clock!(now);
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), now);
    set("2026-01-05T21:00:00Z");
    let life = [DecisionState::New, DecisionState::Resolved].map(|state| owned("x", "me", Severity::Warning, state));
    given(&notifier, &batch(PARTITION, &messages(&life)), END.parse().expect("a time")).await.expect("told");
    assert_eq!(told(&server), ["*0 findings in quiet hours*\n1 finding opened and was over again before the end"]);
}

/// What becomes critical at night is told, and is no news in the morning.
#[tokio::test]
async fn what_was_told_meanwhile_is_not_told_again() {
    let (now, set) = clock!(now);
    let server = Server::start(&[]).await;
    let notifier = notifier_of(&slack(&server), now);
    set("2026-01-05T21:00:00Z");
    let life = [
        owned("x", "me", Severity::Warning, DecisionState::New),
        owned("x", "me", Severity::Critical, DecisionState::Changed),
    ];
    given(&notifier, &batch(PARTITION, &messages(&life)), END.parse().expect("a time")).await.expect("told");
    assert_eq!(told(&server).len(), 1);
    assert_eq!(notifier.due(&PARTITION), None);
}

/// An incident has a life of its own: it is held, not digested.
#[tokio::test]
async fn incidents_are_held() {
    let (now, set) = clock!(now);
    let server = Server::start(&[]).await;
    let yaml = format!(
        "stdout: {{enabled: false}}\nchannels: {{pager: {{pagerduty: {{routing_key: key, url: '{}'}}, {QUIET}}}}}",
        server.url
    );
    let notifier = notifier_of(&yaml, now);
    set("2026-01-05T21:00:00Z");
    let of = |name: &str, state| owned(name, "me", Severity::Warning, state);
    let night: Vec<Decision> =
        vec![of("short", DecisionState::New), of("long", DecisionState::New), of("short", DecisionState::Resolved)];
    let end: Timestamp = END.parse().expect("a time");
    given(&notifier, &batch(PARTITION, &messages(&night)), end - chrono::TimeDelta::seconds(1)).await.expect("held");
    assert!(server.received().is_empty());
    pass(&notifier, &PARTITION, end).await.expect("told");
    let keys: Vec<serde_json::Value> = server.received().iter().map(|one| one.json()["dedup_key"].clone()).collect();
    assert_eq!(keys, [night[1].finding.as_str()]);
}

/// A route's own quiet hours take the place of the channel's.
#[tokio::test]
async fn routes_have_quiet_hours() {
    let (now, set) = clock!(now);
    let server = Server::start(&[]).await;
    let yaml = format!(
        "{}\nroutes: [{{channels: [slack], quiet_hours: {{from: '00:00', to: '12:00', except: warning}}}}]",
        slack(&server)
    );
    for (severity, expected) in
        [(Severity::Info, "2026-01-06T12:00:00Z"), (Severity::Warning, "2026-01-06T03:00:00.3Z")]
    {
        let notifier = notifier_of(&yaml, now);
        set("2026-01-06T03:00:00Z");
        let one = owned("x", "me", severity, DecisionState::New);
        notifier.handle(&batch(PARTITION, &[one.into()])).await.expect("held");
        assert_eq!(notifier.due(&PARTITION), Some(expected.parse().expect("a time")));
    }
}
