//! `elava.yaml` at the root is the configuration's documentation: it loads, and shows every field.

use std::path::PathBuf;

use elava_schemas::config::{self, Config, Duration};

use crate::json_schemas::fields;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../elava.yaml")
}

fn text() -> String {
    std::fs::read_to_string(path()).expect("elava.yaml is at the root")
}

/// The example with every setting that is commented out switched on.
fn everything_on() -> String {
    let text = text();
    let settings = text.lines().map(|line| match line.trim_start().strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => line.replacen('#', "", 1),
        _ => line.to_owned(),
    });
    // an empty map gives way to the entries below it
    settings.collect::<Vec<_>>().join("\n").replace("webhooks: {}", "webhooks:").replace("rules: {}", "rules:")
}

#[test]
fn the_example_loads() {
    let config = config::parse("elava.yaml", &text(), &|_| Ok(None)).unwrap_or_else(|error| panic!("{error}"));
    let slack = config.actions.notifications.slack.expect("slack is shown");
    assert!(slack.enabled == Some(false) && slack.webhook.is_empty());
    assert_eq!(config.scanning.tiers["critical"].scan_interval, Duration::minutes(5));
    config::load(&path()).expect("and from its file");
}

#[test]
fn the_example_shows_the_defaults() {
    let mut config = config::parse("elava.yaml", &text(), &|_| Ok(None)).expect("the example loads");
    let default = Config::default();
    config.scanning.tiers.clear();
    config.actions.notifications = default.actions.notifications.clone();
    assert_eq!(config, default, "the example says that it shows the defaults, tiers and channels apart");
}

#[test]
fn the_example_loads_with_everything_on() {
    let config = config::parse("elava.yaml", &everything_on(), &|name| Ok(Some(name.to_owned())))
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.regions, ["us-east-1", "eu-west-1"]);
    assert_eq!(config.scanning.accounts[0].external_id.as_deref(), Some("ELAVA_EXTERNAL_ID"));
}

#[test]
fn the_example_names_every_field() {
    let example = everything_on();
    let named = |field: &str| {
        example
            .lines()
            .map(|line| line.trim_start_matches([' ', '-']))
            .any(|line| line.strip_prefix(field).is_some_and(|rest| rest.starts_with(':')))
    };
    let mut missing = Vec::new();
    fields(schemars::schema_for!(Config).as_value(), &mut |field, _| {
        if !named(field) {
            missing.push(field.to_owned());
        }
    });
    assert!(missing.is_empty(), "elava.yaml does not show {missing:?}");
}
