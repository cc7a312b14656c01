//! Where a detector that starts again begins to read.

use async_nats::jetstream::consumer::DeliverPolicy;
use chrono::{TimeDelta, Utc};
use elava_e2e::{Estate, Pipeline, publish, scan_lines, server, streams, until};
use elava_schemas::micros;

/// The first position that the detector's consumer was to read, and whether it has read all.
async fn begun(url: &str) -> Option<(u64, bool)> {
    let js = streams(url).await;
    let stream = js.get_stream("OBSERVATION").await.ok()?;
    let consumer = stream.consumer_info("detector-00").await.ok()?;
    let DeliverPolicy::ByStartSequence { start_sequence } = consumer.config.deliver_policy else { return None };
    Some((start_sequence, consumer.num_pending == 0 && consumer.num_ack_pending == 0))
}

/// Most partitions have had nothing for a while, and some nothing ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_does_not_begin_where_the_quietest_partition_is() {
    let server = server();
    let url = server.url();
    let mut pipeline = Pipeline::new(url.clone());
    pipeline.start("detector", &[]);
    until("it reads", async || begun(&url).await.is_some_and(|(first, _)| first == 1)).await;
    let at = micros(Utc::now() - TimeDelta::hours(1));
    publish(&url, &scan_lines(&Estate::new(9, 50), at)).await;
    publish(&url, &scan_lines(&Estate::new(1, 50), at + TimeDelta::minutes(10))).await;
    until("it has read all", async || begun(&url).await.is_some_and(|(_, all)| all)).await;
    let js = streams(&url).await;
    let last = js.get_stream("OBSERVATION").await.expect("the stream").cached_info().state.last_sequence;
    pipeline.terminate("detector");
    for _ in 0..2 {
        pipeline.start("detector", &[]);
        until("it goes on behind all", async || begun(&url).await.is_some_and(|(first, _)| first == last + 1)).await;
        pipeline.kill("detector");
    }

    // the server's stream is another one: what is known of the old one is forgotten with its history
    js.delete_stream("OBSERVATION").await.expect("removed");
    std::fs::remove_file(pipeline.db()).expect("removed");
    // there is one only where something was written right before
    drop(std::fs::remove_file(pipeline.db().with_extension("duckdb.wal")));
    pipeline.start("detector", &[]);
    until("it begins anew", async || begun(&url).await.is_some_and(|(first, _)| first == 1)).await;
    pipeline.stop();
}
