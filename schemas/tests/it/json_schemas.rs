//! `schemas/json/` is generated from the Rust types. `make generate` (`ELAVA_BLESS=1`) rewrites it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use elava_schemas::Kind;
use elava_schemas::config::Config;
use elava_schemas::exceptions::ExceptionsFile;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("json")
}

/// File name and content of every schema.
fn generated() -> BTreeMap<String, String> {
    let messages = Kind::ALL.iter().map(|kind| (kind.as_str(), kind.json_schema()));
    let config = ("config", schemars::schema_for!(Config));
    let exceptions = ("exceptions", schemars::schema_for!(ExceptionsFile));
    let text = |schema| serde_json::to_string_pretty(&schema).expect("a schema serialises") + "\n";
    messages.chain([config, exceptions]).map(|(name, schema)| (format!("{name}.schema.json"), text(schema))).collect()
}

#[test]
fn committed_schemas_are_fresh() {
    let generated = generated();
    if std::env::var_os("ELAVA_BLESS").is_some() {
        for (name, text) in &generated {
            fs::write(folder().join(name), text).expect("schemas/json is writable");
        }
    }
    let committed: BTreeMap<String, String> = fs::read_dir(folder())
        .expect("schemas/json exists")
        .map(|entry| entry.expect("schemas/json is readable").path())
        .map(|path| {
            let name = path.file_name().expect("a listed file has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a schema is text"))
        })
        .collect();
    let names = |schemas: &BTreeMap<String, String>| schemas.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated), "files in schemas/json");
    for (name, text) in &generated {
        assert!(committed[name] == *text, "{name} differs from its Rust type: run `make generate`");
    }
}

#[test]
fn schemas_are_valid_and_describe_every_field() {
    for (name, text) in generated() {
        let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
        jsonschema::validator_for(&schema).expect(&name);
        let mut undescribed = Vec::new();
        fields(&schema, &mut |field, schema| {
            if schema.get("description").is_none() {
                undescribed.push(field.to_owned());
            }
        });
        assert!(undescribed.is_empty(), "{name}: no description for {undescribed:?}");
    }
}

/// Calls `visit` with the name and schema of every field anywhere in a schema.
pub(crate) fn fields(schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match schema {
        Value::Object(object) => {
            for (word, value) in object {
                if let (true, Some(properties)) = (word == "properties", value.as_object()) {
                    properties.iter().for_each(|(name, schema)| visit(name, schema));
                    properties.values().for_each(|schema| fields(schema, visit));
                } else {
                    fields(value, visit);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, visit)),
        _ => {}
    }
}
