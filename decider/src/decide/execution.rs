//! What follows from an execution: one that failed is a finding, until one works.

use elava_schemas::{Action, Decision, Execution, ExecutionOutcome, Severity};

use super::case::{Case, Context, Raise, finding_metadata};
use crate::finding::{Cause, Entry};

/// What follows from an execution, given what is kept of the findings that executions drive for the same resource:
/// decisions, and what is kept afterwards.
#[must_use]
pub fn decide_execution(execution: &Execution, before: &Entry, context: &Context<'_>) -> (Vec<Decision>, Entry) {
    let mut case = Case::new(context, (execution.id.as_str(), execution.at), &execution.resource_key, before);
    match execution.outcome {
        ExecutionOutcome::Failed => failed(&mut case, execution),
        ExecutionOutcome::Executed | ExecutionOutcome::Undone => {
            if let Some(finding) = case.take(Cause::ExecutionFailed, |_| true) {
                case.resolve(finding, "Carried out now".to_owned());
            }
        }
        ExecutionOutcome::Executing | ExecutionOutcome::Skipped => {}
    }
    case.finish(before)
}

fn failed(case: &mut Case, execution: &Execution) {
    let error = execution.error.as_deref().unwrap_or("no reason is given");
    let mut metadata = finding_metadata(Cause::ExecutionFailed, None, None);
    metadata.insert("decision_id".to_owned(), execution.decision_id.as_str().into());
    case.raise(Raise {
        cause: Cause::ExecutionFailed,
        policy: None,
        rule: None,
        severity: Severity::Warning,
        action: Action::Notify,
        message: format!("Could not be carried out ({error})"),
        metadata,
        origin: None,
        grace: None,
    });
}
