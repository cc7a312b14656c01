//! What an error of an API call means for the listing it belongs to. Pure.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use elava_schemas::ScanError;

/// Why a call gave no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallError {
    /// What to do about it.
    pub class: Class,
    /// The cloud's code, or `timeout`, `dispatch`, `http`, `response` or `request` where it gave none.
    pub code: String,
    /// The cloud's words.
    pub message: String,
}

/// What to do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Ask again, all of us more slowly.
    Throttled,
    /// Ask again.
    Transient,
    /// Asking again would give the same answer.
    Permanent,
}

/// As in the SDK's standard retry mode (`aws-runtime`, `retries/classifiers.rs`), and EC2's own.
const THROTTLED: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

const TRANSIENT: [&str; 7] = [
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "Unavailable",
    "Client.InternalError",
];

/// What a coded answer with this HTTP status means.
fn class(code: &str, status: u16) -> Class {
    match () {
        () if THROTTLED.contains(&code) || status == 429 => Class::Throttled,
        () if TRANSIENT.contains(&code) || status >= 500 => Class::Transient,
        () => Class::Permanent,
    }
}

/// How long to wait after the `failures`th failure in a row (from 1): doubling from 0.2 s to 10 s, of
/// which `random` (0 to 1) takes away up to a half, so that many do not return at once.
#[must_use]
pub fn back_off(failures: u32, random: f64) -> Duration {
    let full = Duration::from_millis(200) * 2_u32.pow(failures.saturating_sub(1).min(6));
    full.min(Duration::from_secs(10)).mul_f64(1.0 - random / 2.0)
}

impl<E> From<SdkError<E, HttpResponse>> for CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let (class, code) = match &error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status();
                match answer.err().code() {
                    Some(code) => {
                        let message = answer.err().message().unwrap_or_default().to_owned();
                        return Self { class: class(code, status.as_u16()), code: code.to_owned(), message };
                    }
                    // the SDK's error for an answer it cannot read is of this sort too
                    None if status.is_success() => (Class::Transient, "response"),
                    None => (class("", status.as_u16()), "http"),
                }
            }
            SdkError::TimeoutError(_) => (Class::Transient, "timeout"),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => (Class::Transient, "timeout"),
            SdkError::DispatchFailure(_) => (Class::Transient, "dispatch"),
            // cut off, or not what the API speaks: a proxy's page perhaps
            SdkError::ResponseError(_) => (Class::Transient, "response"),
            _ => (Class::Permanent, "request"),
        };
        Self { class, code: code.to_owned(), message: elava_bus::cli::chain(&error) }
    }
}

impl CallError {
    /// What was asked for by its id is not there: `InvalidInstanceID.NotFound`, `DBInstanceNotFoundFault`, …
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code.ends_with("NotFound") || self.code.ends_with("NotFoundFault")
    }

    /// As a scan report tells it.
    pub(crate) fn report(&self, operation: &str) -> ScanError {
        ScanError { operation: operation.to_owned(), code: self.code.clone(), message: self.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (code, status, expected) in [
            ("RequestLimitExceeded", 503, Class::Throttled),
            ("Throttling", 400, Class::Throttled),
            ("", 429, Class::Throttled),
            ("InternalError", 500, Class::Transient),
            ("ServiceUnavailable", 503, Class::Transient),
            ("", 502, Class::Transient),
            ("", 403, Class::Permanent),
            ("UnauthorizedOperation", 403, Class::Permanent),
            ("AuthFailure", 401, Class::Permanent),
            ("InvalidNextToken", 400, Class::Permanent),
        ] {
            assert_eq!(class(code, status), expected, "{code} {status}");
        }
    }

    #[test]
    fn backs_off() {
        for (failures, random, millis) in
            [(1, 0.0, 200), (1, 1.0, 100), (2, 0.0, 400), (6, 0.0, 6400), (7, 0.0, 10_000), (99, 0.5, 7500)]
        {
            assert_eq!(back_off(failures, random), Duration::from_millis(millis), "{failures} {random}");
        }
    }
}
