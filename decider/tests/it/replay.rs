//! What holds whatever is given in whatever order: nothing is decided twice, nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Batch, Page, Source, Stage, Stream};
use elava_decider::{Decider, Entry};
use elava_schemas::config::Config;
use elava_schemas::{ChangeId, Decision, Message, ResultId, ScanId, Subject, Timestamp};
use proptest::prelude::*;

use crate::given::{dearer, drift, gone, modified, new, now, result, result_with};

/// Inputs to draw from.
static CHANGES: LazyLock<Vec<Message>> = LazyLock::new(|| {
    let all = "elava:managed=yes,elava:owner=me,environment=prod";
    vec![
        new(""),
        new(all),
        gone("blessed=yes"),
        gone("a=1"),
        drift("a=1", "a=2"),
        drift("a=2", "a=3"),
        drift("a=3", "a=1"),
        drift("a=2", "a=1"),
        drift("", all),
        dearer(1.0, 2.0),
        modified(2.0, 1.0),
    ]
});

static RESULTS: LazyLock<Vec<Message>> = LazyLock::new(|| {
    vec![
        result("critical day2.a/x: Bad"),
        result("warning day2.a/x: Bad"),
        result("critical day2.a/x: Bad;info day2.b/y: Odd"),
        result(""),
        result_with("", "", &["day2.a"], Subject::Present),
        result_with("", "", &[], Subject::Gone),
    ]
});

const CHANGE: Source = Source::Partition { stream: Stream::Change, partition: 3 };
const POLICY: Source = Source::Partition { stream: Stream::Policy, partition: 3 };

/// What is stored outside of the process: outputs by id, and the state of each source.
#[derive(Clone, Debug, Default, PartialEq)]
struct Stored {
    decisions: BTreeSet<String>,
    state: BTreeMap<(Source, String), Bytes>,
}

impl Stored {
    /// Stores the state of an output, and where it is complete.
    fn keep(&mut self, source: &Source, output: elava_bus::Output, sequence: u64) {
        for change in output.state {
            let key = (source.clone(), change.key);
            match change.value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
        self.state.insert((source.clone(), "position".to_owned()), sequence.to_string().into());
    }

    fn entries(&self, source: &Source) -> Vec<(String, Bytes)> {
        let of_source = self.state.iter().filter(|((of, _), _)| of == source);
        of_source.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// Open findings, whenever people are reminded of them: what breakers hold is counted at once after a restart.
    fn open_since_any_time(&self) -> BTreeMap<String, Vec<elava_decider::Finding>> {
        let mut open = self.open();
        open.values_mut().flatten().for_each(|finding| finding.remind_at = None);
        open
    }

    /// Open findings, without the positions at which they were changed.
    fn open(&self) -> BTreeMap<String, Vec<elava_decider::Finding>> {
        let entry = |((_, key), value): (&(Source, String), &Bytes)| {
            let entry: Entry = serde_json::from_slice(value).expect("an entry");
            (!entry.findings.is_empty()).then(|| (key.clone(), entry.findings))
        };
        self.state.iter().filter(|((_, key), _)| key.contains('.')).filter_map(entry).collect()
    }
}

fn batch(source: &Source, from: u64, messages: &[Message]) -> Batch {
    let word = if *source == POLICY { "policy" } else { "change" };
    let page = |(sequence, message): (u64, &Message)| Page {
        sequence,
        subject: format!("elava.{word}.3.aws.123456789012.us-east-1.rds:db"),
        first_line: 1,
        received_at: Timestamp::UNIX_EPOCH,
        body: message.to_line().into(),
    };
    Batch { source: source.clone(), pages: (from..).zip(messages).map(page).collect() }
}

/// Gives one batch, and stores what comes of it: outputs first, then `state_changes` entries of the
/// state, and the position only when all were stored. Ids stored before are the same ids.
fn give(decider: &Decider, stored: &mut Stored, batch: &Batch, state_changes: usize) {
    let output = now(decider.handle(batch)).expect("deciding does not fail");
    assert_eq!(output.rejected, []);
    for emit in output.messages {
        let Ok(Message::Decision(decision)) = emit.message() else { panic!("not a decision") };
        stored.decisions.insert(decision.id.to_string());
    }
    let whole = state_changes >= output.state.len();
    for change in output.state.into_iter().take(state_changes) {
        let key = (batch.source.clone(), change.key);
        match change.value {
            Some(value) => stored.state.insert(key, value),
            None => stored.state.remove(&key),
        };
    }
    if whole {
        let key = (batch.source.clone(), "position".to_owned());
        stored.state.insert(key, batch.last_sequence().to_string().into());
    }
}

/// A fresh process: what it is given, and from where it goes on.
fn restart(stored: &Stored, source: &Source) -> (Decider, u64) {
    let decider = Decider::new(Config::default());
    let resume = now(decider.resume(source, None, stored.entries(source))).expect("resuming does not fail");
    (decider, resume.from)
}

/// Every input, `size` at a time, without any disturbance.
fn undisturbed(source: &Source, messages: &[Message], size: usize) -> Stored {
    let mut stored = Stored::default();
    let decider = Decider::new(Config::default());
    for (number, chunk) in messages.chunks(size).enumerate() {
        give(&decider, &mut stored, &batch(source, (number * size) as u64 + 1, chunk), usize::MAX);
    }
    stored
}

/// Inputs of three resources, in any order.
fn inputs(of: &'static LazyLock<Vec<Message>>) -> impl Strategy<Value = Vec<Message>> {
    proptest::collection::vec((0..of.len(), 1..4), 1..24)
        .prop_map(move |picks| picks.into_iter().map(|(index, resource)| about(&of[index], resource)).collect())
}

/// The same input about another resource.
fn about(message: &Message, resource: i32) -> Message {
    let id = format!("db-{resource}");
    let mut message = message.clone();
    match &mut message {
        Message::Change(change) => {
            change.id = ChangeId::of(&[change.id.as_str(), &id]);
            change.resource_key.id = id;
        }
        Message::PolicyResult(result) => {
            result.id = ResultId::of(&[result.id.as_str(), &id]);
            result.resource_key.id = id;
        }
        other => panic!("{} is not decided", other.kind()),
    }
    message
}

proptest! {
    /// A crash after the outputs of any batch were stored, with any part of its state.
    #[test]
    fn a_restart_changes_nothing(
        changes in inputs(&CHANGES), results in inputs(&RESULTS),
        size in 1..6_usize, crash in 0..24_usize, state_changes in 0..4_usize,
    ) {
        for (source, messages) in [(CHANGE, changes), (POLICY, results)] {
            let mut stored = Stored::default();
            let decider = Decider::new(Config::default());
            for (number, chunk) in messages.chunks(size).enumerate() {
                let crashes = number == crash;
                let kept = if crashes { state_changes } else { usize::MAX };
                give(&decider, &mut stored, &batch(&source, (number * size) as u64 + 1, chunk), kept);
                if crashes {
                    break;
                }
            }
            let (decider, from) = restart(&stored, &source);
            for (offset, message) in messages.iter().enumerate().skip(usize::try_from(from).expect("small") - 1) {
                give(&decider, &mut stored, &batch(&source, offset as u64 + 1, std::slice::from_ref(message)), usize::MAX);
            }
            let expected = undisturbed(&source, &messages, 1);
            prop_assert_eq!(&stored.open(), &expected.open());
            prop_assert_eq!(stored.decisions, expected.decisions);
        }
    }

    /// Outputs could not be stored: the same process is given the same batch again.
    #[test]
    fn a_batch_given_again_leads_to_the_same(messages in inputs(&CHANGES), size in 1..6_usize) {
        let decider = Decider::new(Config::default());
        for (number, chunk) in messages.chunks(size).enumerate() {
            let batch = batch(&CHANGE, (number * size) as u64 + 1, chunk);
            let once = now(decider.handle(&batch)).expect("deciding does not fail");
            let again = now(decider.handle(&batch)).expect("deciding does not fail");
            let lines = |output: &elava_bus::Output| -> Vec<Vec<u8>> {
                output.messages.iter().map(|emit| emit.line.clone()).collect()
            };
            prop_assert_eq!(lines(&once), lines(&again));
            prop_assert_eq!(format!("{:?}", once.state), format!("{:?}", again.state));
        }
    }

    /// The order between the two streams does not matter.
    #[test]
    fn interleaving_does_not_matter(
        changes in inputs(&CHANGES), results in inputs(&RESULTS), order in proptest::collection::vec(any::<bool>(), 48),
    ) {
        let decider = Decider::new(Config::default());
        let mut stored = Stored::default();
        let (mut left, mut right) = (1..=changes.len(), 1..=results.len());
        for change_first in order.into_iter().chain([true, false].repeat(24)) {
            let next = if change_first {
                left.next().map(|at| batch(&CHANGE, at as u64, &changes[at - 1..at]))
            } else {
                right.next().map(|at| batch(&POLICY, at as u64, &results[at - 1..at]))
            };
            if let Some(batch) = next {
                give(&decider, &mut stored, &batch, usize::MAX);
            }
        }
        let (of_changes, of_results) = (undisturbed(&CHANGE, &changes, 1), undisturbed(&POLICY, &results, 1));
        let mut open = of_changes.open();
        open.extend(of_results.open());
        prop_assert_eq!(stored.open(), open);
        prop_assert_eq!(stored.decisions, &of_changes.decisions | &of_results.decisions);
    }

    /// Several rows in one page, or one a page: the same.
    #[test]
    fn paging_does_not_matter(messages in inputs(&CHANGES)) {
        let body: Vec<u8> = messages.iter().flat_map(|message| [message.to_line(), b"\n".to_vec()].concat()).collect();
        let mut page = batch(&CHANGE, 1, &messages[..1]);
        page.pages[0].body = body.into();
        let mut stored = Stored::default();
        give(&Decider::new(Config::default()), &mut stored, &page, usize::MAX);
        let expected = undisturbed(&CHANGE, &messages, 1);
        prop_assert_eq!(stored.open(), expected.open());
        prop_assert_eq!(stored.decisions, expected.decisions);
    }
}

/// One step of a history: an input, or time that passes.
#[derive(Clone, Debug)]
enum Step {
    Input(Message),
    Minutes(u32),
}

/// Inputs of three resources, of one scan or of none, with time between them.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let input = (0..CHANGES.len(), 1..4, 0..3_u32).prop_map(|(index, resource, scan)| {
        let mut message = about(&CHANGES[index], resource);
        if let Message::Change(change) = &mut message {
            change.scan_id = (scan > 0).then(|| ScanId::from(format!("scan-{scan}")));
        }
        Step::Input(message)
    });
    let time = (1..3000_u32).prop_map(Step::Minutes);
    proptest::collection::vec(prop_oneof![3 => input, 1 => time], 1..24).prop_map(|mut steps| {
        let mut clock = 0;
        for (number, step) in steps.iter_mut().enumerate() {
            match step {
                Step::Minutes(minutes) => clock += *minutes,
                Step::Input(Message::Change(change)) => {
                    change.id = ChangeId::of(&[change.id.as_str(), &number.to_string()]);
                    // no scan takes longer than two hours
                    let scan = |id: ScanId| ScanId::from(format!("{id}-{}", clock / 120));
                    change.scan_id = change.scan_id.take().map(scan);
                }
                Step::Input(_) => {}
            }
        }
        steps
    })
}

/// Few are too many, and everything comes soon.
fn hasty() -> Config {
    crate::given::config(
        "behavior: {grace_period: 1h, remind_after: {critical: 1h, warning: 4h}, expire_after: 1d, \
         flapping: {transitions: 2, within: 8h}, breaker: {findings: 2, percent: 100, at_least: 2, settle: 1m}}",
    )
}

/// What is told, in order, and what is open in the end. After the step `crash`, the process ends with its outputs
/// stored and its state not; and what was given last is given again.
fn lived(steps: &[Step], crash: Option<usize>) -> (Vec<String>, Stored) {
    let (mut told, mut stored) = (Vec::new(), Stored::default());
    let mut decider = Decider::new(hasty());
    // after any restart of this process
    let mut clock: Timestamp = "2100-01-01T00:00:00Z".parse().expect("a time");
    let mut sequence = 0;
    for (number, step) in steps.iter().enumerate() {
        let crashes = crash == Some(number);
        match step {
            Step::Input(message) => {
                sequence += 1;
                let mut message = message.clone();
                if let Message::Change(change) = &mut message {
                    change.detected_at = clock;
                }
                let mut input = batch(&CHANGE, sequence, &[message]);
                input.pages[0].received_at = clock;
                let output = now(decider.handle(&input)).expect("deciding does not fail");
                told.extend(ids(&output));
                if crashes {
                    decider = Decider::new(hasty());
                    now(decider.resume(&CHANGE, None, stored.entries(&CHANGE))).expect("resuming does not fail");
                    // outputs up to the checkpoint are dropped by the bus
                    stored.keep(&CHANGE, now(decider.handle(&input)).expect("deciding does not fail"), sequence);
                } else {
                    stored.keep(&CHANGE, output, sequence);
                }
            }
            Step::Minutes(minutes) => {
                let until = clock + TimeDelta::minutes(i64::from(*minutes));
                while let Some(due) = decider.due(&CHANGE).filter(|due| *due <= until) {
                    clock = clock.max(due);
                    let output = now(decider.tick(&CHANGE, clock)).expect("deciding does not fail");
                    told.extend(ids(&output));
                    if crashes {
                        decider = Decider::new(hasty());
                        now(decider.resume(&CHANGE, None, stored.entries(&CHANGE))).expect("resuming does not fail");
                        let again = now(decider.tick(&CHANGE, clock)).expect("deciding does not fail");
                        assert_eq!(ids(&again), ids(&output), "the same state and time lead to the same");
                        stored.keep(&CHANGE, again, sequence);
                    } else {
                        stored.keep(&CHANGE, output, sequence);
                    }
                }
                clock = until;
            }
        }
    }
    (told, stored)
}

fn ids(output: &elava_bus::Output) -> Vec<String> {
    let decision = |emit: &elava_bus::Emit| match emit.message() {
        Ok(Message::Decision(decision)) => {
            let Decision { id, state, action, reason, .. } = *decision;
            format!("{id} {} {} {reason}", action.as_str(), state.as_str())
        }
        other => panic!("not a decision: {other:?}"),
    };
    output.messages.iter().map(decision).collect()
}

proptest! {
    /// Grace, reminders, flapping, breakers, and a crash at any point: the same is told, once, and the same is open.
    #[test]
    fn time_passes_once(steps in steps(), crash in 0..24_usize) {
        let (told, stored) = lived(&steps, None);
        let (told_again, stored_again) = lived(&steps, Some(crash));
        // in which order, of different resources, does not matter
        let sorted = |mut told: Vec<String>| { told.sort_unstable(); told };
        prop_assert_eq!(sorted(told.clone()), sorted(told_again));
        prop_assert_eq!(stored.open_since_any_time(), stored_again.open_since_any_time());
        let mut once = BTreeSet::new();
        for told in told {
            prop_assert!(once.insert(told.clone()), "told twice: {}", told);
        }
    }

    /// Everything is delivered a second time, right after the first.
    #[test]
    fn repetition_says_nothing(steps in steps()) {
        let twice: Vec<Step> = steps.iter().flat_map(|step| match step {
            Step::Input(_) => vec![step.clone(), step.clone()],
            Step::Minutes(_) => vec![step.clone()],
        }).collect();
        let (told, stored) = lived(&steps, None);
        let (told_twice, stored_twice) = lived(&twice, None);
        let findings = |told: Vec<String>| told.into_iter().collect::<BTreeSet<_>>();
        prop_assert_eq!(findings(told), findings(told_twice));
        prop_assert_eq!(stored.open(), stored_twice.open());
    }
}

/// Piped runs hand their findings on, and positions begin anew.
#[test]
fn findings_survive_between_piped_runs() {
    let mut stored = Stored::default();
    let (first, from) = restart(&stored, &Source::Pipe);
    assert_eq!(from, 1);
    let both = [drift("a=1", "a=2"), result("critical day2.a/x: Bad")];
    give(&first, &mut stored, &batch(&Source::Pipe, 1, &both), usize::MAX);
    assert_eq!(stored.open().len(), 2);
    stored.state.retain(|(_, key), _| key != "position");

    let (second, from) = restart(&stored, &Source::Pipe);
    assert_eq!(from, 1);
    give(&second, &mut stored, &batch(&Source::Pipe, 1, &both), usize::MAX);
    assert_eq!(stored.decisions.len(), 2, "nothing is new");
    let over = [drift("a=2", "a=1"), result("")];
    give(&second, &mut stored, &batch(&Source::Pipe, 3, &over), usize::MAX);
    assert_eq!((stored.decisions.len(), stored.open().len()), (4, 0));
}

/// A restart goes on after what is known, even where nothing is open; a newer format is not guessed at.
#[test]
fn the_position_is_kept_from_the_first_batch() {
    let stored = undisturbed(&POLICY, &[result(""), result("")], 1);
    assert_eq!((restart(&stored, &POLICY).1, restart(&stored, &CHANGE).1), (3, 1));

    let newer = vec![("format".to_owned(), Bytes::from_static(b"2"))];
    let failure = now(Decider::new(Config::default()).resume(&POLICY, None, newer)).expect_err("a newer format");
    assert_eq!(elava_bus::cli::chain(&failure), "cannot go on: the open findings were stored by a newer version");
}

/// What comes on a stream or subject where its order is not kept is a dead letter.
#[test]
fn misplaced_rows_are_rejected() {
    let decider = Decider::new(Config::default());
    let mut elsewhere = batch(&CHANGE, 1, &[gone("")]);
    elsewhere.pages[0].subject = "elava.change.3.aws.1.eu-west-1.rds:db".to_owned();
    for (batch, reason) in [
        (
            elsewhere,
            "change of aws/123456789012/us-east-1/rds:db/db-1 does not belong on elava.change.3.aws.1.eu-west-1.rds:db",
        ),
        (
            batch(&POLICY, 1, &[gone("")]),
            "change of aws/123456789012/us-east-1/rds:db/db-1 does not belong on elava.policy.3.aws.123456789012.us-east-1.rds:db",
        ),
    ] {
        let output = now(decider.handle(&batch)).expect("deciding does not fail");
        assert_eq!(output.rejected[0].reason, reason);
        assert!(output.messages.is_empty());
    }
}
