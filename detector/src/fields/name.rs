//! Names of columns and tables: letters, digits and `_`, unlike all others whatever their case.

use hashbrown::HashSet;

/// `text` with `_` for whatever is no letter or digit of ASCII: DuckDB folds the case of no others.
pub(crate) fn plain(text: &str) -> String {
    if text.is_empty() {
        return "_".to_owned();
    }
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// `name`, or `name_2` and so on: the first that is not among `taken` (in lower case) and now is.
pub(crate) fn unused(name: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| taken.insert(name.to_ascii_lowercase()));
    free.expect("there are more numbers than names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let mut taken = HashSet::from(["changes".to_owned()]);
        for (text, expected) in [
            ("ec2:instance", "ec2_instance"),
            ("ec2-instance", "ec2_instance_2"),
            ("EC2.Instance", "EC2_Instance_3"),
            ("changes", "changes_2"),
            ("Changes_2", "Changes_2_2"),
            ("größe", "gr__e"),
            ("", "_"),
        ] {
            assert_eq!(unused(&plain(text), &mut taken), expected, "{text}");
        }
    }
}
