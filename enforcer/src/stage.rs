//! The stage: changes in, policy results out.

use std::collections::HashMap;
use std::sync::Arc;

use elava_bus::{Batch, Consumes, Failure, Output, Position, Rejection, Stage, StageSpec, Stream};
use elava_schemas::config::Config;
use elava_schemas::{Change, Kind, Message, PolicyResult, Resource, ResourceKey, ResultId, Subject};

use crate::{Bundle, LiveBundle, Verdict, input};

/// Evaluates what changes leave behind.
pub struct Enforcer {
    live: Arc<LiveBundle>,
    environment_tags: Vec<String>,
}

impl Enforcer {
    /// A stage that evaluates with whatever bundle is in use when a batch arrives.
    #[must_use]
    pub fn new(config: &Config, live: Arc<LiveBundle>) -> Self {
        Self { live, environment_tags: config.policies.environment_tags.clone() }
    }

    /// Handles a batch. Pure but for the bundle in use.
    #[must_use]
    pub fn evaluate(&self, batch: &Batch) -> Output {
        let bundle = self.live.current();
        let mut output = Output::default();
        let mut evaluated = Evaluated::default();
        let mut rejected = Vec::new();
        let mut unanswered = Vec::new();
        for (page, line, message) in batch.messages(&Self::SPEC, &mut rejected) {
            match message {
                Message::Change(change) => {
                    if evaluated.is_news(&change) {
                        output.emit(page.sequence, self.result(&bundle, &change));
                    }
                }
                other => {
                    let reason = format!("{}: only changes are evaluated so far", other.kind());
                    unanswered.push(Rejection { sequence: page.sequence, line, reason });
                }
            }
        }
        output.rejected = rejected;
        output.rejected.append(&mut unanswered);
        output
    }

    fn result(&self, bundle: &Bundle, change: &Change) -> PolicyResult {
        let input = input::build(change, &self.environment_tags);
        let subject = if input.is_some() { Subject::Present } else { Subject::Gone };
        let verdict = input.map_or_else(Verdict::default, |input| bundle.evaluate(&change.resource_key.kind, input));
        let key = change.resource_key.to_string();
        PolicyResult {
            id: ResultId::of(&[&key, &change.version, bundle.hash(), change.id.as_str()]),
            resource_key: change.resource_key.clone(),
            version: change.version.clone(),
            subject,
            resource: change.current.as_ref().or(change.previous.as_ref()).map(Resource::label).unwrap_or_default(),
            compliant: verdict.compliant(),
            violations: verdict.violations,
            errors: verdict.errors,
            bundle: bundle.hash().to_owned(),
            // Not the clock: a replay must make the same bytes, and policies read this time as `now`.
            evaluated_at: change.detected_at,
            caused_by: Some(change.id.clone()),
            scan_id: change.scan_id.clone(),
            scope_resources: change.scope_resources,
            baseline: change.baseline,
        }
    }
}

/// What a batch has evaluated last of each resource. One comparison can yield several changes of
/// one version, which need one evaluation; a version that comes back after another needs its own.
#[derive(Default)]
struct Evaluated(HashMap<ResourceKey, (String, Subject)>);

impl Evaluated {
    fn is_news(&mut self, change: &Change) -> bool {
        let subject = if change.current.is_some() { Subject::Present } else { Subject::Gone };
        let state = (change.version.clone(), subject);
        self.0.insert(change.resource_key.clone(), state.clone()) != Some(state)
    }
}

impl Stage for Enforcer {
    const SPEC: StageSpec = StageSpec {
        name: "enforcer",
        inputs: elava_bus::reads::ENFORCER,
        output: Some(Stream::Policy),
        consumes: |kind| match kind {
            Kind::Change => Consumes::TakesAndPasses,
            Kind::EvaluationRequest => Consumes::Takes,
            _ => Consumes::Passes,
        },
        position: Position::Checkpoint,
        batch_pages: 40,
        in_flight: 16,
        health_port: 9312,
    };

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        // Evaluating is work for a core: other tasks move to other threads meanwhile.
        Ok(tokio::task::block_in_place(|| self.evaluate(batch)))
    }
}
