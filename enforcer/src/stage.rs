//! The stage: changes in, policy results out.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Failure, NatsOptions, Output, Position, Resume, Source, Stage, StageSpec, Stream, ask,
};
use elava_schemas::config::Config;
use elava_schemas::{
    Change, EvaluationRequest, Kind, Message, PolicyResult, Resource, ResourceKey, ResultId, Subject, Timestamp,
    Trigger,
};

use crate::again::{Again, Given};
use crate::given::Version;
use crate::{Bundle, LiveBundle, Verdict, input};

/// Evaluates what changes leave behind.
pub struct Enforcer {
    live: Arc<LiveBundle>,
    environment_tags: Vec<String>,
    /// None where there is no detector to be asked, as in a pipe.
    again: Option<Again>,
}

impl Enforcer {
    /// A stage that evaluates with whatever bundle is in use when a batch arrives.
    #[must_use]
    pub fn new(config: &Config, live: Arc<LiveBundle>) -> Self {
        Self { live, environment_tags: config.policies.environment_tags.clone(), again: None }
    }

    /// The same, which also evaluates again what has not changed: when the policies do, and daily where they read the
    /// time. The detector is asked for it.
    #[must_use]
    pub fn asking(self, options: NatsOptions, config: &Config) -> Self {
        Self { again: Some(Again::new(options, config.policies.evaluate_every.get())), ..self }
    }

    /// Handles a batch. Pure but for the bundle in use.
    #[must_use]
    pub fn evaluate(&self, batch: &Batch) -> Output {
        let bundle = self.live.current();
        let mut output = Output::default();
        let mut evaluated = Evaluated::default();
        let mut rejected = Vec::new();
        for (page, _, message) in batch.messages(&Self::SPEC, &mut rejected) {
            if let Message::Change(change) = message
                && evaluated.is_news(&change)
            {
                let id = ResultId::of(&[
                    &change.resource_key.to_string(),
                    &change.version,
                    bundle.hash(),
                    change.id.as_str(),
                ]);
                output.emit(page.sequence, self.result(id, &bundle, &change));
            }
        }
        output.rejected = rejected;
        output
    }

    /// What policies say of a resource that has not changed, as it is now.
    fn result_again(&self, bundle: &Bundle, change: &Change, trigger: Trigger) -> PolicyResult {
        let now = change.detected_at.to_rfc3339();
        let id = ResultId::of(&[&change.resource_key.to_string(), &change.version, bundle.hash(), "again", &now]);
        PolicyResult { caused_by: None, trigger, ..self.result(id, bundle, change) }
    }

    fn result(&self, id: ResultId, bundle: &Bundle, change: &Change) -> PolicyResult {
        let input = input::build(change, &self.environment_tags);
        let subject = if input.is_some() { Subject::Present } else { Subject::Gone };
        let verdict = input.map_or_else(Verdict::default, |input| bundle.evaluate(&change.resource_key.kind, input));
        PolicyResult {
            id,
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
            trigger: Trigger::Change,
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
            _ => Consumes::Passes,
        },
        position: Position::Checkpoint,
        batch_pages: 40,
        in_flight: 16,
        health_port: 9312,
    };

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        if let Some(again) = &self.again {
            again.came(&batch.source);
        }
        // Evaluating is work for a core: other tasks move to other threads meanwhile.
        Ok(tokio::task::block_in_place(|| self.evaluate(batch)))
    }

    fn due(&self, source: &Source) -> Option<Timestamp> {
        self.again.as_ref()?.due(source, &self.live.current())
    }

    async fn tick(&self, source: &Source, now: Timestamp) -> Result<Output, Failure> {
        let Some(again) = &self.again else { return Ok(Output::default()) };
        let bundle = self.live.current();
        let evaluate = |key: &ResourceKey, version: Version, trigger: Trigger| {
            self.result_again(&bundle, &version.change(key, None), trigger)
        };
        Ok(again.part(source, Given { bundle: &bundle, now }, evaluate).await)
    }

    async fn resume(
        &self,
        source: &Source,
        checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        if let Some(again) = &self.again {
            again.resume(source, &state, checkpoint.is_none());
        }
        Ok(Resume::after(checkpoint))
    }

    fn left(&self, source: &Source) {
        if let Some(again) = &self.again {
            again.leave(source);
        }
    }

    fn heard_by_all(&self) -> &'static [&'static str] {
        &[ask::EVALUATE]
    }

    async fn answer(&self, _subject: &str, body: Bytes) -> Result<Vec<Bytes>, String> {
        let request = match body.is_empty() {
            true => EvaluationRequest::default(),
            false => serde_json::from_slice(&body).map_err(|error| format!("bad evaluation request: {error}"))?,
        };
        let again = self.again.as_ref().ok_or("there is no detector to be asked")?;
        Ok(vec![format!("{{\"partitions\":{}}}", again.ask(request)).into()])
    }
}
