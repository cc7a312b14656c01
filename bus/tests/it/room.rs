//! A stream that fills up: what was handled goes, and nothing unread ever does.

use async_nats::jetstream::stream::Config;
use elava_bus::{Progress, Stream};
use elava_harness::Server;

use crate::copier::{Copier, observation};
use crate::{changes, client, jetstream, publish, run, server, until};

/// The first and the last sequence of the stream of observations.
async fn range(server: &Server) -> (u64, u64) {
    let stream = jetstream(server).await.get_stream("OBSERVATION").await.expect("the stream");
    let state = &stream.cached_info().state;
    (state.first_sequence, state.last_sequence)
}

/// Ten pages of 200 rows of one scope.
async fn publish_pages(server: &Server, from: usize) {
    let rows = (from * 200..(from + 10) * 200).map(|number| observation(0, &format!("i-{number:06}")));
    publish(server, rows.collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_half_of_what_was_handled_goes() {
    let server = server();
    let client = client(&server).await;
    let make_room = async || client.make_room("detector", Stream::Observation).await.expect("an answer");
    publish_pages(&server, 0).await;
    let js = jetstream(&server).await;
    let info = js.get_stream("OBSERVATION").await.expect("the stream").cached_info().clone();
    let limit = async |bytes: u64| {
        let max_bytes = i64::try_from(bytes).expect("a small stream");
        js.update_stream(Config { max_bytes, ..info.config.clone() }).await.expect("updated");
    };

    limit(info.state.bytes * 2).await;
    assert_eq!(make_room().await, None, "half full");
    limit(info.state.bytes + info.state.bytes / 5).await;
    assert_eq!(make_room().await, None, "full, and nobody has read anything");
    assert_eq!(range(&server).await, (1, 10));

    let task = run(&server, &Copier::default());
    until("everything", async || changes(&server).await.len() == 2000).await;
    // room is made of what is acknowledged, which comes after it is stored
    until("acknowledged", async || {
        let progress = client.progress().await.expect("progress");
        !progress.is_empty() && progress.iter().all(Progress::is_idle)
    })
    .await;
    let halved = async || range(&server).await == (5, 10);
    until("the older half goes", async || make_room().await == Some(5) || halved().await).await;
    assert!(halved().await);
    assert_eq!(make_room().await, None, "there is room again");

    // The reader is gone; what it has not read fills the stream.
    task.abort();
    limit(info.state.bytes * 2).await;
    publish_pages(&server, 10).await;
    limit(info.state.bytes * 9 / 5).await;
    until("what was handled goes", async || make_room().await.is_some() || range(&server).await.0 > 5).await;
    for _ in 0..5 {
        make_room().await;
    }
    let (first, last) = range(&server).await;
    // how far it had come is known by its last acknowledgement, which may not have left
    assert!((6..=11).contains(&first) && last == 20, "{first} to {last}: everything unread is there");

    // Somebody goes on with it.
    let task = run(&server, &Copier::default());
    until("all the rest", async || changes(&server).await.len() == 4000).await;
    task.abort();
}
