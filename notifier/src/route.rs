//! Which decisions go to which channels. Pure.

use elava_schemas::Decision;
use elava_schemas::config::{OneOrMany, Route, RouteMatch};
use elava_schemas::exceptions::is_like;

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
        (Some(patterns), Some(text)) => patterns.iter().any(|pattern| is_like(pattern, text)),
    };
    let tag = |(name, patterns): (&String, &OneOrMany<String>)| {
        let value = decision.resource.tags.as_ref().and_then(|tags| tags.get(name));
        value.is_some_and(|value| patterns.iter().any(|pattern| is_like(pattern, value)))
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
