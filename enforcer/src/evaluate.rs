//! Asks every applicable policy about one input, and reads what it answers.

use std::collections::HashMap;

use elava_schemas::{PolicyError, Severity, Violation};
use regorus::{Engine, Value};

use crate::bundle::DecidingSet;
use crate::{Bundle, Package, RegoError};

/// Longest rule name that is made from a message.
const MAX_RULE_NAME: usize = 60;

/// What the policies say of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was violated, sorted.
    pub violations: Vec<Violation>,
    /// Policies that could not be evaluated, by name.
    pub errors: Vec<PolicyError>,
}

impl Verdict {
    /// True only if everything could be evaluated and nothing was violated.
    #[must_use]
    pub fn compliant(&self) -> bool {
        self.violations.is_empty() && self.errors.is_empty()
    }
}

impl Bundle {
    /// Evaluates the policies that apply to a resource type. One that fails does not stop the others.
    #[must_use]
    pub fn evaluate(&self, kind: &str, input: Value) -> Verdict {
        let mut verdict = Verdict::default();
        self.with_engines(|packages| {
            for (package, engine) in packages.filter(|(package, _)| package.applies_to(kind)) {
                engine.set_input(input.clone());
                for set in &package.sets {
                    if let Err(message) = ask(engine, package, set, &mut verdict.violations) {
                        verdict.errors.push(PolicyError { policy: package.name.clone(), message });
                    }
                }
            }
        });
        verdict.violations.sort();
        make_unique(&mut verdict.violations);
        verdict
    }
}

/// Evaluates one set and adds its members. What is not a violation is an error, never skipped.
fn ask(
    engine: &mut Engine,
    package: &Package,
    set: &DecidingSet,
    violations: &mut Vec<Violation>,
) -> Result<(), String> {
    let answer = engine.eval_rule(set.path.clone()).map_err(|error| RegoError::from(error).to_string())?;
    let mut read = |member: &Value| {
        violation(member, package, set.severity)
            .map(|violation| violations.push(violation))
            .map_err(|reason| format!("a member of {} {reason}: {member}", set.path))
    };
    match &answer {
        Value::Set(members) => members.iter().try_for_each(&mut read),
        Value::Array(members) => members.iter().try_for_each(&mut read),
        Value::Undefined => Err(format!("{} is undefined: it decides nothing", set.path)),
        other => Err(format!("{} is not a set: {other}", set.path)),
    }
}

fn violation(member: &Value, package: &Package, severity: Severity) -> Result<Violation, &'static str> {
    let (message, rule, severity, suggestion) = match member {
        Value::String(message) => (Some(message.to_string()), None, severity, None),
        Value::Object(_) => {
            let message = text(&member["msg"], "has a `msg` that is not a text")?;
            (
                message.or(text(&member["message"], "has a `message` that is not a text")?),
                text(&member["rule"], "has a `rule` that is not a text")?,
                named_severity(&member["severity"])?.unwrap_or(severity),
                text(&member["suggestion"], "has a `suggestion` that is not a text")?,
            )
        }
        _ => return Err("is neither a text nor an object"),
    };
    let message = message.filter(|message| !message.trim().is_empty()).ok_or("has no `msg`")?;
    Ok(Violation {
        policy: package.name.clone(),
        rule: rule.filter(|rule| !rule.is_empty()).unwrap_or_else(|| slug(&message)),
        severity,
        message,
        suggestion: suggestion.or_else(|| package.suggestion.clone()),
    })
}

fn text(value: &Value, wrong: &'static str) -> Result<Option<String>, &'static str> {
    match value {
        Value::Undefined => Ok(None),
        Value::String(text) => Ok(Some(text.to_string())),
        _ => Err(wrong),
    }
}

fn named_severity(value: &Value) -> Result<Option<Severity>, &'static str> {
    const WRONG: &str = "has a `severity` other than critical, warning, info";
    let Some(name) = text(value, WRONG)? else { return Ok(None) };
    Severity::ALL.into_iter().find(|severity| severity.as_str() == name).map(Some).ok_or(WRONG)
}

/// A rule's name where the policy gives none: its message in lower case, words joined by `_`.
fn slug(message: &str) -> String {
    let lower = message.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("_").chars().take(MAX_RULE_NAME).collect();
    slug.trim_end_matches('_').to_owned()
}

/// A finding is known by policy and rule: a second one of the same name gets `#2`.
fn make_unique(violations: &mut [Violation]) {
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    for violation in violations {
        let times = seen.entry((violation.policy.clone(), violation.rule.clone())).or_default();
        *times += 1;
        if *times > 1 {
            violation.rule = format!("{}#{times}", violation.rule);
        }
    }
}
