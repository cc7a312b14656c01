//! Which subject a message is published on.

use elava_schemas::{Message, ScopeRef};

use crate::PARTITIONS;

/// The subject of a message; dead letters of `stage` are `elava.dead.<stage>`.
#[must_use]
pub fn message_subject(message: &Message) -> String {
    match message {
        Message::Observation(m) => scoped("observation", (&m.resource.key).into()),
        Message::ScanReport(m) => scoped("observation", (&m.scope).into()),
        Message::Change(m) => change_subject((&m.resource_key).into()),
        Message::PolicyResult(m) => scoped("policy", (&m.resource_key).into()),
        Message::Decision(m) => format!(
            "elava.decision.{}.{}.{}.{}",
            m.action.as_str(),
            m.severity.as_str(),
            m.resource_key.provider,
            token(&m.resource_key.account)
        ),
        Message::Execution(m) => scoped("execution", (&m.resource_key).into()),
        Message::Delivery(m) => {
            // the channel's own name; its route stays in the body
            let channel = m.channel.split(':').next().unwrap_or_default();
            format!("elava.delivery.{}.{}.{}", token(channel), m.outcome.as_str(), token(m.decision_id.as_str()))
        }
        Message::Approval(_) => "elava.approval".to_owned(),
        Message::DeadLetter(m) => format!("elava.dead.{}", token(&m.stage)),
        Message::ScanRequest(_) => crate::ask::SCAN.to_owned(),
        Message::EvaluationRequest(_) => crate::ask::EVALUATE.to_owned(),
    }
}

/// The subject of a change of a resource of this scope.
#[must_use]
pub fn change_subject(scope: ScopeRef) -> String {
    scoped("change", scope)
}

fn scoped(word: &str, scope: ScopeRef) -> String {
    let (account, region, kind) = (token(scope.account), token(scope.region), token(scope.kind));
    format!("elava.{word}.{}.{account}.{region}.{kind}", scope.provider)
}

/// One subject token: everything that could have a meaning in a subject becomes `_`.
fn token(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '=') { c } else { '_' };
    if text.is_empty() { "_".to_owned() } else { text.chars().map(plain).collect() }
}

/// The group that a scope belongs to, where the partitions are shared in so many.
///
/// As nats-server computes a partition: FNV-1a of 32 bits over the tokens, one after the other (`getHashPartition` in
/// its `subject_transform.go`).
#[must_use]
pub fn group_of_scope(scope: ScopeRef, groups: u16) -> u16 {
    let (account, region, kind) = (token(scope.account), token(scope.region), token(scope.kind));
    let tokens = [scope.provider.as_str(), &account, &region, &kind];
    let bytes = tokens.iter().flat_map(|token| token.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let partition = u16::try_from(hash % u32::from(PARTITIONS)).expect("there are few partitions");
    crate::tenure::group_of(partition, groups)
}

/// The subject that a stored one was published on: without the partition that the stream has inserted.
pub(crate) fn published(stored: &str) -> String {
    let tokens: Vec<&str> = stored.split('.').collect();
    match tokens[..] {
        ["elava", word @ ("observation" | "change" | "policy" | "decision"), _partition, a, b, c, d] => {
            ["elava", word, a, b, c, d].join(".")
        }
        _ => stored.to_owned(),
    }
}

/// Whether a row of this scope belongs on `subject`, published or stored. Order and absence are kept
/// per scope, so a row on the wrong subject would be handled out of order.
#[must_use]
pub fn scope_subject_matches(subject: &str, scope: ScopeRef) -> bool {
    let mut tokens = subject.rsplit('.');
    [scope.kind, scope.region, scope.account, scope.provider.as_str()]
        .iter()
        .all(|part| tokens.next().is_some_and(|found| found == token(part)))
}

#[cfg(test)]
mod tests {
    use elava_schemas::Provider;

    use super::*;

    #[test]
    fn tokens_are_safe() {
        for (text, expected) in [
            ("ec2:instance", "ec2:instance"),
            ("a.b *>", "a_b___"),
            ("", "_"),
            ("compute.googleapis.com/Disk", "compute_googleapis_com_Disk"),
        ] {
            assert_eq!(token(text), expected, "{text}");
        }
    }

    #[test]
    fn partitions_are_not_published() {
        for (stored, expected) in [
            ("elava.observation.7.aws.1.eu-west-1.ec2:vpc", "elava.observation.aws.1.eu-west-1.ec2:vpc"),
            ("elava.observation.aws.1.eu-west-1.ec2:vpc", "elava.observation.aws.1.eu-west-1.ec2:vpc"),
            ("elava.decision.15.notify.critical.aws.1", "elava.decision.notify.critical.aws.1"),
            ("elava.delivery.slack.delivered.d_1", "elava.delivery.slack.delivered.d_1"),
            ("-", "-"),
        ] {
            assert_eq!(published(stored), expected, "{stored}");
        }
    }

    #[test]
    fn rows_belong_to_subjects() {
        let scope = ScopeRef { provider: Provider::Aws, account: "1", region: "eu-west-1", kind: "ec2:vpc" };
        for (subject, belongs) in [
            ("elava.observation.aws.1.eu-west-1.ec2:vpc", true),
            ("elava.observation.7.aws.1.eu-west-1.ec2:vpc", true),
            ("elava.observation.aws.1.eu-west-2.ec2:vpc", false),
            ("ec2:vpc", false),
        ] {
            assert_eq!(scope_subject_matches(subject, scope), belongs, "{subject}");
        }
    }
}
