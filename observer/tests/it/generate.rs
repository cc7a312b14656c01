//! Writes the mapping of `src/aws/generated` from the source of the AWS SDK, field by field.
//!
//! Pure but for reading that source. Member names are those of the API's own model, which the SDK's
//! deserialisers carry in their comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is written for one service.
pub(crate) struct Mapping {
    /// The Rust file.
    pub(crate) rust: String,
    /// `Struct.Member: why` of everything that attributes do not carry.
    pub(crate) unmapped: BTreeSet<String>,
}

/// Maps everything reachable from `roots`, except the fields of `skipped` (`Struct.field`, why).
pub(crate) fn mapping(sdk: &Path, service: &str, roots: &[&str], skipped: &[(&str, &str)]) -> Mapping {
    let files = type_files(sdk);
    let mut structs = BTreeMap::new();
    let mut enums = BTreeSet::new();
    let mut unmapped = BTreeSet::new();
    let mut open: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
    while let Some(name) = open.pop() {
        if structs.contains_key(&name) || enums.contains(&name) {
            continue;
        }
        let stem = files.get(&name).unwrap_or_else(|| panic!("{service} has no type {name}"));
        let source = read(&sdk.join(format!("src/types/{stem}.rs")));
        if source.contains(&format!("pub enum {name} {{")) {
            enums.insert(name);
            continue;
        }
        let members = members(&read(&sdk.join(format!("src/protocol_serde/shape{stem}.rs"))));
        let mut mapped = BTreeMap::new();
        for (field, kind) in fields(&source, &name) {
            let full = format!("{name}.{field}");
            let member = members.get(field.trim_start_matches("r#"));
            let skip = skipped.iter().find(|(skipped, _)| *skipped == full).map(|(_, why)| *why);
            match (skip, member, named_type(&files, &kind)) {
                (Some(why), _, _) => drop(unmapped.insert(format!("{service} {full}: {why}"))),
                (None, None, _) => drop(unmapped.insert(format!("{service} {full}: the API never sends it"))),
                (None, Some(_), Inner::Unknown) => {
                    unmapped.insert(format!("{service} {full}: no JSON form for {kind}"));
                }
                (None, Some(member), Inner::Plain) => drop(mapped.insert(member.clone(), field)),
                (None, Some(member), Inner::Named(inner)) => {
                    open.push(inner);
                    mapped.insert(member.clone(), field);
                }
            }
        }
        structs.insert(name, mapped);
    }
    Mapping { rust: render(service, &structs, &enums), unmapped }
}

fn render(service: &str, structs: &BTreeMap<String, BTreeMap<String, String>>, enums: &BTreeSet<String>) -> String {
    let mut out = format!(
        "//! Every field of the {service} types that resources are made of.\n//!\n\
         //! Generated from the SDK's source: `UPDATE_EXPECT=1 cargo test --test observer generated`.\n\n\
         use aws_sdk_{service}::types;\n\nuse crate::aws::json::{{Attributes, ToJson, Value, enums, put, structs}};\n\n\
         structs! {{\n"
    );
    for (name, members) in structs {
        out += &format!("    types::{name} {{\n");
        for (member, field) in members {
            out += &format!("        {field} {member:?}\n");
        }
        out += "    }\n";
    }
    out += "}\n\nenums! {\n";
    for name in enums {
        out += &format!("    types::{name}\n");
    }
    out + "}\n"
}

/// Where each type is: `Volume` in `_volume`.
fn type_files(sdk: &Path) -> BTreeMap<String, String> {
    let folder = sdk.join("src/types");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder entry").path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.starts_with('_')) else {
            continue;
        };
        for line in read(&path).lines() {
            let declared = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "));
            if let Some(name) = declared.and_then(|rest| rest.strip_suffix(" {")) {
                files.insert(name.to_owned(), stem.to_owned());
            }
        }
    }
    files
}

/// The public fields of a struct and their types.
fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let body = source.split_once(&format!("pub struct {name} {{")).map(|(_, rest)| rest).unwrap_or_default();
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    body.lines()
        .filter_map(|line| line.trim().strip_prefix("pub "))
        .filter_map(|line| line.split_once(": "))
        .map(|(field, kind)| (field.to_owned(), kind.trim_end_matches(',').to_owned()))
        .collect()
}

/// The API's member name of each field: from `s if s.matches("…") /* Member … */` and the setter after it.
fn members(source: &str) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    let mut member = None;
    for line in source.lines().map(str::trim) {
        if line.starts_with("s if s.matches(") {
            member = line.split_once("/* ").and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned);
        } else if let Some(setter) = line.strip_prefix("builder = builder.set_") {
            let field = setter.split('(').next().unwrap_or_default();
            if let Some(member) = member.take() {
                members.insert(field.to_owned(), member);
            }
        }
    }
    members
}

enum Inner {
    /// Text, numbers, instants, and lists of them.
    Plain,
    /// Another type of the SDK.
    Named(String),
    /// Something that `ToJson` does not know.
    Unknown,
}

fn named_type(files: &BTreeMap<String, String>, kind: &str) -> Inner {
    let mut inner = kind;
    for wrapper in ["::std::option::Option<", "::std::vec::Vec<"] {
        if let Some(rest) = inner.strip_prefix(wrapper).and_then(|rest| rest.strip_suffix('>')) {
            inner = rest;
        }
    }
    match inner.strip_prefix("crate::types::") {
        Some(name) if files.contains_key(name) => Inner::Named(name.to_owned()),
        Some(_) => Inner::Unknown,
        None if PLAIN.contains(&inner) => Inner::Plain,
        None => Inner::Unknown,
    }
}

const PLAIN: [&str; 6] = ["::std::string::String", "bool", "i32", "i64", "f64", "::aws_smithy_types::DateTime"];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
