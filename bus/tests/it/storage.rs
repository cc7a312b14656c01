//! Streams on a server with little storage.

use std::collections::BTreeMap;

use elava_bus::cli::chain;
use elava_harness::{Server, Setup};
use futures::TryStreamExt;

use crate::copier::{Copier, observation};
use crate::{changes, client, jetstream, publish, run, start, until};

const MIB: i64 = 1 << 20;

/// The limit of each stream, in MiB.
async fn limits(server: &Server) -> BTreeMap<String, i64> {
    let js = jetstream(server).await;
    let streams: Vec<_> = js.streams().try_collect().await.expect("streams");
    streams.into_iter().map(|info| (info.config.name, info.config.max_bytes / MIB)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_streams_share_what_there_is() {
    let account = |room: &str| {
        format!(
            "accounts {{ A {{ jetstream {{ max_file: {room} }}, users: [{{ user: a, password: a }}] }} }}\nno_auth_user: a"
        )
    };
    for (max_file_store, config, observation, others) in [
        ("64GB", String::new(), 8192, 1024),
        ("1GB", String::new(), 512, 64),
        ("200MB", String::new(), 64, 16),
        ("64GB", account("200MB"), 64, 16),
    ] {
        let server = start(Setup { max_file_store, config: &config, ..Setup::default() });
        client(&server).await.make_streams().await.expect("streams");
        let names = ["CHANGE", "DEAD", "DECISION", "EXECUTION", "KV_elava_state", "OBSERVATION", "POLICY"];
        let expected = names.map(|name| (name, if name == "OBSERVATION" { observation } else { others }));
        let expected = expected.into_iter().chain([("KV_elava_leases", 16)]);
        let expected = expected.map(|(name, limit)| (name.to_owned(), limit)).collect();
        assert_eq!(limits(&server).await, expected, "{max_file_store} {config}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_make_streams_at_the_same_time_all_find_them() {
    let server = start(Setup { max_file_store: "200MB", ..Setup::default() });
    let tasks = [(); 4].map(|()| run(&server, &Copier::default()));
    publish(&server, vec![observation(0, "i-1")]).await;
    until("the change", async || changes(&server).await == ["chg_i-1"]).await;
    assert_eq!(limits(&server).await.len(), 8);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_room_it_is_said_what_to_do() {
    let server = start(Setup { max_file_store: "100MB", ..Setup::default() });
    let stage = run(&server, &Copier::default()).await.expect("ends").expect_err("cannot begin");
    let made = client(&server).await.make_streams().await.expect_err("no streams");
    for said in [chain(&stage), chain(&made)] {
        let (to_do, why) = said.split_once(", \"Streams\": ").expect("what to do, and why");
        assert!(to_do.starts_with("the server has no storage left for stream "), "{to_do}");
        assert!(to_do.contains("raise its `max_file_store`"), "{to_do}");
        assert!(why.contains("insufficient storage resources available"), "{why}");
    }
}
