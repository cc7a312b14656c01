//! What the tests share: a folder of policies, a resource, a change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use elava_enforcer::{Bundle, BundleError, Dialect, Verdict, input};
use elava_schemas::{Baseline, Change, ChangeHistory, ChangeId, ChangeType, Resource, ResourceKey, Tags, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        write(&folder, path, text);
    }
    folder
}

pub(crate) fn write(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is made");
    std::fs::write(path, text).expect("the file is written");
}

pub(crate) fn shipped() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies"))
}

pub(crate) fn load(files: &[(&str, &str)]) -> Result<Bundle, BundleError> {
    Bundle::load(folder(files).path(), Dialect::PerFile)
}

/// An error with its causes, and without the name of a temporary folder.
pub(crate) fn refusal(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    match Bundle::load(folder.path(), Dialect::PerFile) {
        Ok(bundle) => panic!("loaded, with {} packages", bundle.packages().len()),
        Err(error) => elava_bus::cli::chain(&error).replace(&folder.path().display().to_string(), "(folder)"),
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Option<Tags> {
    Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>())
}

pub(crate) fn key(kind: &str, id: &str) -> ResourceKey {
    format!("aws/111122223333/eu-west-1/{kind}/{id}").parse().expect("a key")
}

pub(crate) fn resource(kind: &str, tags: Option<Tags>, attributes: Value) -> Resource {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    Resource { tags, attributes, ..Resource::new(key(kind, "r-1")) }
}

pub(crate) fn appeared(current: Resource) -> Change {
    Change {
        id: ChangeId::of(&[&current.key.to_string(), "1"]),
        change_type: ChangeType::Appeared,
        baseline: Baseline::No,
        resource_key: current.key.clone(),
        version: "v1".into(),
        previous: None,
        current: Some(current),
        diff: Vec::new(),
        detected_at: at("2026-03-01T12:00:00Z"),
        scan_id: None,
        details: "appeared".into(),
        cause: None,
        earlier_life: None,
        scope_resources: None,
        history: Some(ChangeHistory { first_seen: at("2026-02-01T12:00:00Z"), changes_7d: 2, changes_30d: 5 }),
    }
}

pub(crate) fn environment_tags() -> Vec<String> {
    elava_schemas::config::Config::default().policies.environment_tags
}

pub(crate) fn evaluate(bundle: &Bundle, resource: Resource) -> Verdict {
    let kind = resource.key.kind.clone();
    let input = input::build(&appeared(resource), &environment_tags()).expect("it is there");
    bundle.evaluate(&kind, input)
}

/// One line per violation and per error.
pub(crate) fn lines(verdict: &Verdict) -> String {
    let violations = verdict.violations.iter().map(|v| {
        let suggestion = v.suggestion.as_deref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{} {} {}: {}{suggestion}\n", v.severity.as_str(), v.policy, v.rule, v.message)
    });
    let errors = verdict.errors.iter().map(|error| format!("error {}: {}\n", error.policy, error.message));
    violations.chain(errors).collect()
}
