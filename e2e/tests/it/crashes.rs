//! Every stage, and the server, killed in mid-flow: the history and the decisions are those of an
//! undisturbed run.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use elava_e2e::{Estate, Pipeline, Server, dump, publish, scan_lines, stored, until};
use elava_schemas::{Timestamp, micros};

use crate::{decision_ids, settled, started};

/// Three scans: a first look, 5 % changed with some gone, and the gone ones back.
pub(crate) fn scans(begun: Timestamp) -> [Vec<String>; 3] {
    let estate = Estate::new(9, 400);
    let mut later = estate.clone();
    for (index, resource) in later.resources.iter_mut().enumerate() {
        match index % 60 {
            1 => resource.status = Some("stopped".to_owned()),
            2 => resource.tags = Some([("Owner".to_owned(), "somebody-else".to_owned())].into()),
            3 => drop(resource.attributes.insert("Encrypted".to_owned(), false.into())),
            _ => {}
        }
    }
    let mut fewer = later.clone();
    let mut index = 0;
    fewer.resources.retain(|_| {
        index += 1;
        index % 50 != 11
    });
    let at = |minutes| begun + TimeDelta::minutes(minutes);
    [scan_lines(&estate, at(0)), scan_lines(&fewer, at(15)), scan_lines(&later, at(30))]
}

/// Everything in the history that does not depend on when this test ran.
pub(crate) fn history(db: &Path) -> Vec<Vec<String>> {
    [
        "SELECT * FROM versions ORDER BY key, valid_from",
        "SELECT * FROM changes ORDER BY id",
        "SELECT * FROM scans ORDER BY scan_id",
        "SELECT * FROM violations ORDER BY ALL",
        "SELECT id, action, severity, state, reason FROM decisions ORDER BY id",
    ]
    .map(|sql| dump(db, sql))
    .to_vec()
}

pub(crate) async fn run(
    scans: &[Vec<String>; 3],
    disturb: impl AsyncFn(usize, &mut Server, &mut Pipeline),
) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut server, mut pipeline) = started();
    for (number, lines) in scans.iter().enumerate() {
        // Published while stages run, so that a kill lands in mid-flow.
        publish(&server.url(), lines).await;
        disturb(number, &mut server, &mut pipeline).await;
    }
    settled(&server.url()).await;
    let ids = decision_ids(&server.url()).await;
    let dead = stored(&server.url(), "DEAD", "elava.dead.*").await;
    assert!(dead.is_empty(), "no dead letters: {dead:?}");
    pipeline.stop();
    (history(&pipeline.db()), ids)
}

pub(crate) fn assert_same(
    found: &(Vec<Vec<String>>, Vec<String>),
    undisturbed: &(Vec<Vec<String>>, Vec<String>),
    what: &str,
) {
    for (found, expected) in found.0.iter().zip(&undisturbed.0) {
        let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "{what}: first differing row");
        assert_eq!(found.len(), expected.len(), "{what}: rows");
    }
    assert_eq!(found.1, undisturbed.1, "{what}: decision ids");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_stages_and_server_lose_nothing_and_repeat_nothing() {
    let scans = scans(micros(Utc::now() - TimeDelta::hours(1)));
    let undisturbed = run(&scans, async |_, _, _| {}).await;
    assert!(undisturbed.0.iter().all(|rows| !rows.is_empty()), "the undisturbed run has everything");

    for stage in elava_e2e::STAGES {
        let disturbed = run(&scans, async |number, server, pipeline| {
            // At a different point of each scan: at once, a little in, and far in.
            tokio::time::sleep(std::time::Duration::from_millis(150 * number as u64)).await;
            pipeline.kill(stage);
            if number == 2 {
                // Killed again while it catches up.
                pipeline.start(stage, &[]);
                let url = server.url();
                until("a little progress", async || !stored(&url, "CHANGE", "elava.change.>").await.is_empty()).await;
                pipeline.kill(stage);
            }
            pipeline.start(stage, &[]);
        })
        .await;
        assert_same(&disturbed, &undisturbed, stage);
    }

    let disturbed = run(&scans, async |_, server, _| server.restart().expect("nats-server starts again")).await;
    assert_same(&disturbed, &undisturbed, "nats-server");
}
