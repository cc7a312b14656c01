//! The ids of spans. All are hashes of what a message says of itself, so that every stage knows its
//! cause's span without being told, and a replay makes the same ones.

use elava_schemas::{IdHasher, ResourceKey, ScanId, Timestamp};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Where a span is: its trace, and itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

impl Context {
    /// The first span of what became of one observation: of a resource, and the instant it was seen, or
    /// found to be gone. Change, policy result and decision all carry these two.
    pub(super) fn of_observation(key: &ResourceKey, at: Timestamp) -> Self {
        Self::first(&IdHasher::new("trace").part(key.to_string()).part(at.timestamp_micros().to_string()))
    }

    /// The span of a scan, in a trace of its own.
    pub(super) fn of_scan(id: &ScanId) -> Self {
        Self::first(&IdHasher::new("trace").part(id.as_str()))
    }

    fn first(hasher: &IdHasher) -> Self {
        let hex = hasher.hex();
        let trace = TraceId::from_hex(&hex).expect("32 hexadecimal digits");
        Self { trace, span: span_id(&hex) }
    }

    /// The span of the message with this id, in the same trace.
    pub(super) fn of_message(self, id: &str) -> Self {
        Self { span: span_id(id), ..self }
    }

    /// Reads a `traceparent` header (W3C Trace Context); `None` where it is none.
    pub(super) fn from_header(text: &str) -> Option<Self> {
        let mut fields = text.trim().split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let is_hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let lengths = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        // a later version may have more fields, this one may not
        if !lengths || version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        (trace != TraceId::INVALID && span != SpanId::INVALID).then_some(Self { trace, span })
    }

    /// As a `traceparent` header.
    pub(crate) fn header(self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }

    /// As spans and links have it.
    pub(super) fn sampled(self) -> SpanContext {
        SpanContext::new(self.trace, self.span, TraceFlags::SAMPLED, false, TraceState::NONE)
    }
}

fn span_id(of: &str) -> SpanId {
    SpanId::from_hex(&IdHasher::new("span").part(of).hex()[..16]).expect("16 hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn ids_follow_from_what_a_message_says() {
        let key: ResourceKey = "aws/1/eu-west-1/ec2:instance/i-1".parse().expect("a key");
        let other: ResourceKey = "aws/1/eu-west-1/ec2:instance/i-2".parse().expect("a key");
        let at = |micros| Timestamp::from_timestamp_micros(micros).expect("an instant");
        let observation = Context::of_observation(&key, at(1));
        let all = [observation, observation.of_message("chg_1"), Context::of_scan(&ScanId::of(&["1"]))];
        // instances of different versions work on one trace: these never change
        expect![[r#"
            00-4ccbfddc8d2d725cf083e49485bf363a-ab38861de09bdd5c-01
            00-4ccbfddc8d2d725cf083e49485bf363a-8282758f7e844995-01
            00-dcf106b63542945ce660a5824d57dba5-252fcc1c882cdc48-01"#]]
        .assert_eq(&all.map(Context::header).join("\n"));
        assert_eq!(observation, Context::of_observation(&key, at(1)));
        assert_ne!(observation.trace, Context::of_observation(&key, at(2)).trace);
        assert_ne!(observation.trace, Context::of_observation(&other, at(1)).trace);
    }

    #[test]
    fn headers_are_read() {
        let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        for (header, expected) in [
            (format!("00-{ids}-01"), Some(format!("00-{ids}-01"))),
            (format!(" 00-{ids}-00 "), Some(format!("00-{ids}-01"))),
            (format!("01-{ids}-01-more"), Some(format!("00-{ids}-01"))),
            (format!("00-{ids}-01-more"), None),
            (format!("ff-{ids}-01"), None),
            (format!("00-{ids}"), None),
            (format!("00-{}-01", ids.to_uppercase()), None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(), None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".to_owned(), None),
            ("00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(Context::from_header(&header).map(Context::header), expected, "{header}");
        }
    }
}
