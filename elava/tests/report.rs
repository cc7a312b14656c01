//! `elava report`, the real process, over a history of a few days in which hostile names were seen.

mod told;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::{TimeDelta, Utc};
use elava_schemas::Timestamp;
use serde_json::{Value, json};

const HOSTILE: &str = "<script>alert('x')</script>";
const ACCOUNT: &str = "111111111111";

/// A scan of instances that ended well, and what it saw.
fn scan(number: u32, at: Timestamp, resources: &[Value]) -> Vec<Value> {
    let scan_id = format!("s{number}");
    let see = |resource: &Value| {
        let mut resource = resource.clone();
        let id = resource["name"].clone();
        resource["key"] = json!({
            "provider": "aws", "account": ACCOUNT, "region": "eu-west-1", "type": "ec2:instance", "id": id,
        });
        json!({"kind": "observation", "v": 1, "scan_id": scan_id, "observed_at": at, "resource": resource})
    };
    let scope = json!({"provider": "aws", "account": ACCOUNT, "region": "eu-west-1", "type": "ec2:instance"});
    let report = json!({
        "kind": "scan_report", "v": 1, "scan_id": scan_id, "scope": scope, "started_at": at, "finished_at": at,
        "outcome": "complete", "observed": resources.len(), "api_calls": 1,
    });
    resources.iter().map(see).chain([report]).collect()
}

fn instance(name: &str, class: &str, owner: &str) -> Value {
    json!({"name": name, "status": "running", "tags": {"Owner": owner}, "attributes": {"InstanceType": class}})
}

/// Five days: three changes of one resource, one that comes, one that goes, a violation that stays.
fn story(now: Timestamp) -> Vec<Value> {
    let ago = |days: i64| now - TimeDelta::days(days);
    let web = |owner: &str| instance("web", "t3.large", owner);
    let hostile = |class: &str| instance(HOSTILE, class, HOSTILE);
    let mut rows = scan(1, ago(5), &[web("a"), instance("old", "t3.medium", "a")]);
    rows.extend(scan(2, ago(4), &[web("b"), instance("old", "t3.medium", "a"), hostile("t3.medium")]));
    rows.extend(scan(3, ago(3), &[web("c"), hostile("t3.large")]));
    rows.extend(scan(4, ago(2), &[web("d"), hostile("m5.4xlarge")]));
    rows.push(json!({
        "kind": "policy_result", "v": 1, "id": "r-1", "version": "v", "subject": "present", "compliant": false,
        "resource_key": format!("aws/{ACCOUNT}/eu-west-1/ec2:instance/web"), "errors": [], "bundle": "b1",
        "violations": [{"policy": "day2.tags.owner", "rule": "owner", "severity": "critical", "message": HOSTILE}],
        "evaluated_at": ago(2),
    }));
    rows
}

fn tell(history: &Path, rows: &[Value], now: Timestamp) {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    told::tell(history, &lines, &now.to_rfc3339());
}

fn report(history: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_elava"))
        .args(["report", "--db"])
        .arg(history)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary")
}

fn page(history: &Path, arguments: &[&str]) -> String {
    let output = report(history, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A section of the page.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let begin = page.find(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}"));
    let end = page[begin..].find("</section>").expect("it ends");
    &page[begin..begin + end]
}

#[test]
fn a_page_tells_a_span_of_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history.duckdb");
    let now = Utc::now();
    tell(&history, &story(now), now);
    let told = page(&history, &["--since", "7d"]);

    // one file: nothing is loaded, nothing is run, nothing of the cloud is markup
    assert!(told.starts_with("<!DOCTYPE html>") && told.ends_with("</html>\n"), "{told}");
    for refused in ["<script", "<link", "<img", "href=", "src=\"", "url(", "@import", "http://", "https://"] {
        assert!(!told.contains(refused), "{refused}: {told}");
    }
    assert_eq!(told.matches("<svg").count(), 3, "changes, cost, violations");
    for tag in ["<section", "<svg", "<g", "<table", "<tr", "<td", "<details"] {
        let opened = told.matches(&format!("{tag}>")).count() + told.matches(&format!("{tag} ")).count();
        assert_eq!(opened, told.matches(&format!("</{}>", &tag[1..])).count(), "{tag}");
    }

    for (id, expected) in [
        ("changes", &["Changes per day", "changes per day", "appeared", "disappeared", "tag drift"][..]),
        ("cost", &["by type", "US dollars a month", "ec2:instance", "Nothing is known of the time before"]),
        ("violations", &["critical", "open violations"]),
        ("coverage", &["111111111111 · eu-west-1", "1 is stale", "2d 0h"]),
        ("flapping", &["web", "tag Owner changed from &quot;c&quot; to &quot;d&quot;", "&lt;script&gt;"]),
        ("critical", &["day2.tags.owner", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"]),
        ("newest", &["disappeared", "old", "cost increase"]),
    ] {
        let section = section(&told, id);
        for text in expected {
            assert!(section.contains(text), "{id}: {text}: {section}");
        }
    }

    // narrowed to what is not there: words, and nothing drawn
    let nothing = page(&history, &["--account", "<i>2"]);
    assert!(nothing.contains("only account <b>&lt;i&gt;2</b>"), "{nothing}");
    assert_eq!((nothing.matches("<svg").count(), nothing.matches("class=\"nothing\"").count()), (0, 7), "{nothing}");
}

#[test]
fn a_page_is_written_where_it_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history.duckdb");
    let now = Utc::now();
    tell(&history, &story(now), now);
    let file = folder.path().join("report.html");
    let output = report(&history, &["--to", file.to_str().expect("text"), "--by", "account"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty() && said.contains("wrote"), "{said}");
    assert!(std::fs::read_to_string(&file).expect("it is there").contains("cost by account"));

    for (arguments, code, expected) in [
        (&["--to", "/nowhere/report.html"][..], 1, "cannot write /nowhere/report.html: "),
        (&["--since", "2999-01-01"], 2, "is still to come"),
        (&["--since", "whenever"], 2, "is no time"),
        (&["--json"], 2, "unexpected argument '--json'"),
    ] {
        let output = report(&history, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && said.contains(expected), "{arguments:?}: {said}");
    }
}
