//! Requests that take long: others are answered meanwhile, and the asker is told that it goes on.

use std::sync::Arc;

use bytes::Bytes;
use elava_bus::{Batch, Failure, Output, RequestError, Stage, StageSpec};
use futures::StreamExt;
use tokio::sync::Notify;

use crate::copier::Copier;
use crate::{client, run, server};

/// Answers `slow` once it has answered `now`, refuses `bad`, and answers `never` not at all.
#[derive(Clone, Default)]
struct Slow {
    asked: Arc<Notify>,
}

impl Stage for Slow {
    const SPEC: StageSpec = Copier::SPEC;

    async fn handle(&self, _batch: &Batch) -> Result<Output, Failure> {
        Ok(Output::default())
    }

    fn subjects(&self) -> &'static [&'static str] {
        &["elava.test"]
    }

    async fn answer(&self, _subject: &str, body: Bytes) -> Result<Vec<Bytes>, String> {
        match body.as_ref() {
            b"slow" => self.asked.notified().await,
            b"now" => self.asked.notify_one(),
            b"bad" => return Err("two\nlines".to_owned()),
            _ => std::future::pending().await,
        }
        Ok(vec![body])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_holds_up_nobody_and_shows_that_it_is_made() {
    let server = server();
    let task = run(&server, &Slow::default());
    let client = client(&server).await;
    let ask = |body: &'static str| client.request("elava.test", Bytes::from(body));
    while let Err(RequestError::Nobody(_)) = ask("now").await {}
    let (slow, now) = tokio::join!(ask("slow"), ask("now"));
    assert_eq!((slow.expect("answered"), now.expect("answered")), (vec!["slow".into()], vec!["now".into()]));

    let raw = async_nats::connect(server.url()).await.expect("connects");
    let mut pages = raw.subscribe("inbox").await.expect("subscribes");
    raw.publish_with_reply("elava.test", "inbox", "never".into()).await.expect("sent");
    let page = pages.next().await.expect("a sign of life");
    let status = page.headers.as_ref().and_then(|headers| headers.get("Elava-Status")).map(ToString::to_string);
    assert_eq!((status.as_deref(), page.payload.len()), (Some("more"), 0));
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_is_a_service_that_counts_its_answers() {
    let server = server();
    let task = run(&server, &Slow::default());
    let client = client(&server).await;
    while let Err(RequestError::Nobody(_)) = client.request("elava.test", "now".into()).await {}
    let refused = client.request("elava.test", "bad".into()).await.expect_err("refused");
    assert_eq!(refused.to_string(), "two\nlines");

    let raw = async_nats::connect(server.url()).await.expect("connects");
    let headers = raw.request("elava.test", "bad".into()).await.expect("an answer").headers.expect("headers");
    let header = |name| headers.get(name).map(ToString::to_string).unwrap_or_default();
    assert_eq!((header("Nats-Service-Error"), header("Nats-Service-Error-Code")), ("two lines".into(), "500".into()));

    let ask = async |subject: &str| -> serde_json::Value {
        let answer = raw.request(subject.to_owned(), Bytes::new()).await.expect("an answer");
        serde_json::from_slice(&answer.payload).expect("JSON")
    };
    let ping = ask("$SRV.PING").await;
    let id = ping["id"].as_str().expect("an id");
    assert_eq!((&ping["name"], &ping["type"]), (&"elava-detector".into(), &"io.nats.micro.v1.ping_response".into()));
    let info = ask("$SRV.INFO.elava-detector").await;
    assert_eq!(info["description"], "reads OBSERVATION, writes CHANGE");
    let subjects = |answer: &serde_json::Value| -> Vec<String> {
        let endpoints = answer["endpoints"].as_array().expect("endpoints").iter();
        endpoints.map(|endpoint| format!("{} {}", endpoint["subject"], endpoint["queue_group"])).collect()
    };
    let expected = ["\"elava.detector.status\" \"\"", "\"elava.test\" \"detector\""];
    assert_eq!(subjects(&info), expected);
    let stats = ask(&format!("$SRV.STATS.elava-detector.{id}")).await;
    assert_eq!(subjects(&stats), expected);
    let counted = &stats["endpoints"][1];
    assert_eq!([&counted["num_requests"], &counted["num_errors"]], [3, 2]);
    assert_eq!(counted["last_error"], "two\nlines");
    let status = ask("elava.detector.status").await;
    for told in [&status, &stats["endpoints"][0]["data"]] {
        assert_eq!([&told["stage"], &told["instance"]], ["detector", id]);
        assert!(told["ready"].is_boolean() && told["pending_messages"] == 0, "{told}");
    }
    task.abort();
}
