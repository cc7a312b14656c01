//! What becomes of one rich example of every type: `samples/<type>.xml` in, `samples/<type>.json` out.

use std::path::PathBuf;
use std::time::Duration;

use elava_observer::aws::KINDS;
use elava_schemas::ScanOutcome;
use expect_test::expect_file;

use crate::canned::{Answer, serve};
use crate::collect::scan_once;

/// `UPDATE_EXPECT=1` writes the JSON.
#[tokio::test]
async fn samples() {
    for kind in KINDS {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(kind.name.replace(':', "_"));
        let xml = std::fs::read_to_string(file.with_extension("xml"))
            .unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        let texts = texts(&xml);
        let endpoint = serve(move |_| Answer::Ok(xml.clone())).await;
        let (resources, report) = scan_once(&endpoint, "eu-west-1", kind, Duration::from_secs(30)).await;
        assert_eq!(report.outcome, ScanOutcome::Complete, "{}: {:?}", kind.name, report.errors);
        let json = serde_json::to_string_pretty(&resources).expect("resources serialise");
        expect_file![file.with_extension("json")].assert_eq(&format!("{json}\n"));
        for (element, text) in texts {
            let volatile = kind.volatile.iter().any(|member| member.eq_ignore_ascii_case(&element));
            assert_eq!(json.contains(&text), !volatile, "{}: {element} {text}", kind.name);
        }
    }
}

/// Every element that holds only text, but for instants: SDK and sample may write those differently.
fn texts(xml: &str) -> Vec<(String, String)> {
    let elements = xml.split('<').filter_map(|element| element.split_once('>'));
    let filled = elements.filter(|(name, text)| !name.starts_with(['/', '?']) && !text.trim().is_empty());
    filled
        .filter(|(_, text)| !text.ends_with('Z'))
        .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
        .collect()
}
