//! Histories that have been told something.

use std::path::Path;

use elava_bus::{Batch, Page, Source, Stage};
use elava_detector::{Detector, Shard};
use elava_schemas::config::Config;

/// Gives these lines, as received at that time (RFC 3339), to a detector with a new history.
pub(crate) fn tell(history: &Path, lines: &str, received_at: &str) {
    let detector = Detector::open(history, Shard::WHOLE, &Config::default()).expect("a new history");
    let received_at = received_at.parse().expect("a time");
    let body = lines.to_owned().into();
    let page = Page { sequence: 1, subject: "-".to_owned(), first_line: 1, received_at, body };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let told = runtime.block_on(detector.handle(&Batch { source: Source::Pipe, pages: vec![page] }));
    assert_eq!(told.expect("the history takes it").rejected, []);
}
