//! The permissions of each user: the least with which it can do its work.
//!
//! Subjects are taken from where they are used. NATS sees subjects only: what a request carries in its
//! body, such as the filter of a direct get, it does not limit.

use super::{User, inbox};
use crate::nats::consumer::durable;
use crate::nats::streams::{LEASE_BUCKET, STATE_BUCKET, asking, lease_stream, state_stream, used};
use crate::tenure::Share;
use crate::topology::{ASKED, STORED};
use crate::{PARTITIONS, Stream, ask, reads, service};

/// What a user may publish and subscribe to; nothing else.
#[derive(Clone, Debug)]
pub struct Permissions {
    /// Also requests, to JetStream and to stages.
    pub publish: Vec<Grant>,
    /// Streams are read by requests; this is what is heard beside them.
    pub subscribe: Vec<Grant>,
}

/// Subjects, and what they are needed for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What for.
    pub purpose: &'static str,
    /// Which, with wildcards.
    pub subjects: Vec<String>,
}

impl User {
    /// What it may do.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        match self {
            Self::Observer => observer(),
            Self::Detector => {
                let mut detector = stage(self, reads::DETECTOR, Stream::Change);
                detector.publish.push(keeping_room(Stream::Observation));
                detector
            }
            Self::Enforcer => {
                let mut enforcer = stage(self, reads::ENFORCER, Stream::Policy);
                let current = [ask::CURRENT.to_owned(), format!("{}.*", ask::CURRENT)];
                enforcer.publish.push(Grant::new("to evaluate again what has not changed", current));
                enforcer
            }
            Self::Decider => stage(self, reads::DECIDER, Stream::Decision),
            Self::Notifier => stage(self, reads::NOTIFIER, Stream::Execution),
            Self::Executor => stage(self, reads::EXECUTOR, Stream::Execution),
            Self::Elava => elava(),
            Self::Admin => admin(),
        }
    }
}

/// It claims scopes, and reads no stream.
fn observer() -> Permissions {
    let user = User::Observer;
    let mut permissions = taking_part(user, &[], Some(Stream::Observation));
    permissions.publish.push(Grant::new("to claim scopes", ["scan.>", "scanned.>"].map(lease)));
    permissions
}

/// Whoever reads partitions, and stores what that leads to.
fn stage(user: User, reads: &[Stream], writes: Stream) -> Permissions {
    let name = user.name();
    let checkpoints = format!("elava.checkpoint.{name}.*.*");
    let partitions = ["instance", "group"].map(|word| lease(&format!("{word}.{name}.*")));
    let own_state = format!("$KV.{STATE_BUCKET}.{name}.>");
    let state = state_stream();
    let mut permissions = taking_part(user, reads, Some(writes));
    permissions.publish.extend([
        Grant::new("how far it has come", [format!("$JS.API.DIRECT.GET.{}.{checkpoints}", writes.name()), checkpoints]),
        Grant::new("to lease partitions", partitions),
        Grant::new(
            "what it keeps",
            [
                // the filter is part of the subject: only its own keys. The consumer's name is drawn by chance
                format!("$JS.API.CONSUMER.CREATE.{state}.*.{own_state}"),
                format!("$JS.API.CONSUMER.MSG.NEXT.{state}.*"),
                format!("$JS.API.CONSUMER.DELETE.{state}.*"),
                own_state,
            ],
        ),
    ]);
    permissions.publish.extend(reads.iter().map(|stream| reading(user, *stream)));
    permissions
}

/// What every stage needs.
fn taking_part(user: User, reads: &[Stream], writes: Option<Stream>) -> Permissions {
    let name = user.name();
    let own = STORED.iter().filter_map(|(_, subject, writer)| match writer {
        Some(writer) => (*writer == user).then(|| (*subject).to_owned()),
        None => Some(subject.replace('*', name)),
    });
    let leases = format!("$JS.API.DIRECT.GET.{}", lease_stream());
    let mut publish = vec![
        Grant::new("what it writes, and what it cannot handle", own),
        Grant::new("whether its streams are there", used(reads, writes).iter().map(|stream| asking("INFO", stream))),
        Grant::new("who has which lease", [leases]),
    ];
    // who asks for current resources
    let enforcer = (user == User::Detector).then_some(User::Enforcer);
    let askers = [User::Elava, User::Admin].into_iter().chain(enforcer).map(|asker| inbox(asker.name()) + ".>");
    // `allow_responses` would end with an answer's first page, and count every delivery as a request
    publish.push(Grant::new("its answers", askers));
    let asked = ASKED.iter().filter(|(_, answers)| *answers == user);
    let asked = asked.flat_map(|(subject, _)| [(*subject).to_owned(), format!("{subject}.*")]);
    let subscribe = vec![
        answers_to(user),
        Grant::new("what it is asked", asked.chain([service::status_of(name)])),
        Grant::new("to be found as a service", service::discovery_of(name)),
    ];
    Permissions { publish, subscribe }
}

/// One durable consumer a partition, which only `user` can make, read, acknowledge and remove.
fn reading(user: User, stream: Stream) -> Grant {
    let name = stream.name();
    let part = |partition| Share { stream, partition, whole: None };
    // what a group reads whole has a consumer a group
    let is_whole = stream.partitions() == 1 || (user == User::Detector && !stream.is_scoped());
    let whole = (0..PARTITIONS).filter(|_| is_whole).map(|group| Share { stream, partition: 0, whole: Some(group) });
    let consumers = (0..stream.partitions()).map(part).chain(whole).flat_map(|share| {
        let durable = durable(user.name(), share);
        [
            format!("$JS.API.CONSUMER.CREATE.{name}.{durable}"),
            format!("$JS.API.CONSUMER.DELETE.{name}.{durable}"),
            // asked by async-nats when the connection was lost
            format!("$JS.API.CONSUMER.INFO.{name}.{durable}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{name}.{durable}"),
            format!("$JS.ACK.{name}.{durable}.>"),
        ]
    });
    let purpose = match stream {
        Stream::Observation => "to read observations",
        Stream::Change => "to read changes",
        Stream::Policy => "to read policy results",
        Stream::Decision => "to read decisions",
        Stream::Execution => "to read executions, deliveries and approvals",
        Stream::Dead => "to read dead letters",
    };
    Grant::new(purpose, consumers.chain([format!("$JS.API.DIRECT.GET.{name}")]))
}

/// To remove what was handled, and to know what that is.
fn keeping_room(stream: Stream) -> Grant {
    let request = |what| format!("$JS.API.{what}.{}", stream.name());
    Grant::new("to keep its stream from filling up", ["CONSUMER.LIST", "STREAM.PURGE"].map(request))
}

/// People ask, approve, see how far everything is, and hear what is published.
fn elava() -> Permissions {
    let stored = STORED.iter().map(|(_, subject, _)| (*subject).to_owned());
    let own =
        STORED.iter().filter(|(.., writer)| *writer == Some(User::Elava)).map(|(_, subject, _)| (*subject).to_owned());
    let streams = Stream::ALL.map(|stream| stream.name().to_owned());
    let consumers = streams.iter().map(|stream| format!("$JS.API.CONSUMER.LIST.{stream}"));
    let all = streams.iter().cloned().chain([state_stream(), lease_stream()]);
    Permissions {
        publish: vec![
            Grant::new("what it writes", own),
            Grant::new("what it asks", asks()),
            Grant::new("how full the streams are", all.map(|stream| asking("INFO", &stream))),
            Grant::new("how far the stages are", consumers),
            Grant::new("who has which lease", [format!("$JS.API.DIRECT.GET.{}", lease_stream())]),
        ],
        subscribe: vec![answers_to(User::Elava), Grant::new("what is published", stored)],
    }
}

/// The operator makes and changes streams, reads everything and takes leases away. What stages and people
/// say, it cannot say for them.
fn admin() -> Permissions {
    Permissions {
        publish: vec![
            Grant::new("streams and consumers", ["$JS.API.>", "$JS.ACK.>"].map(str::to_owned)),
            Grant::new("to take leases away", [lease(">")]),
            Grant::new("what it asks", asks()),
        ],
        subscribe: vec![Grant::new("everything", [">".to_owned()])],
    }
}

/// Of any stage, and of all as services.
fn asks() -> impl Iterator<Item = String> {
    let asked = ASKED.iter().flat_map(|(subject, _)| [(*subject).to_owned(), format!("{subject}.*")]);
    asked.chain([service::status_of("*"), "$SRV.>".to_owned()])
}

fn answers_to(user: User) -> Grant {
    Grant::new("answers to it", [inbox(user.name()) + ".>"])
}

fn lease(key: &str) -> String {
    format!("$KV.{LEASE_BUCKET}.{key}")
}

impl Grant {
    fn new(purpose: &'static str, subjects: impl IntoIterator<Item = String>) -> Self {
        Self { purpose, subjects: subjects.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn subjects(grants: &[Grant]) -> Vec<String> {
        grants.iter().flat_map(|grant| grant.subjects.clone()).collect()
    }

    /// Everything that is stored, kept or leased has one writer alone.
    #[test]
    fn nobody_writes_what_another_writes() {
        let mut written = BTreeSet::new();
        for user in User::ALL.into_iter().filter(|user| *user != User::Admin) {
            for subject in subjects(&user.permissions().publish) {
                let is_shared = subject.starts_with("$JS.API")
                    || subject.starts_with("_INBOX.")
                    || asks().any(|asked| asked == subject);
                assert!(is_shared || written.insert(subject.clone()), "{subject} is also written by {}", user.name());
            }
        }
        for (_, subject, writer) in STORED {
            assert_eq!(written.contains(subject), writer.is_some(), "{subject}");
        }
    }

    #[test]
    fn what_a_stage_needs() {
        let decider = subjects(&User::Decider.permissions().publish);
        // of sixteen partitions, the last
        let is_shown = |subject: &&String| !subject.contains("decider-") || subject.contains("decider-15");
        let shown: Vec<String> = decider.iter().filter(is_shown).cloned().collect();
        expect_test::expect![[r#"
            elava.decision.*.*.*.*
            elava.dead.decider
            $JS.API.STREAM.INFO.KV_elava_leases
            $JS.API.STREAM.INFO.KV_elava_state
            $JS.API.STREAM.INFO.CHANGE
            $JS.API.STREAM.INFO.POLICY
            $JS.API.STREAM.INFO.DECISION
            $JS.API.STREAM.INFO.EXECUTION
            $JS.API.STREAM.INFO.DEAD
            $JS.API.DIRECT.GET.KV_elava_leases
            _INBOX.elava.>
            _INBOX.admin.>
            $JS.API.DIRECT.GET.DECISION.elava.checkpoint.decider.*.*
            elava.checkpoint.decider.*.*
            $KV.elava_leases.instance.decider.*
            $KV.elava_leases.group.decider.*
            $JS.API.CONSUMER.CREATE.KV_elava_state.*.$KV.elava_state.decider.>
            $JS.API.CONSUMER.MSG.NEXT.KV_elava_state.*
            $JS.API.CONSUMER.DELETE.KV_elava_state.*
            $KV.elava_state.decider.>
            $JS.API.CONSUMER.CREATE.CHANGE.decider-15
            $JS.API.CONSUMER.DELETE.CHANGE.decider-15
            $JS.API.CONSUMER.INFO.CHANGE.decider-15
            $JS.API.CONSUMER.MSG.NEXT.CHANGE.decider-15
            $JS.ACK.CHANGE.decider-15.>
            $JS.API.DIRECT.GET.CHANGE
            $JS.API.CONSUMER.CREATE.POLICY.decider-15
            $JS.API.CONSUMER.DELETE.POLICY.decider-15
            $JS.API.CONSUMER.INFO.POLICY.decider-15
            $JS.API.CONSUMER.MSG.NEXT.POLICY.decider-15
            $JS.ACK.POLICY.decider-15.>
            $JS.API.DIRECT.GET.POLICY
            $JS.API.DIRECT.GET.EXECUTION"#]]
        .assert_eq(&shown.join("\n"));
    }
}
