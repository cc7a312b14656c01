//! One subject on which an instance answers, and what has been asked there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// A subject that is served.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) subject: String,
    /// Empty where every instance answers.
    queue: &'static str,
    counted: Mutex<Counted>,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    requests: u64,
    errors: u64,
    last_error: String,
    time: Duration,
}

impl Endpoint {
    pub(super) fn new(subject: String, queue: &'static str) -> Self {
        Self { subject, queue, counted: Mutex::default() }
    }

    /// A request was answered, with an error or well.
    pub(crate) fn answered(&self, took: Duration, error: Option<&str>) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.requests += 1;
        counted.time += took;
        if let Some(error) = error {
            counted.errors += 1;
            error.clone_into(&mut counted.last_error);
        }
    }

    pub(super) fn info(&self) -> Value {
        json!({ "name": self.name(), "subject": self.subject, "queue_group": self.queue, "metadata": {} })
    }

    pub(super) fn stats(&self) -> Value {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        json!({
            "name": self.name(),
            "subject": self.subject,
            "queue_group": self.queue,
            "num_requests": counted.requests,
            "num_errors": counted.errors,
            "last_error": counted.last_error,
            "processing_time": nanos(counted.time),
            "average_processing_time": nanos(counted.time).checked_div(counted.requests).unwrap_or_default(),
        })
    }

    /// `history-query` of `elava.history.query`: names have no dots.
    fn name(&self) -> String {
        self.subject.trim_start_matches("elava.").replace('.', "-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted() {
        let endpoint = Endpoint::new("elava.history.query".to_owned(), "detector");
        assert_eq!(endpoint.stats()["average_processing_time"], 0);
        endpoint.answered(Duration::from_nanos(10), None);
        endpoint.answered(Duration::from_nanos(25), Some("no such resource"));
        let expected = json!({
            "name": "history-query", "subject": "elava.history.query", "queue_group": "detector",
            "num_requests": 2, "num_errors": 1, "last_error": "no such resource",
            "processing_time": 35, "average_processing_time": 17,
        });
        assert_eq!(endpoint.stats(), expected);
    }
}
