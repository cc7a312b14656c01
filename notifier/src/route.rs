//! Which decisions go to which channels. Pure.

use elava_schemas::Decision;
use elava_schemas::config::{OneOrMany, Route, RouteMatch};

use crate::channel::text::metadata;

/// The owner of a decision's resource: the first of these tags that there is.
pub(crate) fn owner<'a>(decision: &'a Decision, owner_tags: &[String]) -> Option<&'a str> {
    let tags = decision.resource.tags.as_ref()?;
    owner_tags.iter().find_map(|tag| tags.get(tag)).map(String::as_str).filter(|owner| !owner.is_empty())
}

/// The routes that a decision takes, by index; `None` when none matches.
pub(crate) fn taken(routes: &[Route], decision: &Decision, owner_tags: &[String]) -> Option<Vec<usize>> {
    let mut taken = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        if matches(&route.matches, decision, owner_tags) {
            taken.push(index);
            if !route.goes_on {
                break;
            }
        }
    }
    (!taken.is_empty()).then_some(taken)
}

fn matches(wanted: &RouteMatch, decision: &Decision, owner_tags: &[String]) -> bool {
    let key = &decision.resource_key;
    let fits = |patterns: &Option<OneOrMany<String>>, text: Option<&str>| match (patterns, text) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(patterns), Some(text)) => patterns.iter().any(|pattern| like(pattern, text)),
    };
    let tag = |(name, patterns): (&String, &OneOrMany<String>)| {
        let value = decision.resource.tags.as_ref().and_then(|tags| tags.get(name));
        value.is_some_and(|value| patterns.iter().any(|pattern| like(pattern, value)))
    };
    wanted.severity.is_none_or(|severity| decision.severity >= severity)
        && wanted.state.as_ref().is_none_or(|states| states.iter().any(|state| *state == decision.state))
        && fits(&wanted.account, Some(&key.account))
        && fits(&wanted.kind, Some(&key.kind))
        && fits(&wanted.region, Some(&key.region))
        && fits(&wanted.policy, metadata(decision, "policy"))
        && fits(&wanted.rule, metadata(decision, "rule"))
        && fits(&wanted.cause, metadata(decision, "cause"))
        && fits(&wanted.owner, owner(decision, owner_tags))
        && wanted.tags.iter().all(tag)
}

/// Whether a text is like a pattern, in which `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("ec2:*", "ec2:instance", true),
            ("ec2:*", "rds:db", false),
            ("*:db", "rds:db", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("day2.security", "day2.security", true),
            ("day2.security", "day2_security", false),
            ("", "", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
