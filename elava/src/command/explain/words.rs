//! What one step of a chain says.

use elava_schemas::Timestamp;
use serde_json::Value;

use crate::paint::Color;
use crate::show::Row;

/// Characters of a hash that tell it from others.
const SHORT: usize = 8;

/// One step.
#[derive(Clone, Copy)]
pub(super) struct Step<'a>(pub(super) &'a Row);

impl<'a> Step<'a> {
    /// A column.
    pub(super) fn text(&self, column: &str) -> &'a str {
        self.0.get(column).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn details(&self) -> &'a Value {
        self.0.get("details").unwrap_or(&Value::Null)
    }

    /// A text of the details.
    pub(super) fn detail(&self, name: &str) -> &'a str {
        self.details()[name].as_str().unwrap_or_default()
    }

    pub(super) fn time(&self) -> String {
        seconds(self.text("happened_at"))
    }

    /// What sort of step, in a word.
    pub(super) fn word(&self) -> &'a str {
        match self.text("step") {
            "observation" => "seen",
            "change" => self.detail("change"),
            "policy result" | "execution" => self.detail("outcome"),
            "decision" => "decided",
            "approval" => self.detail("verdict"),
            "delivery" if self.detail("outcome") == "delivered" => "told",
            "delivery" => "not told",
            other => other,
        }
    }

    pub(super) fn color(&self) -> Option<Color> {
        match self.word() {
            "disappeared" | "violated" | "failed" | "denied" | "not told" => Some(Color::Red),
            "appeared" | "mended" | "approved" | "executed" | "told" => Some(Color::Green),
            "modified" | "tag_drift" | "cost_increase" | "skipped" | "undone" | "undo" => Some(Color::Yellow),
            _ => None,
        }
    }

    /// What happened, in a line.
    pub(super) fn what(&self) -> String {
        match self.text("step") {
            "observation" => self.observation(),
            "change" => {
                let first = if self.details()["baseline"] == true { " (first look at its scope)" } else { "" };
                format!("{}{first}", self.detail("details"))
            }
            "policy result" => format!("{}: {}", self.rule(), self.detail("message")),
            "decision" => {
                let (action, severity, state) = (self.detail("action"), self.detail("severity"), self.detail("state"));
                format!("{action}, {severity}, {state}   {}", self.text("id"))
            }
            "approval" => joined(": ", [format!("by {}", self.detail("person")), self.detail("reason").to_owned()]),
            "delivery" => {
                let attempts = self.details()["attempts"].as_u64().filter(|attempts| *attempts > 1);
                let attempts = attempts.map(|attempts| format!(" after {attempts} attempts")).unwrap_or_default();
                joined(": ", [format!("{}{attempts}", self.detail("channel")), self.detail("error").to_owned()])
            }
            _ => self.detail("error").to_owned(),
        }
    }

    /// Of which policy; most have but one, called as they are.
    fn rule(&self) -> String {
        let (policy, rule) = (self.detail("policy"), self.detail("rule"));
        if policy.rsplit('.').next() == Some(rule) { policy.to_owned() } else { format!("{policy}, {rule}") }
    }

    fn observation(&self) -> String {
        let version = format!("version {}", short(self.text("id")));
        let tags = self.details()["tags"].as_object().map(|tags| {
            let tag = |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().unwrap_or_default());
            format!("tags {}", tags.iter().map(tag).collect::<Vec<_>>().join(" "))
        });
        let named =
            |name: &str| Some(self.detail(name)).filter(|text| !text.is_empty()).map(|text| format!("{name} {text}"));
        let parts = [Some(version), named("status"), named("name"), tags.filter(|tags| tags.len() > "tags ".len())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// More about it, a line each.
    pub(super) fn below(&self) -> Vec<String> {
        let lines = match self.text("step") {
            "change" => vec![self.by(), self.scan()],
            "policy result" if self.detail("outcome") == "violated" => vec![
                labelled("suggestion: ", self.detail("suggestion")),
                format!("{}, policy bundle {}", self.detail("severity"), short(self.detail("bundle"))),
            ],
            "policy result" => vec![labelled("policy bundle ", short(self.detail("bundle")))],
            "decision" => self.decided(),
            _ => Vec::new(),
        };
        lines.into_iter().filter(|line| !line.is_empty()).collect()
    }

    fn by(&self) -> String {
        let cause = &self.details()["cause"];
        let operation = cause["operation"].as_str().map(|name| format!(" ({name})")).unwrap_or_default();
        cause["principal"].as_str().map(|who| format!("by {who}{operation}")).unwrap_or_default()
    }

    fn scan(&self) -> String {
        let scan = self.detail("scan_id");
        match (scan.is_empty(), self.detail("scan_outcome")) {
            (true, _) => String::new(),
            (_, "") => format!("seen by {scan}"),
            (_, outcome) => {
                let is_gone = self.detail("change") == "disappeared" && self.detail("scan_verdict") == "proved";
                let proof = if is_gone { ": proof that it is gone" } else { "" };
                format!("seen by {scan} of {} ({outcome}{proof})", seconds(self.detail("scan_started_at")))
            }
        }
    }

    fn decided(&self) -> Vec<String> {
        let metadata = &self.details()["metadata"];
        let why = metadata["why"]
            .as_array()
            .map(|settings| settings.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
        let notes = [
            ("dry_run", "dry run: nothing is written"),
            ("blessed", "the resource is blessed"),
            ("flapping", "it comes and goes too often"),
            ("breaker", "the breaker holds what belongs to it"),
        ];
        let notes = notes.iter().filter(|(name, _)| metadata[*name] == true).map(|(_, text)| *text);
        vec![
            labelled("because of ", why.as_deref().unwrap_or_default()),
            evaluated(metadata["trigger"].as_str().unwrap_or_default()).to_owned(),
            labelled("exception ", metadata["exception"].as_str().unwrap_or_default()),
            notes.collect::<Vec<_>>().join("; "),
        ]
    }
}

/// Why policies looked at what had not changed.
fn evaluated(trigger: &str) -> &'static str {
    match trigger {
        "policies" => "evaluated again because the policies changed",
        "time" => "evaluated again because time has passed",
        "request" => "evaluated again because somebody asked",
        _ => "",
    }
}

/// Why there is no delivery of a decision.
pub(super) fn why_nobody(decision: &Value, now: Timestamp) -> String {
    let text = |name: &str| decision[name].as_str().unwrap_or_default();
    let later = |at: &str| at.parse::<Timestamp>().is_ok_and(|at| at > now);
    let exception = decision["metadata"]["exception"].as_str();
    let metadata = &decision["metadata"];
    match (text("action"), text("state"), exception, text("superseded_by")) {
        (_, "suppressed", Some(exception), _) => format!("the exception {exception} covers it"),
        (_, "suppressed", None, _) => "an exception covers it".to_owned(),
        (_, "expired", ..) => "it counts as how things are".to_owned(),
        ("audit", ..) if metadata["denied_by"].is_string() => {
            let note = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
            let because = labelled(": ", &note("denied_because"));
            format!("the breaker held it, and {} has said that nobody is told{because}", note("denied_by"))
        }
        ("audit", ..) if metadata["breaker"].is_string() => {
            let breaker = metadata["breaker"].as_str().unwrap_or_default();
            format!("the breaker holds it until it is over, released or denied; `elava explain {breaker}` has the id")
        }
        ("audit", ..) if metadata["flapping"] == true => "it comes and goes too often".to_owned(),
        _ if later(text("not_before")) => {
            format!("it is told on {} unless it is over by then", seconds(text("not_before")))
        }
        ("audit", ..) if !text("not_before").is_empty() => {
            format!("it was to be told on {} unless it was over by then", seconds(text("not_before")))
        }
        ("audit", ..) => "it is only recorded (audit)".to_owned(),
        (.., next) if !next.is_empty() => format!("{next} has taken its place"),
        _ => "no delivery is recorded; the notifier has not come to it, or has no channel".to_owned(),
    }
}

/// What of the approval that a decision needs, and does not have.
pub(super) fn why_not_approved(decision: &Value, now: Timestamp) -> String {
    let text = |name: &str| decision[name].as_str().unwrap_or_default();
    let until = seconds(text("approve_by"));
    match text("approve_by").parse::<Timestamp>() {
        _ if !text("superseded_by").is_empty() => format!("void: {} has taken its place", text("superseded_by")),
        Ok(at) if at <= now => format!("nobody's, and too late since {until}"),
        Ok(_) => format!("nobody's yet; it can be given until {until}"),
        Err(_) => "nobody's yet".to_owned(),
    }
}

/// An instant of the history to the second.
fn seconds(at: &str) -> String {
    let whole = at.split_once('.').map_or(at, |(seconds, _)| seconds);
    whole.trim_end_matches('Z').replace('T', " ")
}

/// The beginning of a hash.
fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}

fn labelled(label: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{label}{text}") }
}

fn joined(separator: &str, parts: [String; 2]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(separator)
}
