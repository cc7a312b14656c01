//! Requests that take long: others are answered meanwhile, and the asker is told that it goes on.

use std::sync::Arc;

use bytes::Bytes;
use elava_bus::{Batch, Client, Failure, Output, RequestError, Stage, StageSpec};
use futures::StreamExt;
use tokio::sync::Notify;

use crate::args;
use crate::copier::Copier;
use crate::server::Server;

/// Answers `slow` once it has answered `now`, and `never` not at all.
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
            _ => std::future::pending().await,
        }
        Ok(vec![body])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_holds_up_nobody_and_shows_that_it_is_made() {
    let server = Server::start();
    let (arguments, stage) = (args(&server), Slow::default());
    let task = tokio::spawn(async move { elava_bus::run(&arguments, stage).await });
    let client = Client::connect(&args(&server).nats_options().expect("a server")).await.expect("connects");
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
