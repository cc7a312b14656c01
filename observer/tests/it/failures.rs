//! What a scan reports when the API throttles, fails, repeats itself or stops answering.

use std::time::Duration;

use elava_bus::{CancellationToken, Lease};
use elava_observer::aws::{Place, scan};
use elava_schemas::ScanOutcome::{self, Complete, Failed, Partial};

use crate::canned::{Answer, Call, serve, vpcs};
use crate::collect::{ACCOUNT, Collected, config, kind, scan_once};

const LIMIT: Duration = Duration::from_secs(60);

struct Row {
    name: &'static str,
    answer: fn(&Call) -> Answer,
    outcome: ScanOutcome,
    ids: &'static [&'static str],
    api_calls: u64,
    codes: &'static [&'static str],
}

#[tokio::test]
async fn outcomes() {
    let rows = [
        Row {
            name: "two pages",
            answer: |call| match call.token() {
                None => vpcs(&["vpc-1", "vpc-2"], Some("two")),
                Some(_) => vpcs(&["vpc-3"], None),
            },
            outcome: Complete,
            ids: &["vpc-1", "vpc-2", "vpc-3"],
            api_calls: 2,
            codes: &[],
        },
        Row {
            name: "an empty token ends the listing, an empty page does not",
            answer: |call| match call.token() {
                None => vpcs(&[], Some("two")),
                Some(_) => vpcs(&["vpc-1"], Some("")),
            },
            outcome: Complete,
            ids: &["vpc-1"],
            api_calls: 2,
            codes: &[],
        },
        Row {
            name: "pages shift, a resource is seen twice",
            answer: |call| match call.token() {
                None => vpcs(&["vpc-1", "vpc-2"], Some("two")),
                Some(_) => vpcs(&["vpc-2", "vpc-3"], None),
            },
            outcome: Complete,
            ids: &["vpc-1", "vpc-2", "vpc-3"],
            api_calls: 2,
            codes: &[],
        },
        Row {
            name: "throttled and failing in between, resumes from its token",
            answer: |call| match (call.number, call.token()) {
                (0, None) => Answer::Error(503, "RequestLimitExceeded"),
                (1, None) => vpcs(&["vpc-1"], Some("two")),
                (2, Some("two")) => Answer::Error(500, "InternalError"),
                (3, Some("two")) => Answer::HangUp,
                (4, Some("two")) => Answer::Ok("<html>a proxy's page".to_owned()),
                (5, Some("two")) => cut_off(vpcs(&["vpc-2"], None)),
                (6, Some("two")) => vpcs(&["vpc-2"], None),
                _ => Answer::Error(400, "WrongToken"),
            },
            outcome: Complete,
            ids: &["vpc-1", "vpc-2"],
            api_calls: 7,
            codes: &["RequestLimitExceeded", "InternalError", "dispatch", "response", "response"],
        },
        Row {
            name: "forbidden: fails at once",
            answer: |_| Answer::Error(403, "UnauthorizedOperation"),
            outcome: Failed,
            ids: &[],
            api_calls: 1,
            codes: &["UnauthorizedOperation"],
        },
        Row {
            name: "a token that expires half-way",
            answer: |call| match call.token() {
                None => vpcs(&["vpc-1"], Some("two")),
                Some(_) => Answer::Error(400, "InvalidNextToken"),
            },
            outcome: Partial,
            ids: &["vpc-1"],
            api_calls: 2,
            codes: &["InvalidNextToken"],
        },
        Row {
            name: "a token that comes for ever",
            answer: |_| vpcs(&["vpc-1"], Some("again")),
            outcome: Partial,
            ids: &["vpc-1"],
            api_calls: 2,
            codes: &["page_token"],
        },
        Row {
            name: "a resource without an id leaves the rest unproven",
            answer: |_| vpcs(&["vpc-1", ""], None),
            outcome: Partial,
            ids: &["vpc-1"],
            api_calls: 1,
            codes: &["no_id"],
        },
    ];
    for row in rows {
        let endpoint = serve(row.answer).await;
        let (resources, report) = scan_once(&endpoint, "us-east-1", kind("ec2:vpc"), LIMIT).await;
        let ids: Vec<&str> = resources.iter().map(|resource| resource.key.id.as_str()).collect();
        let codes: Vec<&str> = report.errors.iter().map(|error| error.code.as_str()).collect();
        assert_eq!(
            (report.outcome, &ids[..], report.api_calls, &codes[..]),
            (row.outcome, row.ids, row.api_calls, row.codes),
            "{}",
            row.name
        );
    }
}

/// Without its last 40 bytes: the SDK takes that for a whole answer.
fn cut_off(answer: Answer) -> Answer {
    match answer {
        Answer::Ok(body) => Answer::Ok(body[..body.len() - 40].to_owned()),
        other => other,
    }
}

#[tokio::test]
async fn silence_ends_at_the_time_limit() {
    let endpoint = serve(|_| Answer::Silence).await;
    let (_, report) = scan_once(&endpoint, "us-east-1", kind("ec2:vpc"), Duration::from_millis(200)).await;
    assert_eq!((report.outcome, report.errors[0].code.as_str()), (Failed, "deadline"));
}

#[tokio::test]
async fn nobody_there_is_given_up() {
    let (_, report) = scan_once("http://127.0.0.1:9", "us-east-1", kind("ec2:vpc"), LIMIT).await;
    assert_eq!((report.outcome, report.api_calls), (Failed, 8));
    assert!(report.errors.iter().all(|error| error.code == "dispatch"), "{:?}", report.errors);
}

#[tokio::test]
async fn stopping_ends_as_partial() {
    let endpoint = serve(|call| match call.token() {
        None => vpcs(&["vpc-1"], Some("two")),
        Some(_) => Answer::Silence,
    })
    .await;
    let place = Place::new(ACCOUNT, "us-east-1", &config(&endpoint, "us-east-1").await);
    let (collected, stop) = (Collected::default(), CancellationToken::new());
    let claim = Lease::unlimited();
    let scanning = scan(kind("ec2:vpc"), &place, &collected, LIMIT, &stop, &claim);
    let stopping = async {
        while collected.0.lock().expect("not poisoned").is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (report, ()) = tokio::join!(scanning, stopping);
    let report = report.expect("collecting does not fail");
    assert_eq!((report.outcome, report.observed, report.errors[0].code.as_str()), (Partial, 1, "stopped"));
}
