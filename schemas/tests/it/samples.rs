//! `schemas/samples/v<N>/` holds lines of every kind and version ever written. They load for ever:
//! rows are added, never changed.
//!
//! `<kind>.ndjson` is what our stages write, `<kind>.alias.ndjson` what people and the original
//! design write: it loads too, without being described by the JSON Schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use elava_schemas::{Kind, Message, peek_kind};

struct Sample {
    /// File and line.
    at: String,
    kind: String,
    alias: bool,
    line: String,
}

fn samples() -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let list = |folder: &Path| -> Vec<_> {
        let entries = fs::read_dir(folder).expect("the samples are readable");
        entries.map(|entry| entry.expect("the samples are readable").path()).collect()
    };
    let mut samples = Vec::new();
    for file in list(&root).iter().flat_map(|version| list(version)) {
        let name = file.file_name().expect("a listed file has a name").to_string_lossy().into_owned();
        let stem = name.strip_suffix(".ndjson").expect(&name);
        let (kind, alias) = stem.strip_suffix(".alias").map_or((stem, false), |kind| (kind, true));
        let text = fs::read_to_string(&file).expect("a sample is text");
        samples.extend(text.lines().zip(1..).map(|(line, number)| Sample {
            at: format!("{}:{number}", file.display()),
            kind: kind.to_owned(),
            alias,
            line: line.to_owned(),
        }));
    }
    samples
}

#[test]
fn every_kind_has_samples() {
    let sampled: BTreeSet<String> = samples().into_iter().map(|sample| sample.kind).collect();
    let all: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(sampled, all);
}

#[test]
fn every_sample_loads_and_keeps_its_meaning_when_written_again() {
    for Sample { at, kind, line, .. } in samples() {
        let message = Message::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(message.kind().as_str(), kind, "{at}");
        let again = Message::parse(&message.to_line()).unwrap_or_else(|error| panic!("{at} written again: {error}"));
        assert_eq!(again, message, "{at}");
    }
}

#[test]
fn what_we_write_is_what_the_schema_says() {
    for Sample { at, alias, line, .. } in samples() {
        let kind = peek_kind(line.as_bytes()).expect(&at);
        let schema = jsonschema::validator_for(kind.json_schema().as_value()).expect("a schema of ours is valid");
        let written = Message::parse(line.as_bytes()).expect(&at).to_line();
        let as_sent = (!alias).then(|| line.clone().into_bytes());
        for line in as_sent.into_iter().chain([written]) {
            let value = serde_json::from_slice(&line).expect(&at);
            let errors: Vec<String> =
                schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(errors.is_empty(), "{at}: {errors:?}");
        }
    }
}
