//! Why a decision is what it is: the row of the decision table, and the settings with the lines that they are on.

use std::fmt::Write as _;
use std::io::{self, BufRead, ErrorKind, Write};
use std::path::{Path, PathBuf};

use elava_bus::cli::Finished;
use elava_bus::{Batch, Consumes, Failure, Output, Page, Source, Stage};
use elava_schemas::config::Config;
use elava_schemas::{Decision, DecisionState, Message, Timestamp, peek_kind};
use serde_json::Value;

use crate::Decider;

/// Lines that are decided together.
const LINES: usize = 200;

/// Why nothing is explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The configuration, a second time.
    #[error("cannot read {}", file.display())]
    Config {
        /// Its file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard input or output.
    #[error("cannot read standard input or write standard output")]
    Pipe(#[from] io::Error),
    /// The decider.
    #[error(transparent)]
    Decide(#[from] Failure),
}

/// The settings as they hold, and the file that they were read from.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Value,
    /// Its name and its text.
    file: Option<(String, String)>,
}

impl Settings {
    /// Reads the file once more, for its lines.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(config: &Config, file: Option<&Path>) -> Result<Self, ExplainError> {
        let text = |file: &Path| {
            let failed = |source| ExplainError::Config { file: file.to_owned(), source };
            std::fs::read_to_string(file).map(|text| (file.display().to_string(), text)).map_err(failed)
        };
        Ok(Self::new(config, file.map(text).transpose()?))
    }

    /// Of a configuration, and name and text of its file.
    ///
    /// # Panics
    /// Never: a configuration has text keys.
    #[must_use]
    pub fn new(config: &Config, file: Option<(String, String)>) -> Self {
        let values = serde_json::to_value(config).expect("a configuration has text keys");
        Self { values, file }
    }

    /// `elava.yaml:63 change_detection.alert_on.tag_drift: warning`.
    fn say(&self, path: &str) -> String {
        let value = path.split('.').try_fold(&self.values, |value, name| value.get(name));
        let value = match value {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "not set".to_owned(),
        };
        let line = self.file.as_ref().and_then(|(name, text)| Some(format!("{name}:{} ", line_of(text, path)?)));
        match line {
            Some(line) => format!("{line}{path}: {value}"),
            None => format!("{path}: {value} (default)"),
        }
    }
}

/// The line, from 1, of a setting in block-style YAML, by indentation; of its parent, where it stands in braces there.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let names: Vec<&str> = path.split('.').collect();
    let mut within: Vec<(usize, &str)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let entry = line.trim_start();
        let Some((key, rest)) = entry.split_once(':').filter(|_| !entry.starts_with('#')) else { continue };
        let indent = line.len() - entry.len();
        while within.last().is_some_and(|(last, _)| *last >= indent) {
            within.pop();
        }
        within.push((indent, key.trim_matches(['"', '\'', ' '])));
        let is_on_the_way =
            within.len() <= names.len() && within.iter().zip(&names).all(|((_, key), name)| key == name);
        let is_in_braces = || {
            let below = names[within.len()..].iter().all(|name| rest.contains(&format!("{name}:")));
            rest.trim_start().starts_with('{') && below
        };
        if is_on_the_way && (within.len() == names.len() || is_in_braces()) {
            return Some(number);
        }
    }
    None
}

/// A row of the decision table.
fn row(cause: &str) -> &'static str {
    match cause {
        "baseline" => "the first look at a scope is recorded, and never told",
        "appeared" => "a new resource is recorded, unless it is given a severity",
        "new_untagged" => "a new resource without required tags: auto_tag where that is on, else told",
        "disappeared" => "gone: told when it stays away; a blessed resource at once, as an alert",
        "modified" => "modified: recorded, unless it is given a severity",
        "tag_drift" => "tag drift: enforce_policy where remediation is on, else told",
        "cost_increase" => "a higher cost is told",
        "violation" => "a violation: by its severity; of an orphan policy never more than notify",
        "unprotected" => "production that is not protected: protect where that and writing are on",
        "flapping" => "what comes and goes too often is told once, as one finding",
        _ => "see the decision table in decider/src/decide/mod.rs",
    }
}

/// What a setting can be, and what follows.
fn choices(path: &str) -> &'static str {
    let words: Vec<&str> = path.split('.').collect();
    match words[..] {
        ["change_detection", "alert_on", "policy_violation"] => {
            "severity_based: as the policy says; critical, warning, info: always so; off: only recorded"
        }
        ["change_detection", "alert_on", _] => "critical: an alert; warning, info: told as such; off: only recorded",
        ["policies", "severity_actions", _] => "alert, notify; audit: only recorded; protect, enforce_policy, auto_tag",
        ["policies", "enforcement_mode"] => "notify: only told; dry_run: said what would be done; enforce: done",
        ["policies", "auto_remediate", _] => {
            "true: it is mended, where the enforcement mode is not notify; false: told"
        }
        ["policies", "exceptions"] => "without the exception it is told",
        ["actions", "tagging", "required_tags"] => "tags that are not in it are not missed",
        ["actions", "tagging", "auto_tag_untagged"] => "true: the tags are added; false: told",
        ["actions", "protection", "auto_protect_prod"] => {
            "true: it is protected, where the enforcement mode is not notify"
        }
        ["behavior", "require_approval"] => "false: done without being asked",
        ["behavior", "grace_period"] => "0s: told at once",
        ["behavior", "remind_after", _] => "off: nobody is reminded",
        ["behavior", "expire_after"] => "longer: it stays open for as long",
        ["behavior", "flapping"] => "more transitions, or within less time: each is told",
        ["behavior", "breaker"] => "enabled: false, or higher limits: each is told",
        _ => "",
    }
}

/// Which settings led to a decision: those it names, and those that follow from what it is.
fn settings_of(decision: &Decision) -> Vec<String> {
    let metadata = &decision.metadata;
    let is_set = |name: &str| metadata.get(name).is_some_and(|value| *value != Value::Bool(false));
    let named = metadata.get("why").and_then(Value::as_array).into_iter().flatten();
    let mut settings: Vec<String> = named.filter_map(Value::as_str).map(str::to_owned).collect();
    let follows = [
        (is_set("exception"), "policies.exceptions"),
        (is_set("flapping") || metadata.get("cause") == Some(&"flapping".into()), "behavior.flapping"),
        (is_set("breaker"), "behavior.breaker"),
        (decision.not_before.is_some(), "behavior.grace_period"),
        (decision.state == DecisionState::Expired, "behavior.expire_after"),
        (decision.requires_approval, "behavior.require_approval"),
        (is_set("dry_run"), "policies.enforcement_mode"),
    ];
    settings.extend(follows.iter().filter(|(follows, _)| *follows).map(|(_, path)| (*path).to_owned()));
    if decision.state == DecisionState::Reminder {
        settings.push(format!("behavior.remind_after.{}", decision.severity.as_str()));
    }
    let mut known = std::collections::HashSet::new();
    settings.retain(|path| known.insert(path.clone()));
    settings
}

/// One decision for people.
///
/// # Panics
/// Never: writing to a string does not fail.
#[must_use]
pub fn explain(decision: &Decision, settings: &Settings) -> String {
    let (action, severity, state) = (decision.action.as_str(), decision.severity.as_str(), decision.state.as_str());
    let mut out = format!("{action}, {severity}, {state}: {}\n", decision.reason);
    let causes = decision.caused_by.join(", ");
    writeln!(out, "  {} about {}, because of {causes}", decision.id, decision.finding).expect("a string");
    let cause = decision.metadata.get("cause").and_then(Value::as_str).unwrap_or_default();
    let row = match decision.state {
        DecisionState::Resolved => "over: told as it was told",
        _ => row(cause),
    };
    writeln!(out, "  row      {row}").expect("a string");
    if decision.metadata.get("blessed") == Some(&true.into()) {
        writeln!(out, "  blessed  its tags say so: it is never written to, but to protect it").expect("a string");
    }
    for path in settings_of(decision) {
        writeln!(out, "  setting  {}", settings.say(&path)).expect("a string");
        let choices = choices(&path);
        if !choices.is_empty() {
            writeln!(out, "           {choices}").expect("a string");
        }
    }
    out
}

/// Decides what is on `input` line by line, and writes why to `out`; what a decider does not read is passed over.
///
/// # Errors
/// [`ExplainError`].
pub async fn explain_all(
    decider: &Decider,
    settings: &Settings,
    clock: fn() -> Timestamp,
    input: impl BufRead,
    out: &mut impl Write,
) -> Result<Finished, ExplainError> {
    let (mut body, mut lines, mut sequence) = (Vec::new(), 0, 0);
    let mut finished = Finished::Clean;
    let mut decide = async |body: Vec<u8>, sequence: u64, out: &mut dyn Write| -> Result<(), ExplainError> {
        let page = Page { sequence, subject: "-".into(), first_line: 1, received_at: clock(), body: body.into() };
        let output = decider.handle(&Batch { source: Source::Pipe, pages: vec![page] }).await?;
        for rejection in &output.rejected {
            tracing::warn!(reason = rejection.reason, "not decided");
            finished = Finished::SomeRejected;
        }
        Ok(write_all(&output, settings, out)?)
    };
    for line in input.split(b'\n') {
        let line = line?;
        let reads = |kind| (Decider::SPEC.consumes)(kind) != Consumes::Passes;
        if line.is_empty() || peek_kind(&line).is_ok_and(|kind| !reads(kind)) {
            continue;
        }
        body.extend_from_slice(&line);
        body.push(b'\n');
        lines += 1;
        if lines == LINES {
            sequence += 1;
            lines = 0;
            decide(std::mem::take(&mut body), sequence, out).await?;
        }
    }
    if !body.is_empty() {
        decide(body, sequence + 1, out).await?;
    }
    write_all(&decider.finish().await?, settings, out)?;
    Ok(finished)
}

/// A reader that has gone is no error.
fn write_all(output: &Output, settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    for emit in &output.messages {
        let Ok(Message::Decision(decision)) = emit.message() else { continue };
        match writeln!(out, "{}", explain(&decision, settings)) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn settings_and_their_lines() {
        let text = "version: \"2.0\" # a comment: x\nchange_detection:\n  track: [tag_changes]\n  alert_on:\n    # more\n    tag_drift: info\npolicies:\n  severity_actions: {critical: notify, info: audit}\nbehavior:\n  grace_period: 1h\n";
        for (path, line) in [
            ("change_detection.alert_on.tag_drift", Some(6)),
            ("change_detection.alert_on.modified", None),
            ("policies.severity_actions.info", Some(8)),
            ("policies.severity_actions.warning", None),
            ("policies.alert_on.tag_drift", None),
            ("behavior.grace_period", Some(10)),
            ("tag_drift", None),
        ] {
            assert_eq!(line_of(text, path), line, "{path}");
        }
        let config = elava_schemas::config::parse("elava.yaml", text, &|_| Ok(None)).expect("a configuration");
        let settings = Settings::new(&config, Some(("elava.yaml".to_owned(), text.to_owned())));
        for (path, said) in [
            ("change_detection.alert_on.tag_drift", "elava.yaml:6 change_detection.alert_on.tag_drift: info"),
            ("change_detection.alert_on.modified", "change_detection.alert_on.modified: off (default)"),
            ("policies.severity_actions.critical", "elava.yaml:8 policies.severity_actions.critical: notify"),
        ] {
            assert_eq!(settings.say(path), said);
        }
    }

    /// Every line of the example is where it is said to be.
    #[test]
    fn the_example_is_found() {
        let text = include_str!("../../elava.yaml");
        for path in [
            "change_detection.alert_on.tag_drift",
            "policies.severity_actions.critical",
            "policies.enforcement_mode",
            "policies.auto_remediate.tag_violations",
            "behavior.grace_period",
            "behavior.require_approval",
            "behavior.remind_after.critical",
            "behavior.breaker",
        ] {
            let line = line_of(text, path).and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
            let name = path.rsplit('.').next().unwrap_or_default();
            assert!(line.contains(&format!("{name}:")), "{path}: {line}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn decisions_are_explained() {
        let key = r#"{"provider":"aws","account":"1","region":"r","type":"ec2:instance","id":"i-1"}"#;
        let resource = |tags: &str| format!(r#"{{"key":{key},"tags":{tags},"attributes":{{}}}}"#);
        let change = format!(
            r#"{{"kind":"change","v":1,"id":"chg_1","type":"tag_drift","resource_key":{key},"version":"v","previous":{},"current":{},"detected_at":"2020-01-01T00:00:00Z","details":"tag Owner removed"}}"#,
            resource(r#"{"Owner":"a"}"#),
            resource("{}"),
        );
        let input = format!("{change}\n{{\"kind\":\"scan_request\",\"v\":1}}\nnonsense\n");
        let settings = Settings::new(&Config::default(), None);
        let decider = Decider::new(Config::default());
        let mut out = Vec::new();
        let now = || "2020-01-01T00:00:01Z".parse().expect("a time");
        let finished =
            explain_all(&decider, &settings, now, input.as_bytes(), &mut out).await.expect("it is explained");
        assert_eq!(finished, Finished::SomeRejected);
        expect![[r#"
            notify, warning, new: Tags drifted (Owner removed): instance i-1 (ec2:instance, r)
              dec_33b1c5ea10c94a5a37c86c34a71aa36a about fnd_84ba975d7e70f38d0db717d13faf7542, because of chg_1
              row      tag drift: enforce_policy where remediation is on, else told
              setting  change_detection.alert_on.tag_drift: warning (default)
                       critical: an alert; warning, info: told as such; off: only recorded
              setting  policies.auto_remediate.tag_violations: false (default)
                       true: it is mended, where the enforcement mode is not notify; false: told
              setting  policies.enforcement_mode: notify (default)
                       notify: only told; dry_run: said what would be done; enforce: done

            notify, warning, reminder: Tags drifted (Owner removed): instance i-1 (ec2:instance, r)
              dec_6d67cf3840308cffa4245258284cbc91 about fnd_84ba975d7e70f38d0db717d13faf7542, because of chg_1
              row      tag drift: enforce_policy where remediation is on, else told
              setting  change_detection.alert_on.tag_drift: warning (default)
                       critical: an alert; warning, info: told as such; off: only recorded
              setting  policies.auto_remediate.tag_violations: false (default)
                       true: it is mended, where the enforcement mode is not notify; false: told
              setting  policies.enforcement_mode: notify (default)
                       notify: only told; dry_run: said what would be done; enforce: done
              setting  behavior.remind_after.warning: 7d (default)
                       off: nobody is reminded

            notify, warning, expired: Tags drifted (Owner removed): instance i-1 (ec2:instance, r)
              dec_ca4994d88d2028f6dd70b26ec3fe5a52 about fnd_84ba975d7e70f38d0db717d13faf7542, because of chg_1
              row      tag drift: enforce_policy where remediation is on, else told
              setting  change_detection.alert_on.tag_drift: warning (default)
                       critical: an alert; warning, info: told as such; off: only recorded
              setting  policies.auto_remediate.tag_violations: false (default)
                       true: it is mended, where the enforcement mode is not notify; false: told
              setting  policies.enforcement_mode: notify (default)
                       notify: only told; dry_run: said what would be done; enforce: done
              setting  behavior.expire_after: 30d (default)
                       longer: it stays open for as long

        "#]]
        .assert_eq(&String::from_utf8(out).expect("text"));
    }
}
