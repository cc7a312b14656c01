//! A person's side of the bus.

use bytes::Bytes;
use elava_schemas::{Approval, ApprovalId, DecisionId, Verdict};

use crate::copier::Copier;
use crate::{changes, client, publish_scopes, run, server, stored, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_sees_progress_and_publishes() {
    let server = server();
    let stage = Copier::default();
    let task = run(&server, &stage);
    publish_scopes(&server, 2, 10).await;
    until("changes", async || changes(&server).await.len() == 20).await;
    let client = client(&server).await;
    until("no lag", async || {
        let progress = client.progress().await.expect("progress");
        progress.len() == 16 && progress.iter().all(|one| one.stage == "detector" && one.pending == 0 && one.reading)
    })
    .await;
    let usage = client.usage().await.expect("usage");
    let limited = usage.iter().all(|one| one.limit_bytes.is_some_and(|limit| one.bytes <= limit));
    assert!(limited, "{usage:?}");
    let streams: Vec<_> = usage.iter().map(|one| one.stream.as_str()).collect();
    assert_eq!(streams, ["OBSERVATION", "CHANGE", "POLICY", "DECISION", "EXECUTION", "DEAD", "KV_elava_state"]);
    let used: Vec<_> = usage[..4].iter().map(|one| one.messages > 0).collect();
    assert_eq!(used, [true, true, false, false]);
    let missing: Vec<_> = usage.iter().map(|one| one.missing).collect();
    assert_eq!(missing, [None, None, None, Some(0), Some(0), Some(0), None]);
    assert!(usage.iter().all(|one| one.replicas == 1), "{usage:?}");
    let decision_id = DecisionId::of(&["d"]);
    let at = elava_schemas::Timestamp::default();
    let id = ApprovalId::of(&["d", "me"]);
    let approval = Approval { id, decision_id, by: "me".into(), verdict: Verdict::Approved, reason: None, at };
    client.publish(&approval.into()).await.expect("stored");
    assert_eq!(stored(&server, "EXECUTION", "elava.approval").await.len(), 1);
    let nobody = client.request("elava.nobody", Bytes::new()).await.expect_err("nobody listens");
    assert_eq!(nobody.to_string(), "nobody answers elava.nobody; is the stage running?");
    task.abort();
}
