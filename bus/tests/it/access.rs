//! Users and their permissions, as a real server with the generated configuration keeps them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use async_nats::header::{NATS_ROLLUP, NATS_STREAM};
use async_nats::{Client, ConnectOptions, HeaderMap};
use clap::Parser;
use elava_bus::access::{self, Layout, User};
use elava_bus::cli::StageArgs;
use elava_bus::{NatsAccess, NatsOptions};
use elava_harness::{Folder, Server, Setup, free_port};
use tokio::sync::mpsc;

use crate::copier::{Copier, observation};
use crate::{Args, CALM, changes, publish, run, server, start, until};

/// One that knows our users, and nobody else.
fn guarded() -> Server {
    let folder = tempfile::tempdir().expect("a temporary folder");
    access::write(&folder.path().join("access"), Layout::Together).expect("keys");
    let config = "authorization { include ./access/access.conf }";
    start(Setup { folder: Folder::Temporary(folder), config, ..Setup::default() })
}

fn key(server: &Server, user: User) -> std::path::PathBuf {
    server.file(&format!("access/{}.nk", user.name()))
}

fn options(server: &Server, user: User) -> NatsOptions {
    let access = NatsAccess { nats_nkey: Some(key(server, user)), ..NatsAccess::default() };
    NatsOptions { access, ..NatsOptions::new(server.url()) }
}

async fn make_streams(server: &Server) {
    let admin = elava_bus::Client::connect(&options(server, User::Admin)).await.expect("connects");
    admin.make_streams().await.expect("streams");
}

/// The flags of a stage that comes as `user`, and serves its health on `port`.
fn stage_args(server: &Server, user: User, port: u16) -> StageArgs {
    let (url, key) = (server.url(), key(server, user).display().to_string());
    let health = format!("127.0.0.1:{port}");
    Args::parse_from(["test", "--nats", &url, "--nats-nkey", &key, "--health-addr", &health, "--lease-ttl", CALM]).bus
}

/// A connection of `user`, and what the server complains of.
async fn connect(server: &Server, user: User) -> (Client, mpsc::UnboundedReceiver<String>) {
    let seed = std::fs::read_to_string(key(server, user)).expect("a seed");
    let (sender, complaints) = mpsc::unbounded_channel();
    let connect = ConnectOptions::new().custom_inbox_prefix(format!("_INBOX.{}", user.name()));
    let connect = connect.nkey(seed.trim().to_owned()).event_callback(move |event| {
        let sent = sender.send(event.to_string());
        async move { drop(sent) }
    });
    (connect.connect(server.url()).await.expect("connects"), complaints)
}

/// Does all of it, `<subject` being a subscription; returns what was denied.
async fn denied(server: &Server, user: User, tried: &[&str]) -> Vec<String> {
    const END: &str = "nobody.may";
    let (client, mut complaints) = connect(server, user).await;
    let mut subscriptions = Vec::new();
    for subject in tried.iter().chain(&[END]) {
        match subject.strip_prefix('<') {
            Some(subject) => subscriptions.push(client.subscribe(subject.to_owned()).await.expect("sent")),
            None => client.publish((*subject).to_owned(), "{}".into()).await.expect("sent"),
        }
    }
    client.flush().await.expect("flushes");
    let mut denied = Vec::new();
    loop {
        let complaint = tokio::time::timeout(Duration::from_secs(60), complaints.recv()).await;
        let complaint = complaint.expect("in time").expect("connected");
        let Some(subject) = complaint.split('"').nth(1) else { continue };
        if subject == END {
            return denied;
        }
        let mark = if complaint.contains("Subscription") { "<" } else { "" };
        denied.push(format!("{mark}{subject}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_but_its_owner_may_do_is_refused() {
    let server = guarded();
    make_streams(&server).await;
    for (user, forbidden) in [
        (
            User::Observer,
            &[
                "<elava.decision.>",
                "<elava.decision.alert.critical.aws.1",
                "<elava.approval",
                "<_INBOX.elava.>",
                "<$KV.elava_state.>",
                "<>",
                "$JS.API.CONSUMER.CREATE.DECISION.observer-00",
                "$JS.API.CONSUMER.CREATE.DECISION",
                "$JS.API.CONSUMER.DURABLE.CREATE.DECISION.x",
                "$JS.API.CONSUMER.MSG.NEXT.DECISION.notifier-00",
                "$JS.API.DIRECT.GET.DECISION",
                "$JS.API.STREAM.MSG.GET.DECISION",
                "$JS.API.STREAM.INFO.DECISION",
                "elava.approval",
                "elava.execution.aws.1.r.t",
                "elava.change.aws.1.r.t",
                "elava.dead.detector",
                "$KV.elava_leases.group.detector.00",
            ][..],
        ),
        (
            User::Detector,
            &[
                "elava.observation.aws.1.r.t",
                "elava.decision.alert.critical.aws.1",
                "$JS.API.STREAM.PURGE.DECISION",
                "$JS.API.STREAM.DELETE.OBSERVATION",
                "$JS.API.CONSUMER.CREATE.DECISION.notifier-00",
                "$JS.API.CONSUMER.CREATE.DECISION.notifier-00.elava.decision.>",
                "$JS.API.CONSUMER.DELETE.DECISION.notifier-00",
                "$KV.elava_leases.scan.x",
            ],
        ),
        (
            User::Enforcer,
            &[
                "$JS.API.STREAM.DELETE.POLICY",
                "$JS.API.STREAM.PURGE.POLICY",
                "$JS.API.STREAM.PURGE.CHANGE",
                "$JS.API.STREAM.UPDATE.POLICY",
                "$JS.API.STREAM.CREATE.OTHER",
                "$JS.API.STREAM.MSG.DELETE.POLICY",
                "$JS.API.STREAM.RESTORE.POLICY",
                "$JS.API.CONSUMER.CREATE.CHANGE.decider-00",
                "$JS.API.CONSUMER.MSG.NEXT.CHANGE.decider-00",
                "$JS.API.CONSUMER.DELETE.CHANGE.decider-00",
                "$JS.ACK.CHANGE.decider-00.1.1.1.1.0",
                "$KV.elava_state.decider.CHANGE.0.position",
                "$JS.API.CONSUMER.CREATE.KV_elava_state.x.$KV.elava_state.decider.>",
                "$JS.API.CONSUMER.CREATE.KV_elava_state.x",
                "$JS.API.DIRECT.GET.KV_elava_state",
                "$JS.API.STREAM.PURGE.KV_elava_state",
                "elava.checkpoint.decider.CHANGE.0",
                "elava.change.aws.1.r.t",
            ],
        ),
        (
            User::Decider,
            &[
                "elava.policy.aws.1.r.t",
                "elava.delivery.slack.ok.x",
                "elava.approval",
                "$KV.elava_leases.group.enforcer.00",
                "$JS.API.DIRECT.GET.DECISION",
            ],
        ),
        (
            User::Notifier,
            &[
                "elava.observation.aws.1.r.t",
                "elava.decision.alert.critical.aws.1",
                "elava.approval",
                "elava.execution.aws.1.r.t",
                "elava.scan.request",
                "elava.history.query",
                "<elava.history.query",
                "$JS.API.CONSUMER.CREATE.OBSERVATION.notifier-00",
            ],
        ),
        (User::Executor, &["elava.approval", "elava.decision.alert.critical.aws.1", "elava.delivery.slack.ok.x"]),
        (
            User::Elava,
            &[
                "elava.execution.aws.1.r.t",
                "elava.decision.alert.critical.aws.1",
                "elava.observation.aws.1.r.t",
                "<elava.history.query",
                "<_INBOX.admin.>",
                "$JS.API.STREAM.PURGE.OBSERVATION",
                "$JS.API.CONSUMER.DELETE.DECISION.notifier-00",
                "$KV.elava_leases.group.enforcer.00",
            ],
        ),
        (User::Admin, &["elava.approval", "elava.execution.aws.1.r.t", "elava.decision.alert.critical.aws.1"]),
    ] {
        assert_eq!(denied(&server, user, forbidden).await, forbidden, "{}", user.name());
    }
    for (user, allowed) in [
        (User::Executor, &["elava.execution.aws.1.r.t", "elava.dead.executor", "$KV.elava_state.executor.x"][..]),
        (
            User::Elava,
            &["elava.approval", "elava.scan.request", "<elava.decision.*.*.aws.1", "$JS.API.STREAM.INFO.DEAD"],
        ),
        (User::Admin, &["<>", "$JS.API.STREAM.LIST", "$JS.API.STREAM.PURGE.CHANGE", "$KV.elava_leases.group.x.00"]),
    ] {
        assert_eq!(denied(&server, user, allowed).await, Vec::<String>::new(), "{}", user.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_of_a_bucket_does_not_remove_the_others() {
    let server = guarded();
    make_streams(&server).await;
    let (client, _complaints) = connect(&server, User::Enforcer).await;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_ROLLUP, "all");
    let stored = client.request_with_headers("$KV.elava_state.enforcer.x".to_owned(), headers, "1".into()).await;
    let answer = String::from_utf8(stored.expect("an answer").payload.to_vec()).expect("UTF-8");
    assert!(answer.contains("rollup not permitted"), "{answer}");
}

/// The server lets a reader have a message sent anywhere, and marks it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_the_server_was_made_to_publish_is_passed_over() {
    let server = server();
    let stage = Copier::default();
    publish(&server, vec![observation(0, "i-1")]).await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let mut headers = HeaderMap::new();
    headers.insert(NATS_STREAM, "POLICY");
    let subject = "elava.observation.aws.000000000000.us-east-1.ec2:instance";
    let forged = elava_schemas::Message::to_line(&observation(0, "i-2"));
    client.request_with_headers(subject.to_owned(), headers, forged.into()).await.expect("stored");
    publish(&server, vec![observation(0, "i-3")]).await;
    let task = run(&server, &stage);
    until("both", async || changes(&server).await.len() >= 2).await;
    assert_eq!(changes(&server).await, ["chg_i-1", "chg_i-3"]);
    task.abort();
}

/// What a stage says of its health; nothing while it does not listen.
fn said(port: u16) -> String {
    let mut said = String::new();
    if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asks");
        stream.read_to_string(&mut said).expect("an answer");
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_waits_for_streams_and_works_as_its_own_user() {
    let server = guarded();
    let port = free_port().expect("a free port");
    let (args, stage) = (stage_args(&server, User::Detector, port), Copier::default());
    let task = tokio::spawn(async move { elava_bus::run(&args, stage).await });
    let waits = "not ready: waiting for the streams; NATS does not allow this user to publish to $JS.API.STREAM.CREATE.KV_elava_leases";
    until("it says what it waits for", async || said(port).contains(waits)).await;
    make_streams(&server).await;
    until("it is ready", async || said(port).contains("ready, 16 of 16 partitions") && !said(port).contains("not"))
        .await;
    let (observer, _) = connect(&server, User::Observer).await;
    let subject = "elava.observation.aws.000000000000.us-east-1.ec2:instance";
    let rows = ["i-1", "bad", "i-2"].map(|id| elava_schemas::Message::to_line(&observation(0, id)));
    for row in rows.into_iter().chain([b"nonsense".to_vec()]) {
        observer.request(subject, row.into()).await.expect("stored");
    }
    let admin = elava_bus::Client::connect(&options(&server, User::Elava)).await.expect("connects");
    until("changes and a dead letter", async || {
        let usage = admin.usage().await.expect("usage");
        let messages = |name| usage.iter().find(|one| one.stream == name).map_or(0, |one| one.messages);
        messages("CHANGE") >= 3 && messages("DEAD") == 1
    })
    .await;
    assert_eq!(admin.instances().await.expect("leases").len(), 1);
    assert!(said(port).contains("ready, 16 of 16 partitions"), "nothing was denied: {}", said(port));
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_or_rotated_key_is_said() {
    let mut server = guarded();
    make_streams(&server).await;
    let port = free_port().expect("a free port");
    let (args, stage) = (stage_args(&server, User::Notifier, port), Copier::default());
    let task = tokio::spawn(async move { elava_bus::run(&args, stage).await });
    let wrong = "not ready: waiting for the streams; NATS does not allow this user to subscribe to _INBOX.detector.";
    until("the key of another stage", async || said(port).contains(wrong)).await;
    task.abort();

    let port = free_port().expect("a free port");
    let (args, stage) = (stage_args(&server, User::Detector, port), Copier::default());
    let task = tokio::spawn(async move { elava_bus::run(&args, stage).await });
    until("its own key", async || said(port).contains("\r\n\r\nready")).await;
    std::fs::remove_file(key(&server, User::Detector)).expect("removes");
    access::write(&server.file("access"), Layout::Together).expect("a new key");
    server.reload().expect("reloads");
    until("the key is of no use any more", async || said(port).contains("NATS does not know this user any more")).await;
    task.abort();
    let port = free_port().expect("a free port");
    let (args, stage) = (stage_args(&server, User::Detector, port), Copier::default());
    let task = tokio::spawn(async move { elava_bus::run(&args, stage).await });
    until("the new one is", async || said(port).contains("\r\n\r\nready")).await;
    task.abort();

    let nobody = elava_bus::Client::connect(&NatsOptions::new(server.url())).await.expect_err("refused").to_string();
    assert!(nobody.ends_with("refuses a user without key, credentials or password; see docs/access.md"), "{nobody}");
}
