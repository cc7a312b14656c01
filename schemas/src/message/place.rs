//! Which field of a line an error is about: serde_json tells only the column.

/// The error's text, with the dotted path of the field it was met in before it.
pub(super) fn with_field(line: &str, error: &serde_json::Error) -> String {
    let column = if error.line() == 1 { error.column() } else { 0 };
    match field_at(&line.as_bytes()[..column.min(line.len())]) {
        path if path.is_empty() => error.to_string(),
        path => format!("{path}: {error}"),
    }
}

/// The path of the field that a beginning of a JSON text ends in. The text is valid up to there.
fn field_at(text: &[u8]) -> String {
    // one entry for each object or list that is open: the field it is in, if it is in one yet
    let mut open: Vec<Option<String>> = Vec::new();
    let mut bytes = text.iter().copied().enumerate();
    let mut last_string = String::new();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                let mut end = text.len();
                while let Some((at, byte)) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => {
                            end = at;
                            break;
                        }
                        _ => {}
                    }
                }
                last_string = String::from_utf8_lossy(&text[at + 1..end]).into_owned();
            }
            b':' => {
                if let Some(field) = open.last_mut() {
                    *field = Some(std::mem::take(&mut last_string));
                }
            }
            // serde_json tells of a wrong value at its end, and of a missing field at the end of the object
            b',' if at + 1 < text.len() => {
                if let Some(field) = open.last_mut() {
                    *field = None;
                }
            }
            b'{' | b'[' => open.push(None),
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().flatten().collect::<Vec<_>>().join(".")
}
