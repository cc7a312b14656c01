//! `${NAME}` and `${NAME:-default}` in the configuration.

/// What was wrong, and in which line (from 1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExpandError {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Replaces every variable outside comment lines. `$${` stands for a plain `${`.
pub(super) fn expand(
    text: &str,
    variable: &dyn Fn(&str) -> Result<Option<String>, String>,
) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_start().starts_with('#') {
            out.push_str(line);
            continue;
        }
        let error = |message| ExpandError { line: index + 1, message };
        expand_line(line, variable, &mut out).map_err(error)?;
    }
    Ok(out)
}

fn expand_line(
    line: &str,
    variable: &dyn Fn(&str) -> Result<Option<String>, String>,
    out: &mut String,
) -> Result<(), String> {
    let mut rest = line;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            out.push_str(&rest[..start]);
            out.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        out.push_str(&rest[..start]);
        let end = rest[start..].find('}').ok_or("`${` without `}`")? + start;
        let inner = &rest[start + 2..end];
        let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        let value = variable(name)?.filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned));
        let value = value.ok_or_else(|| {
            format!("environment variable `{name}` is not set; set it, name a file by `{name}_FILE`, or write ${{{name}:-default}}")
        })?;
        if value.contains('\n') {
            return Err(format!("environment variable `{name}` has more than one line"));
        }
        out.push_str(&value);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands() {
        let variable = |name: &str| match name {
            "HOOK" => Ok(Some("https://h/1".to_owned())),
            "LOST" => Err("cannot read it".to_owned()),
            _ => Ok(None),
        };
        for (text, expanded) in [
            ("webhook: ${HOOK}\n", Ok("webhook: https://h/1\n")),
            ("a: ${NONE:-x}-${HOOK}", Ok("a: x-https://h/1")),
            ("# ${NONE}\n", Ok("# ${NONE}\n")),
            ("a: $${HOOK}", Ok("a: ${HOOK}")),
            ("a: 1\nb: ${NONE}", Err(2)),
            ("a: ${HOOK", Err(1)),
            ("a: ${LOST:-x}", Err(1)),
        ] {
            let got = expand(text, &variable);
            assert_eq!(got.as_deref().map_err(|error| error.line), expanded, "{text}");
        }
    }
}
