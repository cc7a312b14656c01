//! Slack and webhook against a real HTTP server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use elava_bus::{Failure, Source, Stage};
use elava_notifier::{Notifier, Patience, signature};
use elava_schemas::config::{Notifications, SlackChannel, StdoutChannel, WebhookChannel};
use elava_schemas::{Action, Decision, DecisionState, Delivery, Message, Severity};
use serde_json::json;

use crate::server::{Answer, Server};
use crate::{HASTE, PARTITION, Passed, alert, batch, clock, decision, given, pass, soon, stored};

pub(crate) fn silent() -> StdoutChannel {
    StdoutChannel { enabled: false, ..StdoutChannel::default() }
}

pub(crate) fn webhook(url: &str) -> WebhookChannel {
    WebhookChannel {
        enabled: Some(true),
        url: format!("{url}/hooks/SECRET"),
        urls: BTreeMap::new(),
        secret: None,
        min_severity: Severity::Info,
    }
}

pub(crate) fn slack(url: &str) -> SlackChannel {
    SlackChannel {
        enabled: Some(true),
        webhook: format!("{url}/services/SECRET"),
        webhooks: BTreeMap::new(),
        channels: BTreeMap::new(),
        min_severity: Severity::Info,
    }
}

fn notifier(slack: Option<SlackChannel>, webhook: Option<WebhookChannel>, patience: Patience) -> Notifier {
    let config = Notifications { stdout: silent(), slack, webhook, ..Notifications::default() };
    Notifier::with(&config, Box::new(std::io::sink()), patience, clock).expect("usable channels")
}

async fn tell(notifier: &Notifier, decisions: &[Decision]) -> Result<Passed, Failure> {
    let messages: Vec<Message> = decisions.iter().cloned().map(Message::from).collect();
    given(notifier, &batch(PARTITION, &messages), soon()).await
}

/// Channel, outcome, attempts, error of each delivery.
pub(crate) fn receipts(output: &Passed) -> Vec<String> {
    let receipt = |delivery: &Delivery| {
        let error = delivery.error.as_deref().unwrap_or("-");
        format!("{} {:?} {} {error}", delivery.channel, delivery.outcome, delivery.attempts)
    };
    let deliveries = output.messages.iter().map(|message| match message {
        Message::Delivery(delivery) => receipt(delivery),
        other => panic!("{} is not a delivery", other.kind()),
    });
    deliveries.collect()
}

#[tokio::test]
async fn answers_and_what_follows() {
    use Answer::{Hang, Ok as Good, Status};
    let error = "http://127.0.0.1: answered";
    for (answers, expected) in [
        (&[Good][..], "webhook Delivered 1 -".to_owned()),
        (&[Status(500, "", ""), Status(503, "0", ""), Good], "webhook Delivered 3 -".to_owned()),
        (&[Status(429, "0", ""), Good], "webhook Delivered 2 -".to_owned()),
        (&[Status(408, "", ""), Status(425, "", ""), Good], "webhook Delivered 3 -".to_owned()),
        (&[Hang, Good], "webhook Delivered 2 -".to_owned()),
        (&[Status(204, "", "")], "webhook Delivered 1 -".to_owned()),
        (&[Status(400, "", "invalid_blocks")], format!("webhook Failed 1 {error} 400 Bad Request (invalid_blocks)")),
        (&[Status(404, "", "no /hooks/SECRET")], format!("webhook Failed 1 {error} 404 Not Found")),
        (&[Status(302, "", "")], format!("webhook Failed 1 {error} 302 Found")),
        (&[Status(500, "", ""), Status(410, "", "")], format!("webhook Failed 2 {error} 410 Gone")),
    ] {
        let server = Server::start(answers).await;
        let hangs = answers.iter().any(|answer| matches!(answer, Hang));
        let patience = if hangs { Patience { timeout: Duration::from_secs(3), ..HASTE } } else { HASTE };
        let notifier = notifier(None, Some(webhook(&server.url)), patience);
        let output = tell(&notifier, &[alert("a")]).await.expect("it is told in the end");
        assert_eq!(receipts(&output), [expected]);
        assert_eq!(server.received().len(), answers.len());
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    // clock() stands still at 03:04:05
    for retry_after in ["1", "Fri, 02 Jan 2026 03:04:06 GMT"] {
        let server = Server::start(&[Answer::Status(429, retry_after, "")]).await;
        let notifier = notifier(Some(slack(&server.url)), None, HASTE);
        let began = Instant::now();
        let output = tell(&notifier, &[alert("a")]).await.expect("it is told in the end");
        assert_eq!(receipts(&output), ["slack Delivered 2 -"]);
        assert!(began.elapsed() >= Duration::from_secs(1), "{retry_after}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_channel_that_is_down_delays_and_the_others_are_told_once() {
    let down = Server::start(&[Answer::Status(500, "", ""); 4]).await;
    let up = Server::start(&[]).await;
    let slow = Patience { first_pause: Duration::from_secs(300), longest_pause: Duration::from_secs(300), ..HASTE };
    let notifier = notifier(Some(slack(&up.url)), Some(webhook(&down.url)), slow);
    let decisions = [alert("a"), alert("b")];

    let output = tell(&notifier, &decisions).await.expect("the webhook is down, and left alone");
    assert_eq!(receipts(&output), ["slack Delivered 1 -", "slack Delivered 1 -"], "nobody waits for the webhook");
    assert_eq!((up.received().len(), down.received().len()), (2, 1));
    assert!(!format!("{notifier:?}").contains("SECRET"));

    // whoever goes on elsewhere knows what is still to be told
    let state = stored(&output.state);
    let other = self::notifier(Some(slack(&up.url)), Some(webhook(&down.url)), HASTE);
    other.resume(&PARTITION, Some(7), state).await.expect("what was stored is read");
    let output = pass(&other, &PARTITION, soon()).await.expect("the webhook is up again");
    assert_eq!(receipts(&output), ["webhook Delivered 4 -", "webhook Delivered 1 -"]);
    assert_eq!((up.received().len(), down.received().len()), (2, 6), "Slack is not told again");

    let ids: Vec<String> = down.received().iter().map(|received| received.header("idempotency-key").into()).collect();
    let [a, b] = decisions.map(|decision| decision.id.to_string());
    assert_eq!(ids, [&a, &a, &a, &a, &a, &b].map(String::as_str), "in order");
}

/// What waits is bounded: when it is too much, nothing is read before some of it is taken.
#[tokio::test]
async fn a_channel_that_is_down_for_long_holds_up_reading() {
    let down = Server::start(&[Answer::Status(500, "", "")]).await;
    let slow = Patience { first_pause: Duration::from_secs(300), longest_pause: Duration::from_secs(300), ..HASTE };
    let notifier = notifier(None, Some(webhook(&down.url)), slow);
    tell(&notifier, &[alert("a")]).await.expect("it is down");
    for (number, is_full) in [(4000, false), (2000, true)] {
        let many: Vec<Decision> = (0..number).map(|index| alert(&format!("{number} {index}"))).collect();
        let messages: Vec<Message> = many.into_iter().map(Message::from).collect();
        notifier.handle(&batch(PARTITION, &messages)).await.expect("held");
        assert_eq!(notifier.due(&PARTITION) == Some(clock()), is_full, "{number}");
    }
    let failure = notifier.tick(&PARTITION, clock()).await.expect_err("it is left alone");
    assert!(matches!(&failure, Failure::Unavailable(_)), "{failure:?}");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let notifier = notifier(None, Some(webhook(&url)), HASTE);
    let failure = notifier.handle(&batch(Source::Pipe, &[alert("a").into()])).await.expect_err("nobody listens");
    assert!(matches!(&failure, Failure::Unavailable(_)), "{failure:?}");
    let text = elava_bus::cli::chain(&failure);
    assert!(
        text.contains("webhook did not take a decision in 4 attempts: http://127.0.0.1: error sending request"),
        "{text}"
    );
    assert!(!text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn webhook_sends_signed_events() {
    let server = Server::start(&[]).await;
    let signed = WebhookChannel { secret: Some("s3cret".into()), ..webhook(&server.url) };
    let decision = alert("a");
    tell(&notifier(None, Some(signed), HASTE), std::slice::from_ref(&decision)).await.expect("the server is up");

    let received = &server.received()[0];
    assert_eq!(received.path, "/hooks/SECRET");
    assert_eq!(received.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(received.header("idempotency-key"), decision.id.as_str());
    assert_eq!(received.header("x-elava-signature"), signature("s3cret", clock().timestamp(), &received.body));
    assert_eq!(
        received.json(),
        json!({
            "specversion": "1.0",
            "id": decision.id,
            "source": "/elava/decider",
            "type": "elava.decision",
            "subject": "aws/123456789012/us-east-1/ec2:security-group/sg-0abc",
            "time": "2026-01-02T03:04:05Z",
            "datacontenttype": "application/json",
            "data": serde_json::from_slice::<serde_json::Value>(&Message::from(decision.clone()).to_line()).expect("JSON"),
        })
    );
}

/// RFC 4231 has no vector with our prefix, so this one was computed with
/// `printf '1767323045.{}' | openssl dgst -sha256 -hmac s3cret`.
#[test]
fn signature_is_hmac_sha256() {
    let expected = "t=1767323045,v1=e6277e374fa0a741abf290a6bd22cd5370f3f28bc07ab0b4e06902e1d9ef5975";
    assert_eq!(signature("s3cret", 1_767_323_045, b"{}"), expected);
}

#[tokio::test]
async fn routes_by_severity() {
    let server = Server::start(&[]).await;
    let own = |name: &str| format!("{}/{name}", server.url);
    let slack = SlackChannel {
        webhooks: BTreeMap::from([(Severity::Critical, own("slack-critical"))]),
        channels: BTreeMap::from([(Severity::Critical, "#alerts".to_owned())]),
        min_severity: Severity::Warning,
        ..slack(&server.url)
    };
    let webhook =
        WebhookChannel { urls: BTreeMap::from([(Severity::Info, own("webhook-info"))]), ..webhook(&server.url) };
    let notifier = notifier(Some(slack), Some(webhook), HASTE);
    for (severity, expected, paths) in [
        (
            Severity::Critical,
            &["slack:#alerts Delivered 1 -", "webhook Delivered 1 -"][..],
            &["/hooks/SECRET", "/slack-critical"][..],
        ),
        (Severity::Warning, &["slack Delivered 1 -", "webhook Delivered 1 -"], &["/hooks/SECRET", "/services/SECRET"]),
        (Severity::Info, &["webhook Delivered 1 -"], &["/webhook-info"]),
    ] {
        let before = server.received().len();
        let told = decision(severity.as_str(), Action::Notify, severity, DecisionState::New);
        let output = tell(&notifier, &[told]).await.expect("the server is up");
        let mut told = receipts(&output);
        told.sort();
        assert_eq!(told, expected);
        let mut found: Vec<String> = server.received()[before..].iter().map(|received| received.path.clone()).collect();
        found.sort();
        assert_eq!(found, paths);
    }
    let critical = server.received().into_iter().find(|received| received.path == "/slack-critical");
    assert_eq!(critical.map(|received| received.json()["channel"].clone()), Some(json!("#alerts")));
}

#[test]
fn unusable_channels_are_refused_without_showing_them() {
    let nowhere = SlackChannel { webhook: String::new(), ..slack("") };
    let not_http = WebhookChannel { url: "ftp://host/SECRET".into(), ..webhook("") };
    let off = SlackChannel { enabled: Some(false), ..nowhere.clone() };
    let build = |slack, webhook| {
        let config = Notifications { stdout: silent(), slack, webhook, ..Notifications::default() };
        Notifier::with(&config, Box::new(std::io::sink()), HASTE, clock).map(drop).map_err(|error| error.to_string())
    };
    let slack_problem = "actions.notifications.slack: no usable webhook for severity info: not a URL";
    let webhook_problem = "actions.notifications.webhook: `url` is unusable: neither http nor https";
    assert_eq!(build(Some(nowhere), None), Err(slack_problem.to_owned()));
    assert_eq!(build(None, Some(not_http)), Err(webhook_problem.to_owned()));
    assert_eq!(build(Some(off), None), Ok(()));
}
