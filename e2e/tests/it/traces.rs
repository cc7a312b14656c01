//! Traces: one from an observation through every stage to the delivery, the same after a crash, and a
//! collector that does not answer in nobody's way.

use std::collections::BTreeSet;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use elava_e2e::{
    Collector, Estate, Pipeline, STAGES, SeenSpan, Server, StandIn, connect, pipe, publish, scan_lines, server, stored,
    streams, until,
};
use elava_schemas::{Timestamp, micros};
use expect_test::expect;

use crate::{decision_ids, settled};

/// Somebody else's span.
const BY_HAND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SUBJECT: &str = "elava.observation.aws.100000000000.us-east-1.ec2:instance";

/// A first look at twenty resources, and another one: the second has lost its tags and was stopped.
fn scans(begun: Timestamp) -> [Vec<String>; 2] {
    let estate = Estate::new(1, 20);
    let mut later = estate.clone();
    later.resources[1].tags = Some([].into());
    later.resources[1].status = Some("stopped".to_owned());
    [scan_lines(&estate, begun), scan_lines(&later, begun + TimeDelta::minutes(15))]
}

fn begun() -> Timestamp {
    micros(Utc::now() - TimeDelta::hours(1))
}

/// Nothing started yet, with traces to `collector`.
fn traced(server: &Server, collector: &Collector) -> Pipeline {
    let mut pipeline = Pipeline::new(server.url());
    pipeline.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    pipeline.set("OTEL_BSP_SCHEDULE_DELAY", "50");
    pipeline
}

/// The spans of the traces that begin with a change: the first look has none.
fn of_changes(spans: Vec<SeenSpan>) -> Vec<SeenSpan> {
    let of_change = |span: &&SeenSpan| span.name.starts_with("observe");
    let traces: BTreeSet<String> = spans.iter().filter(of_change).map(|span| span.trace.clone()).collect();
    spans.into_iter().filter(|span| traces.contains(&span.trace)).collect()
}

/// The spans within `parent`, as a tree: names sorted, each with its service.
fn tree(spans: &[SeenSpan], parent: &str, depth: usize) -> Vec<String> {
    let mut within: Vec<&SeenSpan> = spans.iter().filter(|span| span.parent == parent).collect();
    within.sort_by_key(|span| (span.name.clone(), span.span.clone()));
    let branch = |span: &&SeenSpan| {
        let line = format!("{}{} ({})", "  ".repeat(depth), span.name, span.service);
        [vec![line], tree(spans, &span.span, depth + 1)].concat()
    };
    within.iter().flat_map(branch).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_follows_an_observation_to_its_delivery() {
    let (server, collector) = (server(), Collector::start().await);
    let mut pipeline = traced(&server, &collector);
    STAGES.iter().for_each(|stage| pipeline.start(stage, &[]));
    let [first, second] = scans(begun());
    publish(&server.url(), &first).await;
    settled(&server.url()).await;
    publish_by_hand(&server.url(), &second).await;
    until("the delivery", async || is_told(&server.url()).await).await;
    settled(&server.url()).await;
    let changes = stored(&server.url(), "CHANGE", "elava.change.>").await.len();
    let header = header_of_last(&server.url(), "CHANGE", "elava.change.>").await;
    pipeline.stop();

    let spans = of_changes(collector.spans());
    expect![[r#"
        observe ec2:instance (elava-detector)
          detect modified (elava-detector)
            decide audit (elava-decider)
          detect tag_drift (elava-detector)
            decide notify (elava-decider)
              deliver stdout (elava-notifier)
            evaluate policies (elava-enforcer)
              decide audit (elava-decider)"#]]
    .assert_eq(&tree(&spans, "", 0).join("\n"));
    assert_eq!(spans.iter().map(|span| &span.trace).collect::<BTreeSet<_>>().len(), 1, "one trace");
    for span in &spans {
        assert_eq!(span.attributes["elava.resource.key"], "aws/100000000000/us-east-1/ec2:instance/r-000-00001");
        assert!(span.times.0 <= span.times.1, "{span:?}");
        let is_first = span.parent.is_empty();
        assert_eq!(span.attributes.get("messaging.system").map(String::as_str), (!is_first).then_some("nats"));
    }
    let detected: Vec<_> = spans.iter().filter(|span| span.name.starts_with("detect")).collect();
    assert_eq!(header, format!("00-{}-{}-01", detected[0].trace, detected[0].span), "the page says whose it is");
    for span in &detected {
        assert_eq!(span.links.len(), 2, "its scan, and the header");
        assert_eq!(span.links[1], BY_HAND[3..35]);
    }
    // nothing of the first look, but the violations that people hear of
    assert_eq!(changes, 20 + detected.len());
    let others = collector.spans().into_iter().filter(|span| span.trace != spans[0].trace);
    let others: BTreeSet<String> = others.map(|span| span.name).collect();
    expect![[r#"
        decide audit
        decide notify
        deliver stdout
        evaluate policies"#]]
    .assert_eq(&others.into_iter().collect::<Vec<_>>().join("\n"));
}

/// One body, as the NATS command line sends it, with a header.
async fn publish_by_hand(url: &str, lines: &[String]) {
    let client = connect(url).await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("traceparent", BY_HAND);
    let stored = client.request_with_headers(SUBJECT.to_owned(), headers, lines.join("\n").into()).await;
    stored.expect("the stream acknowledges");
}

/// The `traceparent` header of the last message stored on a subject.
async fn header_of_last(url: &str, stream: &str, subject: &str) -> String {
    let stream = streams(url).await.get_stream(stream).await.expect("the stream");
    let message = stream.get_last_raw_message_by_subject(subject).await.expect("a message");
    message.headers.get("traceparent").expect("a header").to_string()
}

/// Whether somebody was told of the second scan: what a scan opens waits a moment, longer on a busy machine.
async fn is_told(url: &str) -> bool {
    let decisions = stored(url, "DECISION", "elava.decision.>").await;
    let told = decisions.iter().find(|one| one["action"] == "notify" && one["resource_key"]["id"] == "r-000-00001");
    let deliveries = stored(url, "EXECUTION", "elava.delivery.>").await;
    told.is_some_and(|decision| deliveries.iter().any(|delivery| delivery["decision_id"] == decision["id"]))
}

/// What is the same in every run: ids and names.
async fn ids(scans: &[Vec<String>; 2], disturb: impl AsyncFn(&mut Pipeline, &str, &[String])) -> BTreeSet<[String; 4]> {
    let (server, collector) = (server(), Collector::start().await);
    let mut pipeline = traced(&server, &collector);
    STAGES.iter().for_each(|stage| pipeline.start(stage, &[]));
    publish(&server.url(), &scans[0]).await;
    settled(&server.url()).await;
    disturb(&mut pipeline, &server.url(), &scans[1]).await;
    until("the delivery", async || is_told(&server.url()).await).await;
    settled(&server.url()).await;
    pipeline.stop();
    let ids = |span: SeenSpan| [span.trace, span.span, span.parent, span.name];
    of_changes(collector.spans()).into_iter().map(ids).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_makes_the_same_ids() {
    let scans = scans(begun());
    let undisturbed = ids(&scans, async |_, url, lines| publish(url, lines).await).await;
    assert_eq!(undisturbed.len(), 8, "{undisturbed:?}");

    let caught_up = ids(&scans, async |pipeline, url, lines| {
        STAGES.iter().for_each(|stage| pipeline.kill(stage));
        publish(url, lines).await;
        STAGES.iter().for_each(|stage| pipeline.start(stage, &[]));
    })
    .await;
    assert_eq!(caught_up, undisturbed, "killed before");

    let killed = ids(&scans, async |pipeline, url, lines| {
        publish(url, lines).await;
        for stage in STAGES {
            pipeline.kill(stage);
            pipeline.start(stage, &[]);
        }
    })
    .await;
    // what a killed process had not sent yet is missing, and nothing else is there
    let more: Vec<_> = killed.difference(&undisturbed).collect();
    assert!(more.is_empty(), "killed in the middle: {more:?} besides {undisturbed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_does_not_answer_hinders_nothing() {
    let (server, collector) = (server(), Collector::mute().await);
    let mut pipeline = traced(&server, &collector);
    pipeline.set("OTEL_BSP_MAX_QUEUE_SIZE", "1");
    // what it gives up is dropped, too
    pipeline.set("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");
    pipeline.set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1");
    let address = format!("127.0.0.1:{}", elava_e2e::free_port());
    for stage in STAGES {
        let served = ["--health-addr", &address];
        pipeline.start(stage, if stage == "detector" { &served } else { &[] });
    }
    for lines in scans(begun()) {
        publish(&server.url(), &lines).await;
        settled(&server.url()).await;
    }
    assert!(!decision_ids(&server.url()).await.is_empty());
    let metrics = Command::new("curl").args(["-sf", &format!("http://{address}/metrics")]).output().expect("curl runs");
    let metrics = String::from_utf8_lossy(&metrics.stdout).into_owned();
    // of its three spans one waits, and one may be under way
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("elava_spans_dropped_total{stage=\"detector\"} "));
    assert!(matches!(dropped, Some("1" | "2")), "{metrics}");
    pipeline.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_is_traced_too_from_its_scan_on() {
    let (cloud, collector) = (StandIn::start(20, 0), Collector::start().await);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = format!(
        "export OTEL_EXPORTER_OTLP_ENDPOINT={} OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test; \
         elava-observer --once --types ec2:instance --regions us-east-1 --endpoint-url {} \
         | elava-detector --db pipe.duckdb | elava-enforcer --policies $POLICIES \
         | elava-decider --state findings.json | elava-notifier --format ndjson > told",
        collector.url(),
        cloud.url()
    );
    for _ in 0..2 {
        let (_, err, code) = pipe(folder.path(), &script);
        assert_eq!(code, 0, "{err}");
        cloud.mutate(5);
    }
    let spans = collector.spans();
    let scans: Vec<&SeenSpan> = spans.iter().filter(|span| span.name == "scan ec2:instance").collect();
    assert_eq!(scans.len(), 2);
    for scan in &scans {
        let said = |name: &str| scan.attributes.get(&format!("elava.scan.{name}")).map(String::as_str);
        assert_eq!([said("outcome"), said("observed"), said("errors")], [Some("complete"), Some("20"), Some("0")]);
        assert_ne!(said("api_calls"), Some("0"));
        assert_eq!((scan.service.as_str(), scan.parent.as_str()), ("elava-observer", ""));
    }
    let changes = of_changes(spans.clone());
    expect![[r#"
        observe ec2:instance (elava-detector)
          detect tag_drift (elava-detector)
            decide notify (elava-decider)
              deliver stdout (elava-notifier)
            evaluate policies (elava-enforcer)"#]]
    .assert_eq(&tree(&changes, "", 0).join("\n"));
    let observed = changes.iter().find(|span| span.parent.is_empty()).expect("an observation");
    assert_eq!(observed.links, [scans[1].trace.clone()], "linked to its scan");
}
