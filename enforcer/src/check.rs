//! Lists a bundle for a person: the packages that decide, and what about.

use std::io::{self, Write};

use elava_schemas::Severity;

use crate::{Bundle, Package};

/// Writes one Markdown row per package: name, severity, types, title.
pub fn check(bundle: &Bundle, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| policy | severity | types | what it finds |\n|---|---|---|---|")?;
    for package in bundle.packages() {
        writeln!(out, "{}", row(package))?;
    }
    writeln!(out, "\n{} packages, bundle {}", bundle.packages().len(), bundle.hash())
}

fn row(package: &Package) -> String {
    let severities: Vec<&str> = match package.severity {
        Some(severity) => vec![severity.as_str()],
        None => package.severities().map(Severity::as_str).collect(),
    };
    let types = package.types.as_ref().map_or_else(|| "all".to_owned(), |types| types.join(", "));
    let title = package.title.as_deref().unwrap_or_default();
    format!("| `{}` | {} | {types} | {title} |", package.name, severities.join(", "))
}
