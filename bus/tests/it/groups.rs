//! Partitions leased in groups, to instances that open a stage for each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use elava_bus::{Batch, BusError, Failure, Lease, Output, Peers, Source, Stage, StageSpec, group_of_scope};
use elava_harness::Server;
use elava_schemas::{Provider, ScopeRef};
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::copier::Copier;
use crate::delivery::{assert_exact, expected};
use crate::{args, changes, client, jetstream, publish_scopes, server, until};

const GROUPS: u16 = 4;

/// A copier of one group.
struct Grouped {
    copier: Copier,
    group: u16,
}

impl Stage for Grouped {
    const SPEC: StageSpec = Copier::SPEC;

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        self.copier.handle(batch).await
    }

    fn taken(&self, source: &Source, _: &Lease) {
        let Source::Partition { partition, .. } = source else { unreachable!("it reads a stream") };
        assert_eq!(partition / (16 / GROUPS), self.group, "a group is of neighbours");
    }

    fn about(&self) -> Option<String> {
        Some(format!("copier of {}", self.group))
    }
}

/// What an instance was told of the others.
type Told = Arc<Mutex<Option<Peers>>>;

fn start(server: &Server, groups: u16) -> (JoinHandle<Result<(), BusError>>, Told) {
    let (args, told) = (args(server), Told::default());
    let tell = Arc::clone(&told);
    let task = tokio::spawn(async move {
        let options = args.nats_options().expect("a server");
        let open = move |group, peers| {
            *tell.lock().expect("nobody panicked") = Some(peers);
            Ok(Grouped { copier: Copier::default(), group })
        };
        elava_bus::run_when_leased(&args, &options, groups, open).await.map(drop)
    });
    (task, told)
}

/// The groups that an instance knows somebody for.
fn known(told: &Told) -> Vec<u16> {
    let told = told.lock().expect("nobody panicked");
    told.as_ref().map(|peers| peers.all().into_keys().collect()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_shared_known_and_taken_over() {
    let server = server();
    let client = client(&server).await;
    let (first, told) = start(&server, GROUPS);
    until("all for one", async || known(&told) == [0, 1, 2, 3]).await;
    let (second, of_second) = start(&server, GROUPS);
    until("two each", async || {
        let groups = client.groups("detector").await.expect("an answer");
        let holders: BTreeSet<&str> = groups.values().map(|group| group.instance.as_str()).collect();
        holders.len() == 2 && groups.values().all(|group| group.groups == GROUPS && group.about.is_some())
    })
    .await;
    until("the second knows all", async || known(&of_second) == [0, 1, 2, 3]).await;
    publish_scopes(&server, 20, 100).await;

    let (other, _) = start(&server, 2);
    let refused = tokio::time::timeout(Duration::from_secs(120), other).await.expect("it ends by itself");
    let refused = refused.expect("nobody panicked").expect_err("all must have the same number");
    assert!(refused.to_string().contains("shares the partitions in 4, this one in 2"), "{refused}");

    // as by SIGKILL
    first.abort();
    until("one has all", async || {
        let groups = client.groups("detector").await.expect("an answer");
        groups.len() == usize::from(GROUPS)
            && groups.values().map(|group| &group.instance).collect::<BTreeSet<_>>().len() == 1
    })
    .await;
    let expected = expected(20, 100);
    until("everything", async || changes(&server).await.len() >= expected.len()).await;
    assert_exact(&changes(&server).await, &expected);
    second.abort();
}

/// What is kept by scope relies on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_compute_partitions_as_the_server_does() {
    let server = server();
    let client = client(&server).await;
    client.make_streams().await.expect("streams");
    publish_scopes(&server, 200, 1).await;
    let stream = jetstream(&server).await.get_stream("OBSERVATION").await.expect("the stream");
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut left = consumer.cached_info().num_pending;
    let mut messages = consumer.messages().await.expect("messages");
    let mut seen = BTreeSet::new();
    while left > 0 {
        let message = messages.next().await.expect("more").expect("a message");
        left -= 1;
        let tokens: Vec<&str> = message.subject.split('.').collect();
        let ["elava", "observation", partition, "aws", account, region, kind] = tokens[..] else {
            panic!("{tokens:?}")
        };
        let scope = ScopeRef { provider: Provider::Aws, account, region, kind };
        assert_eq!(group_of_scope(scope, 16).to_string(), partition, "{scope:?}");
        seen.insert(partition.to_owned());
    }
    assert_eq!(seen.len(), 16, "every partition has some");
}
