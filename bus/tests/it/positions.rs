//! Where a stage goes on: one checkpoint a source, and none past the end of its stream.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use elava_bus::cli::chain;
use elava_harness::Server;

use crate::copier::{Copier, observation};
use crate::{changes, jetstream, publish, publish_scopes, run, server, stored, until};

/// The positions in the checkpoints, as many as are stored.
async fn checkpoints(server: &Server) -> Vec<u64> {
    let rows = stored(server, "CHANGE", "elava.checkpoint.>").await;
    rows.iter().map(|row| row["sequence"].as_u64().expect("a position")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_takes_the_place_of_the_one_before() {
    let server = server();
    let task = run(&server, &Copier::default());
    for number in 1..=20 {
        publish(&server, vec![observation(0, &format!("i-{number}"))]).await;
        until("its change", async || changes(&server).await.len() == number).await;
    }
    assert_eq!(checkpoints(&server).await, [20]);
    let info = jetstream(&server).await.get_stream("CHANGE").await.expect("the stream").cached_info().clone();
    assert_eq!(info.state.messages, 21, "twenty changes and where the stage is");

    // Inputs without outputs leave nothing in the output stream, and are not read again.
    publish(&server, (1..=5).map(|number| observation(0, &format!("quiet-{number}"))).collect()).await;
    until("the position", async || kept(&server).await == Some(21)).await;
    assert_eq!(checkpoints(&server).await, [20]);
    task.abort();
    let again = Copier::default();
    let task = run(&server, &again);
    publish(&server, vec![observation(0, "i-22")]).await;
    until("the last one", async || checkpoints(&server).await == [22]).await;
    assert_eq!(again.handled.load(std::sync::atomic::Ordering::Relaxed), 1, "nothing is handled again");
    task.abort();
}

/// The position beside the state.
async fn kept(server: &Server) -> Option<u64> {
    let stream = jetstream(server).await.get_stream("KV_elava_state").await.ok()?;
    let subjects = "$KV.elava_state.detector.OBSERVATION";
    for partition in 0..16 {
        let message = stream.direct_get_last_for_subject(format!("{subjects}.{partition}.position")).await;
        if let Ok(message) = message {
            return std::str::from_utf8(&message.payload).ok()?.parse().ok();
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_outlives_the_age_limit_of_its_stream() {
    let server = server();
    publish_scopes(&server, 1, 10).await;
    let task = run(&server, &Copier::default());
    until("changes", async || changes(&server).await.len() == 10).await;
    task.abort();
    let js = jetstream(&server).await;
    let config = js.get_stream("CHANGE").await.expect("the stream").cached_info().config.clone();
    let second = Duration::from_secs(1);
    js.update_stream(Config { max_age: second, duplicate_window: second, ..config }).await.expect("updated");
    until("changes age", async || changes(&server).await.is_empty()).await;
    assert_eq!(checkpoints(&server).await, [1], "the position is still known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_an_older_version_are_told_to_roll_up() {
    let server = server();
    publish_scopes(&server, 1, 1).await;
    let js = jetstream(&server).await;
    // A limit of its own stays.
    let config = js.get_stream("CHANGE").await.expect("the stream").cached_info().config.clone();
    js.delete_stream("CHANGE").await.expect("removed");
    let older = Config { allow_rollup: false, allow_message_ttl: false, max_bytes: 50 << 20, ..config };
    js.create_stream(older).await.expect("made");
    let task = run(&server, &Copier::default());
    until("a change", async || changes(&server).await.len() == 1).await;
    let config = js.get_stream("CHANGE").await.expect("the stream").cached_info().config.clone();
    assert!(config.allow_rollup && config.allow_message_ttl && config.max_bytes == 50 << 20, "{config:?}");
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_shorter_than_the_position_is_refused() {
    let server = server();
    let pages = |from: usize| (from..from + 3).map(|number| observation(0, &format!("i-{number}")));
    let task = run(&server, &Copier::default());
    for page in pages(0) {
        publish(&server, vec![page]).await;
    }
    until("changes", async || changes(&server).await.len() == 3).await;
    until("the position", async || kept(&server).await == Some(3)).await;
    task.abort();
    jetstream(&server).await.delete_stream("OBSERVATION").await.expect("removed");
    publish(&server, vec![observation(0, "i-9")]).await;
    let refused = run(&server, &Copier::default()).await.expect("ends").expect_err("refuses to start");
    let expected = "position 4 is past the end of stream OBSERVATION: it is not the stream that was read before";
    assert_eq!(chain(&refused), expected);
    assert_eq!(changes(&server).await.len(), 3, "nothing was handled");
}
