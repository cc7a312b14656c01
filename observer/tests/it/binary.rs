//! The binary: exit codes, regions apart, signals, a closed pipe.

use std::process::{Output, Stdio};

use elava_schemas::{Message, ScanOutcome, ScanReport};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::canned::{Answer, Call, identity, serve, vpcs};
use crate::moto::Moto;

fn observer(endpoint: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elava-observer"));
    command
        .args(["--endpoint-url", endpoint, "--types", "ec2:vpc"])
        .args(args)
        .env_clear()
        .envs([
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn reports(output: &Output) -> Vec<ScanReport> {
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let messages = lines.map(|line| Message::parse(line).expect("a message"));
    let mut reports: Vec<ScanReport> = messages
        .filter_map(|message| match message {
            Message::ScanReport(report) => Some(*report),
            _ => None,
        })
        .collect();
    reports.sort_by(|a, b| a.scope.region.cmp(&b.scope.region));
    reports
}

/// One region works, one fails half-way, one forbids.
fn regions(call: &Call) -> Answer {
    match (call.action(), call.region.as_str(), call.token()) {
        ("GetCallerIdentity", ..) => identity(),
        (_, "us-east-1", _) => vpcs(&["vpc-1"], None),
        (_, "eu-west-1", None) => vpcs(&["vpc-2"], Some("two")),
        _ => Answer::Error(403, "AuthFailure"),
    }
}

#[tokio::test]
async fn one_region_does_not_stop_another() {
    let endpoint = serve(regions).await;
    let args = ["--once", "--regions", "us-east-1,eu-west-1,eu-central-1"];
    let output = observer(&endpoint, &args).output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let outcomes: Vec<(String, ScanOutcome)> =
        reports(&output).into_iter().map(|report| (report.scope.region, report.outcome)).collect();
    let expected = [
        ("eu-central-1", ScanOutcome::Failed),
        ("eu-west-1", ScanOutcome::Partial),
        ("us-east-1", ScanOutcome::Complete),
    ];
    assert_eq!(outcomes, expected.map(|(region, outcome)| (region.to_owned(), outcome)));
}

#[tokio::test]
async fn exit_codes() {
    let endpoint = serve(regions).await;
    for (args, no_key, code, says) in [
        (&["--once", "--regions", "us-east-1"][..], false, 0, ""),
        (&["--once"], false, 2, "no region"),
        (&["--once", "--regions", "us-east-1"], true, 2, "make demo"),
        (
            &["--once", "--types", "ec2:nonsense"],
            false,
            2,
            "unknown resource type `ec2:nonsense`; known: ec2:elastic-ip",
        ),
        (&["--once", "--interval", "5m"], false, 2, "cannot be used with"),
        (&["--once", "--state", "file"], false, 2, "unexpected argument '--state'"),
        (&["--once", "--dead-letters", "file"], false, 2, "unexpected argument '--dead-letters'"),
        (&["--check", "--regions", "us-east-1"], true, 0, ""),
    ] {
        let mut command = observer(&endpoint, args);
        if no_key {
            command.env_remove("AWS_ACCESS_KEY_ID");
        }
        let output = command.output().await.expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
        assert!(errors.contains(says), "{args:?}: {errors}");
    }
}

#[tokio::test]
async fn terminates_cleanly_with_a_report() {
    let endpoint = serve(|call| match (call.action(), call.token()) {
        ("GetCallerIdentity", _) => identity(),
        (_, None) => vpcs(&["vpc-1"], Some("two")),
        _ => Answer::Silence,
    })
    .await;
    let mut child = observer(&endpoint, &["--regions", "us-east-1"]).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.next_line().await.expect("readable").expect("an observation");
    assert!(first.contains("vpc-1"), "{first}");
    let pid = child.id().expect("running").to_string();
    assert!(Command::new("kill").arg(pid).status().await.expect("kill runs").success());
    let report = lines.next_line().await.expect("readable").expect("a report");
    assert!(report.contains(r#""outcome":"partial""#) && report.contains("stopped"), "{report}");
    assert!(child.wait().await.expect("it ends").success());
}

#[tokio::test]
async fn health_is_served_in_a_pipe_when_asked_for() {
    let endpoint = serve(regions).await;
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let mut child =
        observer(&endpoint, &["--regions", "us-east-1", "--health-addr", &address]).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.next_line().await.expect("readable").expect("an observation");
    let mut answer = String::new();
    let mut connection = TcpStream::connect(&address).await.expect("it listens before it scans");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("asked");
    connection.read_to_string(&mut answer).await.expect("answered");
    let emitted = answer.lines().find_map(|line| line.strip_prefix("elava_rows_emitted_total{stage=\"observer\"} "));
    assert!(emitted.is_some_and(|rows| rows != "0"), "{answer}");
}

#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let endpoint = serve(regions).await;
    let mut child = observer(&endpoint, &["--interval", "10ms", "--regions", "us-east-1"]).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.next_line().await.expect("readable").expect("an observation");
    drop(lines);
    assert!(child.wait().await.expect("it ends").success());
}

#[tokio::test]
async fn other_accounts_by_role_and_all_regions() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("elava.yaml");
    let accounts = "    - {role_arn: \"arn:aws:iam::210987654321:role/elava\", regions: [eu-west-1, eu-west-2]}\n";
    let text = format!("version: \"2.0\"\nregion: us-east-1\nscanning:\n  accounts:\n{accounts}");
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("a path");
    let output = observer(&moto.url, &["--once", "--config", config]).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let scopes: Vec<String> = reports(&output).iter().map(|report| report.scope.to_string()).collect();
    let expected = [
        "aws/210987654321/eu-west-1/ec2:vpc",
        "aws/210987654321/eu-west-2/ec2:vpc",
        "aws/123456789012/us-east-1/ec2:vpc",
    ];
    assert_eq!(scopes, expected);

    let output = observer(&moto.url, &["--once", "--regions", "all"]).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reports = reports(&output);
    let complete = reports.iter().filter(|report| report.outcome == ScanOutcome::Complete).count();
    assert!(complete > 10 && complete == reports.len(), "{complete} of {} regions", reports.len());
}
