//! Partitions that one lease covers, read by one consumer: each in order, from its own place, nothing lost or twice,
//! and nothing acknowledged before it is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, Info, PullConsumer};
use bytes::Bytes;
use elava_bus::{
    Batch, BusError, Consumes, Failure, Output, Patience, Position, Rejection, Resume, Source, Stage, StageSpec, Stream,
};
use elava_harness::Server;
use elava_schemas::{Kind, Message};
use futures::{StreamExt, TryStreamExt};
use tokio::task::JoinHandle;

use crate::copier::observation;
use crate::delivery::{assert_exact, expected};
use crate::{BRIEF, CALM, args_with, client, jetstream, publish, publish_scopes, server, stored, until};

/// What outlives a keeper, as a file does: its rows, and where each partition is with them.
#[derive(Default)]
struct File {
    positions: BTreeMap<u16, u64>,
    rows: Vec<String>,
}

/// What a batch leads to.
struct Effect {
    partition: u16,
    position: u64,
    rows: Vec<String>,
}

/// A stage that keeps its rows and positions itself. Rows that begin with `late` it puts off.
struct Keeper {
    file: Arc<Mutex<File>>,
    put_off: Mutex<Vec<Effect>>,
    patience: Duration,
}

const SPEC: StageSpec = StageSpec {
    name: "detector",
    inputs: &[Stream::Observation],
    output: None,
    consumes: |kind| if kind == Kind::Observation { Consumes::Takes } else { Consumes::Passes },
    position: Position::Own,
    batch_pages: 4,
    in_flight: 3,
    health_port: 0,
};

impl Keeper {
    fn store(&self, effects: impl IntoIterator<Item = Effect>) {
        let mut file = self.file.lock().expect("nobody panicked");
        for Effect { partition, position, rows } in effects {
            let before = file.positions.insert(partition, position);
            assert!(before.is_none_or(|before| before < position), "{partition} goes from {before:?} to {position}");
            file.rows.extend(rows);
        }
    }
}

fn partition(source: &Source) -> u16 {
    let Source::Partition { partition, .. } = source else { unreachable!("it reads a stream") };
    *partition
}

impl Stage for Keeper {
    const SPEC: StageSpec = SPEC;

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let mut rejected: Vec<Rejection> = Vec::new();
        let mut rows = Vec::new();
        for (_, _, message) in batch.messages(&SPEC, &mut rejected) {
            let Message::Observation(observation) = message else { unreachable!("only observations are consumed") };
            rows.push(format!("chg_{}", observation.resource.key.id));
        }
        // so that something is left to be killed
        tokio::time::sleep(Duration::from_millis(60)).await;
        let is_late = !rows.is_empty() && rows.iter().all(|row| row.starts_with("chg_late"));
        let effect = Effect { partition: partition(&batch.source), position: batch.last_sequence(), rows };
        let mut put_off = self.put_off.lock().expect("nobody panicked");
        put_off.push(effect);
        if is_late {
            let patience = Patience { caught_up: self.patience, behind: Duration::from_secs(600) };
            return Ok(Output { rejected, settle_within: Some(patience), ..Output::default() });
        }
        self.store(put_off.drain(..));
        Ok(Output { rejected, ..Output::default() })
    }

    async fn settle(&self, _: &Source) -> Result<(), Failure> {
        self.store(self.put_off.lock().expect("nobody panicked").drain(..));
        Ok(())
    }

    async fn resume(&self, source: &Source, _: Option<u64>, _: Vec<(String, Bytes)>) -> Result<Resume, Failure> {
        let partition = partition(source);
        // it is given again
        self.put_off.lock().expect("nobody panicked").retain(|effect| effect.partition != partition);
        Ok(Resume::after(self.file.lock().expect("nobody panicked").positions.get(&partition).copied()))
    }
}

/// At work on all partitions; aborting it is as SIGKILL.
fn start(server: &Server, file: &Arc<Mutex<File>>, patience: Duration) -> JoinHandle<Result<(), BusError>> {
    start_with(server, file, patience, CALM)
}

fn start_with(
    server: &Server,
    file: &Arc<Mutex<File>>,
    patience: Duration,
    lease_ttl: &str,
) -> JoinHandle<Result<(), BusError>> {
    let (args, file) = (args_with(server, lease_ttl), Arc::clone(file));
    tokio::spawn(async move {
        let options = args.nats_options().expect("a server");
        let open = move |_, _| Ok(Keeper { file: Arc::clone(&file), put_off: Mutex::default(), patience });
        elava_bus::run_when_leased(&args, &options, 1, open).await.map(drop)
    })
}

const SOON: Duration = Duration::from_millis(20);

fn rows(file: &Mutex<File>) -> Vec<String> {
    file.lock().expect("nobody panicked").rows.clone()
}

/// Those of the stage.
async fn consumers(server: &Server) -> Vec<Info> {
    let stream = jetstream(server).await.get_stream("OBSERVATION").await.expect("the stream");
    let all: Vec<Info> = stream.consumers().try_collect().await.expect("consumers");
    all.into_iter().filter(|consumer| consumer.name.starts_with("detector-")).collect()
}

/// The position and partition of every message in the stream.
async fn places(server: &Server) -> Vec<(u64, u16)> {
    let stream = jetstream(server).await.get_stream("OBSERVATION").await.expect("the stream");
    let last = stream.cached_info().state.last_sequence;
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let messages = stream.create_consumer(config).await.expect("a consumer").messages().await.expect("messages");
    let place = |message: async_nats::jetstream::Message| {
        let partition = message.subject.split('.').nth(2).expect("a partition").parse().expect("a number");
        (message.info().expect("its place").stream_sequence, partition)
    };
    messages.take(usize::try_from(last).expect("few")).map(|message| place(message.expect("a message"))).collect().await
}

async fn all_acknowledged(server: &Server) -> bool {
    consumers(server).await.iter().all(|consumer| consumer.num_pending == 0 && consumer.num_ack_pending == 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_partition_goes_on_from_its_own_place() {
    let server = server();
    // in turns, so that every partition's pages lie between those of others
    for round in 0..5 {
        let rows = |scope| (0..10).map(move |row| observation(scope, &format!("i-{scope}-{:05}", round * 10 + row)));
        publish(&server, (0..20).flat_map(rows).collect()).await;
    }
    let places = places(&server).await;
    let of = |one: u16| places.iter().filter(move |(_, partition)| *partition == one).map(|(place, _)| *place);
    let partitions: BTreeSet<u16> = places.iter().map(|(_, partition)| *partition).collect();
    let file = Arc::<Mutex<File>>::default();
    let mut unread = places.len();
    for (number, partition) in partitions.iter().enumerate() {
        // nothing, a part, or all of it was read before
        let had: Vec<u64> = of(*partition).take([0, 2, 100][number % 3]).collect();
        unread -= had.len();
        had.last().map(|last| file.lock().expect("nobody panicked").positions.insert(*partition, *last));
    }
    let task = start(&server, &file, SOON);
    until("all that is new", async || rows(&file).len() == unread * 10).await;
    until("acknowledged", async || all_acknowledged(&server).await).await;
    let found = rows(&file);
    assert_exact(&found, &found.iter().cloned().collect());

    let names: Vec<String> = consumers(&server).await.into_iter().map(|consumer| consumer.name).collect();
    assert_eq!(names, ["detector-00"], "one for all");
    let progress = client(&server).await.progress().await.expect("progress");
    assert_eq!(progress.iter().map(|one| (one.partition, one.partitions)).collect::<Vec<_>>(), [(0, 16)]);

    // a row by hand, between two that are none
    let nats = async_nats::connect(server.url()).await.expect("connects");
    let by_hand = String::from_utf8(observation(0, "i-0-00050").to_line()).expect("UTF-8");
    let subject = "elava.observation.aws.000000000000.us-east-1.ec2:instance";
    nats.publish(subject, format!("{{}}\n{by_hand}\nnonsense\n").into()).await.expect("published");
    until("the row", async || rows(&file).last().is_some_and(|row| row == "chg_i-0-00050")).await;
    until("dead letters", async || stored(&server, "DEAD", "elava.dead.detector").await.len() == 2).await;
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_twice_whatever_is_killed_or_taken_away() {
    let mut server = server();
    let file = Arc::<Mutex<File>>::default();
    publish_scopes(&server, 20, 3000).await;
    let expected = expected(20, 3000);
    for round in 0..8 {
        let task = start_with(&server, &file, SOON, BRIEF);
        let before = rows(&file).len();
        until("progress", async || rows(&file).len() > before + 2000 || rows(&file).len() >= expected.len()).await;
        match round {
            1 | 5 => server.restart().expect("nats-server starts again"),
            2 => {
                let kv = jetstream(&server).await.get_key_value("elava_leases").await.expect("the bucket");
                kv.delete("group.detector.00").await.expect("the lease is taken away");
            }
            3 => {
                let stream = jetstream(&server).await.get_stream("OBSERVATION").await.expect("the stream");
                stream.delete_consumer("detector-00").await.expect("the consumer is removed");
            }
            // what somebody else pulls is missing in what the stage is given
            4 => {
                let stream = jetstream(&server).await.get_stream("OBSERVATION").await.expect("the stream");
                let consumer: PullConsumer = stream.get_consumer("detector-00").await.expect("the consumer");
                let pulled = consumer.fetch().max_messages(3).messages().await.expect("messages");
                pulled.for_each(|_| async {}).await;
            }
            _ => {}
        }
        if (1..=5).contains(&round) {
            let before = rows(&file).len();
            until("it goes on", async || rows(&file).len() > before || before >= expected.len()).await;
            publish(&server, vec![observation(round, &format!("more-{round}"))]).await;
        }
        if round == 7 {
            until("the end", async || rows(&file).len() >= expected.len() + 5).await;
            until("acknowledged", async || all_acknowledged(&server).await).await;
        }
        task.abort();
    }
    let (more, found): (Vec<String>, _) = rows(&file).into_iter().partition(|row| row.contains("more"));
    assert_exact(&found, &expected);
    assert_eq!(more.into_iter().collect::<BTreeSet<_>>().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_is_acknowledged_once_it_is_durable() {
    let server = server();
    let file = Arc::<Mutex<File>>::default();
    let floor = async || consumers(&server).await[0].ack_floor.stream_sequence;
    let late = |number: usize| observation(number, &format!("late-{number}"));
    publish(&server, vec![observation(0, "i-0")]).await;
    let task = start(&server, &file, Duration::from_secs(600));
    until("the first", async || rows(&file).len() == 1 && floor().await == 1).await;

    // one that waits holds back what others have handled; those are stored all the same, and it with them
    publish(&server, vec![late(1)]).await;
    until("it is read", async || consumers(&server).await[0].num_pending == 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((rows(&file).len(), floor().await), (1, 1), "not durable, not acknowledged");
    task.abort();

    // as after SIGKILL
    let task = start(&server, &file, Duration::from_millis(300));
    until("it is durable", async || rows(&file) == ["chg_i-0", "chg_late-1"]).await;
    until("acknowledged", async || floor().await == 2).await;
    let scopes: Vec<Message> = (2..20).map(late).collect();
    publish(&server, scopes).await;
    until("all", async || rows(&file).len() == 20).await;
    until("acknowledged", async || all_acknowledged(&server).await).await;
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_of_single_partitions_are_removed() {
    let server = server();
    publish_scopes(&server, 1, 1).await;
    let stream = jetstream(&server).await.get_stream("OBSERVATION").await.expect("the stream");
    for partition in [0, 7, 15] {
        let config = async_nats::jetstream::consumer::pull::Config {
            durable_name: Some(format!("detector-{partition:02}")),
            filter_subject: format!("elava.observation.{partition}.>"),
            deliver_policy: DeliverPolicy::All,
            ..Default::default()
        };
        stream.create_consumer(config).await.expect("as an older version made it");
    }
    let file = Arc::<Mutex<File>>::default();
    let task = start(&server, &file, SOON);
    until("the row", async || rows(&file).len() == 1).await;
    let names: Vec<String> = consumers(&server).await.into_iter().map(|consumer| consumer.name).collect();
    assert_eq!(names, ["detector-00"]);
    task.abort();
}
