//! What OpenTelemetry's standard environment variables ask for.

use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;

/// Spans of one kind are not worth a request each: how long they wait for others.
const DELAY: Duration = Duration::from_secs(1);
/// How many spans wait for the collector at most, and go in one request; the standard's defaults.
const QUEUE: usize = 2048;
const BATCH: usize = 512;

/// How traces are sent.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where spans are posted.
    pub(super) endpoint: String,
    pub(super) sampler: Sampler,
    pub(super) queue: usize,
    pub(super) batch: usize,
    pub(super) delay: Duration,
}

/// A variable that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is `{value}`; {allowed}")]
pub(super) struct BadSetting {
    variable: &'static str,
    value: String,
    allowed: &'static str,
}

impl Settings {
    /// `None` where nothing is to be sent. An empty variable counts as one that is not set.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BadSetting> {
        let set = |name| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let is = |name, word: &str| set(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let of_all =
            || set("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
        let Some(endpoint) = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(of_all) else { return Ok(None) };
        for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if let Some(value) = set(name).filter(|value| value != "http/protobuf") {
                return Err(BadSetting { variable: name, value, allowed: "only http/protobuf is spoken" });
            }
        }
        let count = |variable, default| match set(variable) {
            None => Ok(default),
            Some(value) => match value.parse() {
                Ok(count @ 1..) => Ok(count),
                _ => Err(BadSetting { variable, value, allowed: "it is a number from 1 on" }),
            },
        };
        let delay = count("OTEL_BSP_SCHEDULE_DELAY", usize::try_from(DELAY.as_millis()).unwrap_or(1000))?;
        Ok(Some(Self {
            endpoint,
            sampler: sampler(set("OTEL_TRACES_SAMPLER"), set("OTEL_TRACES_SAMPLER_ARG"))?,
            queue: count("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE)?,
            batch: count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH)?,
            delay: Duration::from_millis(delay as u64),
        }))
    }
}

/// No span has a parent that somebody else has sampled: `parentbased_…` is the same as without it.
fn sampler(name: Option<String>, argument: Option<String>) -> Result<Sampler, BadSetting> {
    let Some(name) = name else { return Ok(Sampler::AlwaysOn) };
    match name.strip_prefix("parentbased_").unwrap_or(&name) {
        "always_on" => Ok(Sampler::AlwaysOn),
        "always_off" => Ok(Sampler::AlwaysOff),
        "traceidratio" => match argument.as_deref().unwrap_or("1").parse() {
            Ok(ratio @ 0.0..=1.0) => Ok(Sampler::TraceIdRatioBased(ratio)),
            _ => {
                let (variable, value) = ("OTEL_TRACES_SAMPLER_ARG", argument.unwrap_or_default());
                Err(BadSetting { variable, value, allowed: "it is a ratio from 0 to 1" })
            }
        },
        _ => {
            let allowed = "always_on, always_off and traceidratio are known, each also after parentbased_";
            Err(BadSetting { variable: "OTEL_TRACES_SAMPLER", value: name, allowed })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &str) -> String {
        let variable = |name: &str| {
            let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        match Settings::read(|name| variable(name.strip_prefix("OTEL_").expect("all begin so"))) {
            Ok(None) => "off".to_owned(),
            Ok(Some(Settings { endpoint, sampler, queue, batch, delay })) => {
                format!("{endpoint} {sampler:?} {queue} {batch} {delay:?}")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn variables() {
        for (variables, expected) in [
            ("", "off"),
            ("EXPORTER_OTLP_ENDPOINT=", "off"),
            ("EXPORTER_OTLP_ENDPOINT=http://c:4318", "http://c:4318/v1/traces AlwaysOn 2048 512 1s"),
            ("EXPORTER_OTLP_ENDPOINT=http://c/otlp/", "http://c/otlp/v1/traces AlwaysOn 2048 512 1s"),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c EXPORTER_OTLP_TRACES_ENDPOINT=http://t/in",
                "http://t/in AlwaysOn 2048 512 1s",
            ),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c EXPORTER_OTLP_TRACES_ENDPOINT=",
                "http://c/v1/traces AlwaysOn 2048 512 1s",
            ),
            ("EXPORTER_OTLP_ENDPOINT=http://c SDK_DISABLED=True", "off"),
            ("EXPORTER_OTLP_ENDPOINT=http://c TRACES_EXPORTER=none", "off"),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c EXPORTER_OTLP_PROTOCOL=grpc",
                "OTEL_EXPORTER_OTLP_PROTOCOL is `grpc`; only http/protobuf is spoken",
            ),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c TRACES_SAMPLER=parentbased_traceidratio TRACES_SAMPLER_ARG=0.25",
                "http://c/v1/traces TraceIdRatioBased(0.25) 2048 512 1s",
            ),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c TRACES_SAMPLER=traceidratio TRACES_SAMPLER_ARG=2",
                "OTEL_TRACES_SAMPLER_ARG is `2`; it is a ratio from 0 to 1",
            ),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c TRACES_SAMPLER=xray",
                "OTEL_TRACES_SAMPLER is `xray`; always_on, always_off and traceidratio are known, each also after parentbased_",
            ),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c BSP_MAX_QUEUE_SIZE=4 BSP_MAX_EXPORT_BATCH_SIZE=2 BSP_SCHEDULE_DELAY=50",
                "http://c/v1/traces AlwaysOn 4 2 50ms",
            ),
            (
                "EXPORTER_OTLP_ENDPOINT=http://c BSP_MAX_QUEUE_SIZE=0",
                "OTEL_BSP_MAX_QUEUE_SIZE is `0`; it is a number from 1 on",
            ),
        ] {
            assert_eq!(read(variables), expected, "{variables}");
        }
    }
}
