//! What is too much in an account, over the partitions that its scopes are in.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Batch, Output, PARTITIONS, Page, Source, Stage, Stream, group_of_scope};
use elava_decider::Decider;
use elava_schemas::config::Config;
use elava_schemas::{Approval, ApprovalId, ChangeId, DecisionId, Message, ScanId, Timestamp, Verdict};

use crate::given::{config, dearer, drift, now};

const REGIONS: [&str; 6] = ["eu-west-1", "eu-west-2", "eu-north-1", "us-east-1", "us-east-2", "us-west-2"];

fn settings() -> Config {
    config("behavior: {breaker: {findings: 5, at_least: 4, account: {findings: 7}}}")
}

thread_local! {
    static CLOCK: Cell<Timestamp> = const { Cell::new(Timestamp::UNIX_EPOCH) };
}

fn decider() -> Decider {
    Decider::new(settings()).with_clock(|| CLOCK.get())
}

/// When the process is killed: never; or after everything that it says, and so many of the changes to its state.
type Killed = Option<usize>;

const KILLED: [Killed; 5] = [None, Some(0), Some(1), Some(2), Some(4)];

/// A process, and what outlives it.
struct World {
    decider: Decider,
    sequence: u64,
    state: BTreeMap<(Source, String), Bytes>,
    /// What was told, how, and with which id.
    told: Vec<(String, DecisionId)>,
    sources: BTreeSet<Source>,
    killed: Killed,
    /// Whether all comes through a pipe.
    is_piped: bool,
    /// The scan that all is of, instead of one for each region and time.
    scan: Option<ScanId>,
}

impl World {
    fn new(killed: Killed) -> Self {
        CLOCK.set("2026-01-01T00:00:00Z".parse().expect("a time"));
        let nothing = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let (state, told, sources) = nothing;
        Self { decider: decider(), sequence: 0, state, told, sources, killed, is_piped: false, scan: None }
    }

    /// A process of its own, which has no partition yet.
    fn end(&mut self) -> BTreeSet<Source> {
        self.decider = decider();
        std::mem::take(&mut self.sources)
    }

    /// Reads what is stored of a partition.
    fn take(&mut self, source: &Source) {
        let of_source = self.state.iter().filter(|((of, _), _)| of == source);
        let state = of_source.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        now(self.decider.resume(source, None, state)).expect("it resumes");
        self.sources.insert(source.clone());
    }

    /// Reads what is stored, in a process of its own.
    fn restart(&mut self) {
        for source in self.end() {
            self.take(&source);
        }
    }

    /// The partition that has an alarm; not a copy.
    fn main(&self) -> Source {
        let is_main = |(key, value): (&(Source, String), &Bytes)| {
            let is_alarm = key.1.starts_with("breaker.") && !key.1.starts_with("breaker.copy.");
            (is_alarm && !value.is_empty()).then(|| key.0.clone())
        };
        self.state.iter().find_map(is_main).expect("an alarm")
    }

    fn keep(&mut self, source: &Source, output: Output) {
        for change in output.state {
            let key = (source.clone(), change.key);
            match change.value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
    }

    fn tell(&mut self, output: &Output) -> Vec<DecisionId> {
        let mut ids = Vec::new();
        for emit in &output.messages {
            let Ok(Message::Decision(decision)) = emit.message() else { panic!("not a decision") };
            ids.push(decision.id.clone());
            if decision.action.as_str() != "audit" {
                let (what, _) = decision.reason.split_once(':').unwrap_or((&decision.reason, ""));
                self.told.push((format!("{} {what}", decision.action.as_str()), decision.id));
            }
        }
        ids
    }

    /// Gives a source what has come.
    fn give(&mut self, source: &Source, messages: Vec<(String, Message)>) {
        if !self.sources.contains(source) {
            self.take(source);
        }
        let page = |(subject, message): (String, Message)| {
            self.sequence += 1;
            let body = message.to_line().into();
            Page { sequence: self.sequence, subject, first_line: 1, received_at: CLOCK.get(), body }
        };
        let pages = messages.into_iter().map(page).collect();
        let output = now(self.decider.handle(&Batch { source: source.clone(), pages })).expect("it decides");
        assert_eq!(output.rejected, []);
        self.tell(&output);
        self.keep(source, output);
    }

    /// Two databases of each region lose a tag, or have it again.
    fn tags(&mut self, before: &str, after: &str) {
        self.tags_of(&REGIONS, 2, before, after);
    }

    /// So many of each of some regions.
    fn tags_of(&mut self, regions: &[&str], count: usize, before: &str, after: &str) {
        self.change(regions, 1..=count, &drift(before, after));
    }

    /// The same change of these databases of each of some regions.
    fn change(&mut self, regions: &[&str], numbers: RangeInclusive<usize>, message: &Message) {
        for region in regions.iter().copied() {
            let mut partition = 0;
            let messages = numbers.clone().map(|number| {
                let Message::Change(mut change) = message.clone() else { panic!("a change") };
                change.resource_key.region = region.to_owned();
                change.resource_key.id = format!("db-{number}");
                let scan = || ScanId::from(format!("{region} {}", CLOCK.get()));
                change.scan_id = Some(self.scan.clone().unwrap_or_else(scan));
                change.detected_at = CLOCK.get();
                change.id = ChangeId::of(&[region, &number.to_string(), &CLOCK.get().to_string()]);
                partition = group_of_scope((&change.resource_key).into(), PARTITIONS);
                (format!("elava.change.{partition}.aws.123456789012.{region}.rds:db"), Message::Change(change))
            });
            let messages: Vec<(String, Message)> = messages.collect();
            let partition = Source::Partition { stream: Stream::Change, partition };
            self.give(&if self.is_piped { Source::Pipe } else { partition }, messages);
        }
    }

    /// A person answers the last alert. Every group hears it.
    fn answer(&mut self, verdict: Verdict) {
        let alerts = self.told.iter().rev().filter(|(told, _)| told.contains("shows more than can be true"));
        let decision_id = alerts.map(|(_, id)| id.clone()).next().expect("told");
        let approval = Approval {
            id: ApprovalId::of(&[decision_id.as_str()]),
            decision_id,
            by: "ann".into(),
            verdict,
            reason: None,
            at: CLOCK.get(),
        };
        let source = Source::Partition { stream: Stream::Execution, partition: 0 };
        self.give(&source, vec![("elava.approval".to_owned(), approval.into())]);
    }

    /// Lets time pass in all partitions.
    fn wait(&mut self, time: TimeDelta) {
        let until = CLOCK.get() + time;
        let next = |world: &Self| {
            let due = |source: &Source| Some((world.decider.due(source)?, source.clone()));
            world.sources.iter().filter_map(due).min().filter(|(due, _)| *due <= until)
        };
        for _ in 0..10_000 {
            let Some((due, source)) = next(self) else {
                CLOCK.set(until);
                return;
            };
            CLOCK.set(CLOCK.get().max(due));
            let mut output = now(self.decider.tick(&source, CLOCK.get())).expect("it decides");
            let ids = self.tell(&output);
            if let Some(kept) = self.killed.filter(|_| !ids.is_empty()) {
                // what was said is stored, and so is a part of the state
                output.state.truncate(kept);
                self.keep(&source, output);
                self.restart();
                let again = now(self.decider.tick(&source, CLOCK.get())).expect("it decides");
                let told = self.told.len();
                let said_again = self.tell(&again);
                assert!(kept > 0 || said_again == ids, "the same state and time lead to the same");
                self.told.truncate(told);
                self.keep(&source, again);
            } else {
                self.keep(&source, output);
            }
        }
        panic!("something is due for ever");
    }

    fn told(&mut self) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        self.told.drain(..).for_each(|(what, _)| *told.entry(what).or_default() += 1);
        told
    }
}

/// Where the databases of a region are.
fn source_of(region: &str) -> Source {
    let Message::Change(mut change) = drift("", "") else { panic!("a change") };
    change.resource_key.region = region.to_owned();
    Source::Partition { stream: Stream::Change, partition: group_of_scope((&change.resource_key).into(), PARTITIONS) }
}

fn of<const N: usize>(told: [(&str, usize); N]) -> BTreeMap<String, usize> {
    told.map(|(what, count)| (what.to_owned(), count)).into()
}

/// Until what waits is judged; also right after a restart.
const MOMENT: TimeDelta = TimeDelta::seconds(30);
/// Until what alarms hold is counted again.
const MINUTES: TimeDelta = TimeDelta::minutes(5);
const ALERT: (&str, usize) = ("alert An account shows more than can be true; held back until somebody releases it", 1);
const DRIFT: &str = "notify Tags drifted (a removed)";

#[test]
fn one_alert_for_an_account_and_the_rest_is_held() {
    for killed in KILLED {
        let mut world = World::new(killed);
        world.tags("a=1", "");
        world.wait(MOMENT);
        assert!(world.sources.len() > 2, "in several partitions");
        assert_eq!(world.told(), of([ALERT]), "killed: {killed:?}");
        // over in all scopes
        world.tags("", "a=1");
        world.wait(MINUTES);
        assert_eq!(world.told(), of([("alert All that was held back is over", 1)]), "killed: {killed:?}");
    }
}

#[test]
fn what_is_held_of_an_account_is_released_everywhere() {
    for killed in KILLED {
        let mut world = World::new(killed);
        world.tags("a=1", "");
        world.wait(MOMENT);
        world.answer(Verdict::Approved);
        world.told();
        world.wait(MINUTES);
        assert_eq!(world.told(), of([("alert Released by ann", 1), (DRIFT, 12)]), "killed: {killed:?}");
        world.tags("", "a=1");
        world.wait(MINUTES);
        assert_eq!(world.told(), of([("notify Tags are again as they were", 12)]), "killed: {killed:?}");
    }
}

#[test]
fn what_is_held_of_an_account_is_denied_everywhere() {
    for killed in KILLED {
        let mut world = World::new(killed);
        world.tags("a=1", "");
        world.wait(MOMENT);
        world.answer(Verdict::Denied);
        world.told();
        world.wait(MINUTES);
        let over = ("alert Denied by ann; what was held back is not told", 1);
        assert_eq!(world.told(), of([over]), "killed: {killed:?}");
        world.tags("", "a=1");
        world.wait(MINUTES);
        assert_eq!(world.told(), of([]), "killed: {killed:?}");
    }
}

/// Another process has the partition with the alarm now: nobody here would hear of its end.
#[test]
fn what_is_held_is_let_go_of_where_the_alarm_is_not() {
    let mut world = World::new(None);
    world.tags("a=1", "");
    world.wait(MOMENT);
    let main = world.main();
    let held = |(key, value): &(&(Source, String), &Bytes)| {
        key.0 != main && String::from_utf8_lossy(value).contains("\"held\":{\"breaker\"")
    };
    let held = world.state.iter().filter(held).count();
    assert!(held > 0);
    world.sources.remove(&main);
    world.restart();
    world.told();
    world.wait(MINUTES);
    assert_eq!(world.told(), of([(DRIFT, held)]), "and nothing of the alarm");
}

#[test]
fn what_was_released_is_not_counted_again() {
    for killed in KILLED {
        let mut world = World::new(killed);
        // told, because it is little
        world.tags_of(&REGIONS[..3], 2, "a=1", "");
        world.wait(MOMENT);
        assert_eq!(world.told(), of([(DRIFT, 6)]), "killed: {killed:?}");
        world.tags_of(&REGIONS[3..4], 2, "a=1", "");
        world.wait(MOMENT);
        world.answer(Verdict::Approved);
        assert_eq!(world.told(), of([ALERT]), "killed: {killed:?}");
        world.wait(MOMENT);
        assert_eq!(world.told(), of([("alert Released by ann", 1), (DRIFT, 2)]), "killed: {killed:?}");
        world.restart();
        world.tags_of(&REGIONS[4..5], 2, "a=1", "");
        world.wait(MOMENT);
        assert_eq!(world.told(), of([(DRIFT, 2)]), "killed: {killed:?}");
    }
}

/// What is held with its scan is none of what an account shows.
#[test]
fn a_scan_that_is_too_much_is_counted_by_itself() {
    let mut world = World::new(None);
    world.tags_of(&REGIONS[..1], 6, "a=1", "");
    world.tags_of(&REGIONS[1..2], 2, "a=1", "");
    world.wait(MOMENT);
    let scan = ("alert One scan shows more than can be true; held back until somebody releases it", 1);
    assert_eq!(world.told(), of([scan, (DRIFT, 2)]));
}

/// What a scan shows late, after all that it had shown was over, is another alarm, with an answer of its own.
#[test]
fn a_scan_can_be_too_much_again() {
    const SCAN: (&str, usize) = ("alert One scan shows more than can be true; held back until somebody releases it", 1);
    const OVER: (&str, usize) = ("alert All that was held back is over", 1);
    for killed in KILLED {
        let mut world = World::new(killed);
        world.scan = Some(ScanId::from("of this morning".to_owned()));
        let mut ids = BTreeSet::new();
        for number in 1..=2 {
            world.tags_of(&REGIONS[..1], 6, "a=1", "");
            world.wait(MOMENT);
            ids.insert(world.told.first().expect("an alarm").1.clone());
            assert_eq!(world.told(), of([SCAN]), "killed: {killed:?}");
            world.tags_of(&REGIONS[..1], 6, "", "a=1");
            world.wait(MINUTES);
            ids.insert(world.told.first().expect("its end").1.clone());
            assert_eq!(world.told(), of([OVER]), "killed: {killed:?}");
            assert_eq!(ids.len(), 2 * number, "each is told by itself");
        }
        world.tags_of(&REGIONS[..1], 6, "a=1", "");
        world.wait(MOMENT);
        world.answer(Verdict::Approved);
        world.told();
        world.wait(MINUTES);
        let told = world.told();
        assert_eq!(told, of([("alert Released by ann", 1), (DRIFT, 6)]), "killed: {killed:?}");
    }
}

#[test]
fn in_a_pipe_an_account_is_one_alert_as_well() {
    let mut world = World { is_piped: true, ..World::new(None) };
    world.tags("a=1", "");
    world.wait(MINUTES);
    assert_eq!(world.told(), of([ALERT]));
    world.tags("", "a=1");
    world.wait(MINUTES);
    assert_eq!(world.told(), of([("alert All that was held back is over", 1)]));
}

/// What comes days after the last of an alarm is something else.
#[test]
fn an_old_alarm_does_not_take_in_what_is_new() {
    let mut world = World::new(None);
    world.tags_of(&REGIONS[..4], 2, "a=1", "");
    world.wait(MOMENT);
    assert_eq!(world.told(), of([ALERT]));
    world.wait(TimeDelta::minutes(30));
    world.tags_of(&REGIONS[4..], 4, "a=1", "");
    world.wait(MOMENT);
    assert_eq!(world.told(), of([ALERT]));
}

/// Partitions come one after the other: those that are not back yet hold what they held.
#[test]
fn an_alarm_outlasts_a_restart() {
    for first in REGIONS.iter().copied() {
        let mut world = World::new(None);
        world.tags("a=1", "");
        world.wait(MOMENT);
        assert_eq!(world.told(), of([ALERT]));
        let sources = world.end();
        assert!(sources.len() > 2, "in several partitions");
        // something waits there to be judged
        world.change(&[first], 9..=9, &dearer(1.0, 2.0));
        world.wait(MOMENT);
        for source in sources {
            if !world.sources.contains(&source) {
                world.take(&source);
            }
            world.wait(TimeDelta::seconds(3));
        }
        world.wait(MINUTES);
        let told: Vec<String> = world.told().into_keys().collect();
        assert!(told.len() == 1 && told[0].starts_with("notify Estimated cost"), "{first}: {told:?}");
        world.tags("", "a=1");
        world.wait(MINUTES);
        assert_eq!(world.told(), of([("alert All that was held back is over", 1)]), "{first}");
    }
}

/// What comes where the alarm of a copy is not any more is judged by itself.
#[test]
fn a_copy_alone_takes_in_nothing() {
    let mut world = World::new(None);
    world.tags("a=1", "");
    world.wait(MOMENT);
    assert_eq!(world.told(), of([ALERT]));
    let main = world.main();
    world.sources.remove(&main);
    world.restart();
    // fewer than the breaker of a scope would hold
    let elsewhere: Vec<&str> = REGIONS.into_iter().filter(|region| source_of(region) != main).collect();
    world.change(&elsewhere, 7..=9, &drift("a=1", ""));
    world.wait(MOMENT);
    assert_eq!(world.told(), of([ALERT]), "an alert of their own");
}
