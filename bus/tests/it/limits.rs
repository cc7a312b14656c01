//! What is larger than the server or a batch takes.

use elava_bus::{Client, Sink};
use elava_harness::{Server, Setup};
use elava_schemas::DeadLetter;

use crate::copier::{Copier, observation};
use crate::{BRIEF, args, changes, jetstream, publish, run, run_with, server, start, stored, until};

async fn dead_letters(server: &Server, subject: &str) -> Vec<DeadLetter> {
    let letters = stored(server, "DEAD", subject).await;
    letters.into_iter().map(|letter| serde_json::from_value(letter).expect("a dead letter")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_too_large_is_set_aside_and_the_rest_goes_on() {
    let server = server();
    let task = run(&server, &Copier::default());
    publish(&server, ["i-1", "huge-2", "i-3"].map(|id| observation(0, id)).into()).await;
    until("the others", async || changes(&server).await == ["chg_i-1", "chg_i-3"]).await;
    let letters = dead_letters(&server, "elava.dead.detector").await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.ends_with("the server takes 1044480"), "{}", letters[0].reason);
    assert!(letters[0].bytes > 1024 * 1024 && letters[0].body.contains("chg_huge-2"), "its size and its beginning");
    assert_eq!((letters[0].sequence, letters[0].subject.as_str()), (Some(1), CHANGE), "what caused it");
    task.abort();
}

const CHANGE: &str = "elava.change.aws.000000000000.us-east-1.ec2:instance";

/// As after a crash between the dead letter and the checkpoint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_too_large_is_one_dead_letter_however_often_it_is_handled() {
    let server = server();
    publish(&server, ["huge-1", "i-2"].map(|id| observation(0, id)).into()).await;
    let js = jetstream(&server).await;
    for _ in 0..2 {
        let task = run_with(&server, &Copier::default(), BRIEF);
        until("the other", async || changes(&server).await == ["chg_i-2"]).await;
        assert_eq!(dead_letters(&server, "elava.dead.detector").await.len(), 1);
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        // where it was and what it has said is forgotten
        for name in ["CHANGE", "KV_elava_state"] {
            js.delete_stream(name).await.expect("removed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observation_too_large_does_not_stop_its_scan() {
    let server = server();
    let long = "x".repeat(1024 * 1024);
    publish(&server, ["i-1", &long, "i-3"].map(|id| observation(0, id)).into()).await;
    let observed = stored(&server, "OBSERVATION", "elava.observation.>").await;
    assert_eq!(observed.len(), 2);
    let letters = dead_letters(&server, "elava.dead.test").await;
    assert!(letters.len() == 1 && letters[0].reason.starts_with("observation of 10"), "{letters:.500?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_too_little_is_refused() {
    let server = start(Setup { config: "max_payload: 64KB", ..Setup::default() });
    let refusal = "the server's max_payload is 65536 bytes; at least 1048576 are needed";
    let sink = Sink::open("test", &args(&server)).await.expect_err("refused");
    assert_eq!(sink.to_string(), refusal);
    let client = Client::connect(&args(&server).nats_options().expect("a server")).await.expect_err("refused");
    assert_eq!(client.to_string(), refusal);
    let stage = run(&server, &Copier::default()).await.expect("ends").expect_err("refused");
    assert_eq!(stage.to_string(), refusal);
}

/// 2,500 pages are more than one atomic batch holds (1,000).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_output_pages_of_one_input_are_stored_once_and_in_order() {
    let server = server();
    let stage = Copier::default();
    publish(&server, ["i-0", "burst-1", "i-2"].map(|id| observation(0, id)).into()).await;
    let task = run(&server, &stage);
    let pages = async || stored(&server, "CHANGE", "elava.change.>").await.len();
    until("some of it", async || pages().await > 200).await;
    // Stopped wherever it is: what is stored by then is stored again under the same ids, and refused.
    task.abort();
    let task = run(&server, &stage);
    until("all of it", async || pages().await >= 2502).await;
    publish(&server, vec![observation(0, "i-3")]).await;
    until("what comes after", async || changes(&server).await.last().is_some_and(|id| id == "chg_i-3")).await;
    let expected: Vec<String> = (0..2500).map(|number| format!("chg_burst-1-{number:04}")).collect();
    let found = changes(&server).await;
    assert_eq!(found[0], "chg_i-0");
    assert_eq!(found[1..2501], expected);
    assert_eq!(found[2501..], ["chg_i-2", "chg_i-3"]);
    task.abort();
}
