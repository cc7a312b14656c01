//! OPA metadata annotations: the `# METADATA` comment before a package.
//!
//! The engine has no access to them, so they are read from the text. Only those of the package
//! count here; `opa inspect` and editors read the others.

use elava_schemas::Severity;
use regorus::Value;

use crate::RegoError;

/// What a file says about its package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotations {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    /// `custom.suggestion`: how to mend a violation that does not say so itself.
    pub(crate) suggestion: Option<String>,
    /// `custom.severity`: for the list of rules; the sets decide.
    pub(crate) severity: Option<Severity>,
    /// `custom.types`: the only resource types the package applies to; a trailing `*` matches any rest.
    pub(crate) types: Option<Vec<String>>,
}

/// Reads the annotations of the package that `text` declares.
pub(crate) fn package_annotations(path: &str, text: &str) -> Result<Annotations, RegoError> {
    let Some((line, yaml)) = package_block(text) else { return Ok(Annotations::default()) };
    let wrong = |message: String| RegoError::in_file(path, line, format!("metadata: {message}"));
    let block = Value::from_yaml_str(&yaml).map_err(|error| wrong(error.to_string()))?;
    let custom = &block["custom"];
    let text = |value: &Value, name: &str| match value {
        Value::Undefined => Ok(None),
        Value::String(text) => Ok(Some(text.trim().to_owned())),
        _ => Err(wrong(format!("`{name}` must be a text"))),
    };
    Ok(Annotations {
        title: text(&block["title"], "title")?,
        description: text(&block["description"], "description")?,
        suggestion: text(&custom["suggestion"], "custom.suggestion")?,
        severity: text(&custom["severity"], "custom.severity")?
            .map(|name| {
                Severity::ALL
                    .into_iter()
                    .find(|severity| severity.as_str() == name)
                    .ok_or_else(|| wrong("`custom.severity` must be critical, warning or info".to_owned()))
            })
            .transpose()?,
        types: types(&custom["types"]).map_err(wrong)?,
    })
}

fn types(value: &Value) -> Result<Option<Vec<String>>, String> {
    let wrong = || "`custom.types` must be a list of resource types".to_owned();
    if *value == Value::Undefined {
        return Ok(None);
    }
    let items = value.as_array().map_err(|_| wrong())?;
    items
        .iter()
        .map(|item| item.as_string().map(|text| text.to_string()).map_err(|_| wrong()))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The YAML of the block directly before `package`, and the line it begins on.
fn package_block(text: &str) -> Option<(usize, String)> {
    let mut block: Option<(usize, String)> = None;
    for (line, number) in text.lines().zip(1..) {
        match line.strip_prefix('#') {
            Some(comment) if comment.trim() == "METADATA" => block = Some((number, String::new())),
            Some(comment) => {
                if let Some((_, yaml)) = &mut block {
                    yaml.push_str(comment.strip_prefix(' ').unwrap_or(comment));
                    yaml.push('\n');
                }
            }
            None if line.starts_with("package ") => return block,
            None => block = None,
        }
    }
    None
}
