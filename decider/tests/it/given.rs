//! Short words for inputs, configurations and decisions.

use std::collections::BTreeMap;

use elava_decider::{Context, Entry, Exceptions, decide_change, decide_result};
use elava_schemas::config::Config;
use elava_schemas::{
    Baseline, Change, ChangeId, ChangeType, Decision, Message, PolicyError, PolicyResult, Resource, ResourceKey,
    ResultId, Severity, Subject, Tags, Timestamp, Trigger, Violation,
};

/// The configuration with these lines of YAML instead of the defaults.
pub(crate) fn config(yaml: &str) -> Config {
    elava_schemas::config::parse("test.yaml", &format!("version: \"2.0\"\n{yaml}\n"), &|_| Ok(None)).expect(yaml)
}

/// `a=1,b=2`; `?` for tags that could not be read.
pub(crate) fn tags(text: &str) -> Option<Tags> {
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    (text != "?").then(|| text.split(',').filter_map(pair).collect::<BTreeMap<_, _>>())
}

pub(crate) fn key(id: &str) -> ResourceKey {
    format!("aws/123456789012/us-east-1/rds:db/{id}").parse().expect("a key")
}

pub(crate) fn resource(id: &str, tag_text: &str, cost: Option<f64>) -> Resource {
    let mut resource = Resource {
        name: Some("orders".into()),
        tags: tags(tag_text),
        monthly_cost_usd: cost,
        ..Resource::new(key(id))
    };
    // an attribute, and no tag
    if let Some(value) = resource.tags.as_mut().and_then(|tags| tags.remove("DeletionProtection")) {
        resource.attributes.insert("DeletionProtection".to_owned(), (value == "yes").into());
    }
    resource
}

/// A change of the resource `db-1`; its id says what it is, so that equal changes have equal ids.
pub(crate) fn change(sort: ChangeType, previous: Option<Resource>, current: Option<Resource>) -> Change {
    let ids = format!("{sort:?} {previous:?} {current:?}");
    let key = previous.as_ref().or(current.as_ref()).map(|resource| resource.key.clone()).expect("a resource");
    Change {
        id: ChangeId::of(&[&ids]),
        change_type: sort,
        baseline: Baseline::No,
        resource_key: key,
        version: "v1".into(),
        previous,
        current,
        diff: Vec::new(),
        detected_at: Timestamp::UNIX_EPOCH,
        scan_id: None,
        details: "as detected".into(),
        cause: None,
        earlier_life: None,
        scope_resources: None,
        history: None,
    }
}

pub(crate) fn gone(tags: &str) -> Message {
    change(ChangeType::Disappeared, Some(resource("db-1", tags, None)), None).into()
}

pub(crate) fn new(tags: &str) -> Message {
    change(ChangeType::Appeared, None, Some(resource("db-1", tags, None))).into()
}

pub(crate) fn drift(before: &str, after: &str) -> Message {
    let (before, after) = (resource("db-1", before, None), resource("db-1", after, None));
    change(ChangeType::TagDrift, Some(before), Some(after)).into()
}

pub(crate) fn modified(before: f64, after: f64) -> Message {
    let (before, after) = (resource("db-1", "", Some(before)), resource("db-1", "", Some(after)));
    change(ChangeType::Modified, Some(before), Some(after)).into()
}

pub(crate) fn dearer(before: f64, after: f64) -> Message {
    let (before, after) = (resource("db-1", "", Some(before)), resource("db-1", "", Some(after)));
    change(ChangeType::CostIncrease, Some(before), Some(after)).into()
}

/// `critical day2.security/public: Open to the world`, separated by `;`.
pub(crate) fn violations(text: &str) -> Vec<Violation> {
    let violation = |text: &str| {
        let (head, message) = text.split_once(": ")?;
        let (severity, rule) = head.trim().split_once(' ')?;
        let (policy, rule) = rule.split_once('/')?;
        Some(Violation {
            policy: policy.into(),
            rule: rule.into(),
            severity: Severity::ALL.into_iter().find(|known| known.as_str() == severity)?,
            message: message.into(),
            suggestion: Some("Mend it".into()),
        })
    };
    text.split(';').filter_map(violation).collect()
}

/// A policy result with violations, and policies that could not be evaluated.
pub(crate) fn result_with(tag_text: &str, violated: &str, errors: &[&str], subject: Subject) -> Message {
    let error = |policy: &&str| PolicyError { policy: (*policy).into(), message: "no".into() };
    PolicyResult {
        id: ResultId::of(&[tag_text, violated, &errors.join(","), &format!("{subject:?}")]),
        resource_key: key("db-1"),
        version: "v1".into(),
        subject,
        resource: resource("db-1", tag_text, None).label(),
        compliant: violated.is_empty() && errors.is_empty(),
        violations: violations(violated),
        errors: errors.iter().map(error).collect(),
        bundle: "b".into(),
        evaluated_at: Timestamp::UNIX_EPOCH,
        caused_by: None,
        scan_id: None,
        scope_resources: None,
        baseline: Baseline::No,
        trigger: Trigger::Change,
    }
    .into()
}

pub(crate) fn result(violated: &str) -> Message {
    result_with("", violated, &[], Subject::Present)
}

/// Decides inputs about one resource by the pure core: what each leads to.
pub(crate) fn decide_all(inputs: &[Message], config: &Config) -> Vec<Vec<Decision>> {
    let exceptions = Exceptions::default();
    let context = Context { config, exceptions: &exceptions, now: Timestamp::UNIX_EPOCH };
    let mut entry = Entry::default();
    let mut decide = |input: &Message| {
        let (decisions, kept) = match input {
            Message::Change(change) => decide_change(change, &entry, &context),
            Message::PolicyResult(result) => decide_result(result, &entry, &context),
            other => panic!("{} is not decided", other.kind()),
        };
        entry = kept;
        decisions
    };
    inputs.iter().map(&mut decide).collect()
}

/// Runs a future that never waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the decider does not wait"),
    }
}
