//! The notifier as a stage: holds every decision for those it goes to, tells what is due, and returns the receipts.
//!
//! In three steps, each stored before the next, so that nothing is lost and no receipt is made for what was not told:
//! what came is held; it is told, and that it was is kept; its receipts go downstream, and it is forgotten. What is
//! told between a kill and that being kept is told again.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Emit, Failure, Lease, Output, Page, Position, Rejection, Resume, Source, Stage, StageSpec, Stream,
};
use elava_schemas::config::{Notifications, Route, StdoutFormat};
use elava_schemas::{Action, Decision, DecisionState, Delivery, DeliveryId, DeliveryOutcome, Message, Timestamp};

use crate::channel::Channel;
use crate::channel::stdout::Style;
use crate::desk::{self, ConfigProblem, Desk, Means};
use crate::errand::{self, When};
use crate::lots::{Lots, fitting, member};
use crate::memory::{Lot, Member, Memory, Origin, Receipt};
use crate::notice::NAMED;
use crate::quiet::Quiet;
use crate::round::{Round, Stop};
use crate::{Clock, Patience, route, trial};

/// Decisions of one source that wait for channels that are down; with more, nothing is read until some are taken.
const HELD: usize = 5000;

/// Tells people what was decided.
#[derive(Debug)]
pub struct Notifier {
    pub(crate) desks: Vec<Desk>,
    routes: Vec<Route>,
    /// The routes' own quiet hours.
    quiet: Vec<Option<Quiet>>,
    owner_tags: Vec<String>,
    patience: Patience,
    clock: Clock,
    sources: Mutex<HashMap<Source, Arc<Mutex<Memory>>>>,
    /// What was told cannot be taken back: these are asked before.
    leases: Mutex<HashMap<Source, Lease>>,
}

impl Notifier {
    /// A notifier with the channels that are switched on. `format` overrides the configured one.
    pub fn new(config: &Notifications, format: Option<StdoutFormat>) -> Result<Self, ConfigProblem> {
        let style = Style::of(format.unwrap_or(config.stdout.format));
        Self::assemble(config, style, Box::new(std::io::stdout()), Patience::default(), chrono::Utc::now)
    }

    /// A notifier whose output, patience and clock are the caller's. Without colour.
    pub fn with(
        config: &Notifications,
        writer: Box<dyn Write + Send>,
        patience: Patience,
        clock: Clock,
    ) -> Result<Self, ConfigProblem> {
        let style = match config.stdout.format {
            StdoutFormat::Text => Style::Text(crate::Colour::No),
            StdoutFormat::Auto | StdoutFormat::Ndjson => Style::Ndjson,
        };
        Self::assemble(config, style, writer, patience, clock)
    }

    fn assemble(
        config: &Notifications,
        style: Style,
        writer: Box<dyn Write + Send>,
        patience: Patience,
        clock: Clock,
    ) -> Result<Self, ConfigProblem> {
        let means = Means { style, writer, timeout: patience.timeout, clock, example: trial::example(clock()) };
        Ok(Self {
            desks: desk::desks(config, means)?,
            quiet: desk::routes(config)?,
            routes: config.routes.clone(),
            owner_tags: config.owner_tags.clone(),
            patience,
            clock,
            sources: Mutex::default(),
            leases: Mutex::default(),
        })
    }

    /// Whether this stage's own standard output is what people read. Then no message may be
    /// written between their lines: neither deliveries nor what is passed on.
    fn writes_text(&self) -> bool {
        let mut channels = self.desks.iter().map(|desk| &desk.channel);
        channels.any(|channel| matches!(channel, Channel::Stdout(stdout) if matches!(stdout.style, Style::Text(_))))
    }

    fn memory(&self, source: &Source) -> Arc<Mutex<Memory>> {
        let fresh = || {
            let memory =
                Memory::read(Vec::new(), *source != Source::Pipe).expect("there is nothing to be read wrongly");
            Arc::new(Mutex::new(memory))
        };
        lock(&self.sources).entry(source.clone()).or_insert_with(fresh).clone()
    }

    /// Holds a decision for those it goes to. A decision that nobody is told still says something of its finding.
    fn hold(&self, memory: &mut Memory, page: &Page, decision: &Decision, lots: &mut Lots) {
        if memory.knows(decision) {
            return;
        }
        memory.saw(decision.id.clone());
        match (decision.action, decision.state) {
            (Action::Audit, DecisionState::Resolved) | (_, DecisionState::Expired) => memory.forget(&decision.finding),
            (Action::Audit, _) => {}
            (_, DecisionState::Suppressed) => memory.note(decision, &[]),
            _ => self.hold_for_all(memory, page, decision, lots),
        }
    }

    fn hold_for_all(&self, memory: &mut Memory, page: &Page, decision: &Decision, lots: &mut Lots) {
        let now = (self.clock)();
        let targets = self.targets(memory, decision, now);
        let names: Vec<String> = targets.iter().map(|(desk, _)| self.desks[*desk].name.clone()).collect();
        let order = memory.number();
        for ((index, lot), name) in targets.into_iter().zip(&names) {
            let desk = &self.desks[index];
            memory.supersede(&decision.finding, name, &lot);
            lots.supersede(&decision.finding, index, &lot);
            let is_over = decision.state == DecisionState::Resolved;
            let is_untold = is_over && memory.contact(&decision.finding, name).is_some_and(|contact| !contact.told);
            if is_untold && !lots.waits(index, decision) && !memory.waits(&decision.finding, name) {
                // It was held for later, and is not told any more: neither is its end.
                memory.forget_contact(&decision.finding, name);
                continue;
            }
            let is_digest = lot.digest;
            let in_full = lots.in_full(memory, index, &desk.name, &lot);
            let room = if is_digest { NAMED } else { desk.full() };
            let full = (*in_full < room).then(|| Box::new(fitting(decision)));
            *in_full += usize::from(full.is_some());
            lots.add(index, lot, member(order, page, decision, full));
        }
        memory.note(decision, &names);
    }

    /// Where a decision goes, and what it waits for there. The end of a finding goes to whoever was told of it.
    fn targets(&self, memory: &Memory, decision: &Decision, now: Timestamp) -> Vec<(usize, Lot)> {
        let told = (decision.state == DecisionState::Resolved).then(|| memory.told_of(&decision.finding)).flatten();
        let routes = route::taken(&self.routes, decision, &self.owner_tags);
        let mut targets = Vec::new();
        for (index, desk) in self.desks.iter().enumerate() {
            let names = |route: &usize| self.routes[*route].channels.contains(&desk.name);
            let route = routes.as_ref().and_then(|routes| routes.iter().copied().find(names));
            let goes = match &told {
                Some(told) => told.contains(&desk.name),
                None => (routes.is_none() || route.is_some()) && decision.severity >= desk.min_severity,
            };
            if goes {
                let quiet = route.and_then(|route| self.quiet[route].as_ref()).or(desk.quiet.as_ref());
                targets.push((index, self.lot(desk, quiet, decision, now)));
            }
        }
        targets
    }

    fn lot(&self, desk: &Desk, quiet: Option<&Quiet>, decision: &Decision, now: Timestamp) -> Lot {
        let begins = decision.not_before.unwrap_or(now).max(now);
        let silent = quiet.and_then(|quiet| quiet.until(begins, decision.severity));
        if let Some(until) = silent.filter(|_| !desk.channel.tracks_findings()) {
            return Lot { key: String::new(), owner: None, critical: false, until: Some(until), digest: true };
        }
        Lot {
            key: if desk.grouping.is_some() { errand::key(decision) } else { String::new() },
            owner: route::owner(decision, &self.owner_tags).map(str::to_owned),
            critical: errand::is_critical(decision),
            until: silent.or(Some(begins).filter(|begins| *begins > now)),
            digest: false,
        }
    }

    /// Tells what is due, and notes how that went; whether anything was told.
    async fn tell(&self, source: &Source, memory: &Mutex<Memory>, when: When) -> Result<bool, Failure> {
        let in_pipe = *source == Source::Pipe;
        let lease = lock(&self.leases).get(source).cloned().unwrap_or_else(Lease::unlimited);
        let mut work = Vec::new();
        {
            let mut memory = lock(memory);
            for desk in self.desks.iter().filter(|desk| in_pipe || desk.rests().is_none()) {
                let due = errand::due(&memory, desk, when);
                memory.drop_members(&due.needless);
                // Its places have moved.
                let errands =
                    if due.needless.is_empty() { due.errands } else { errand::due(&memory, desk, when).errands };
                if !errands.is_empty() {
                    work.push((desk, errands));
                }
            }
        }
        let round = Round { patience: self.patience, clock: self.clock, in_pipe };
        let (done, stop) = round.tell(work, &lease).await;
        let mut memory = lock(memory);
        for (spots, receipt) in &done {
            memory.tell(spots, receipt);
        }
        match stop {
            Some(Stop::Closed(error)) => Err(Failure::Fatal(Box::new(Stop::Closed(error)))),
            // What was told must be kept before anything else.
            _ if !done.is_empty() && !in_pipe => Ok(true),
            Some(stop @ Stop::NotOurs) => Err(Failure::Unavailable(Box::new(stop))),
            Some(stop @ Stop::Exhausted { .. }) if in_pipe => Err(Failure::Unavailable(Box::new(stop))),
            // It is tried again when it has been left alone for a while; the others need not wait for it.
            _ => Ok(!done.is_empty()),
        }
    }

    /// Whether too much waits for channels that are down.
    fn is_full(&self, memory: &Memory, now: Timestamp) -> bool {
        let down: Vec<&str> =
            self.desks.iter().filter(|desk| desk.rests().is_some()).map(|desk| desk.name.as_str()).collect();
        !down.is_empty() && memory.waiting(&down, now) > HELD
    }

    /// The receipts of what was told by `now`.
    fn receipts(&self, source: &Source, memory: &mut Memory, now: Timestamp) -> Output {
        let in_pipe = *source == Source::Pipe;
        let silent = in_pipe && self.writes_text();
        let mut output = Output::default();
        for (channel, member) in memory.take_told(now) {
            if silent {
                continue;
            }
            let Member { origin, decision, receipt, .. } = &member;
            let Some(receipt) = receipt else { continue };
            if let (true, "stdout", Some(decision)) = (in_pipe, channel.as_str(), decision) {
                output.emit(origin.sequence, (**decision).clone());
            }
            let delivery = Message::from(delivery(&member, receipt));
            output.messages.push(Emit::new(origin.sequence, &delivery).with_cause(cause(&member)));
        }
        output
    }
}

fn delivery(member: &Member, receipt: &Receipt) -> Delivery {
    Delivery {
        id: DeliveryId::of(&[member.id.as_str(), &receipt.place]),
        decision_id: member.id.clone(),
        channel: receipt.place.clone(),
        outcome: if receipt.error.is_none() { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed },
        attempts: receipt.attempts,
        at: receipt.at,
        error: receipt.error.clone(),
    }
}

/// What traces need of the decision, as if its page were there still.
fn cause(member: &Member) -> Page {
    let Member { id, key, decided_at, origin, .. } = member;
    let line = serde_json::json!({"id": id, "resource_key": key, "decided_at": decided_at});
    let Origin { sequence, subject, received_at } = origin.clone();
    Page { sequence, subject, first_line: 1, received_at, body: Bytes::from(line.to_string()) }
}

/// What is behind the lock is changed as a whole or not at all: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage for Notifier {
    const SPEC: StageSpec = StageSpec {
        name: "notifier",
        inputs: elava_bus::reads::NOTIFIER,
        output: Some(Stream::Execution),
        // In text mode nothing else may be on standard output, so nothing passes by itself;
        // `handle` passes on what it does not tell.
        consumes: |_| Consumes::Takes,
        position: Position::Checkpoint,
        batch_pages: 20,
        in_flight: 64,
        health_port: 9314,
    };

    fn taken(&self, source: &Source, lease: &Lease) {
        lock(&self.leases).insert(source.clone(), lease.clone());
    }

    fn left(&self, source: &Source) {
        lock(&self.leases).remove(source);
        lock(&self.sources).remove(source);
    }

    async fn resume(
        &self,
        source: &Source,
        checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        let begins = checkpoint.is_none() && *source != Source::Pipe;
        let memory = Memory::read(state, begins)?;
        lock(&self.sources).insert(source.clone(), Arc::new(Mutex::new(memory)));
        Ok(Resume { from: checkpoint.map_or(1, |sequence| sequence + 1), pending: Vec::new(), rejected: Vec::new() })
    }

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let in_pipe = batch.source == Source::Pipe;
        let silent = in_pipe && self.writes_text();
        let memory = self.memory(&batch.source);
        let mut output = Output::default();
        let mut rejected = Vec::new();
        {
            let mut memory = lock(&memory);
            // Given again: it is held, but may not have been told.
            let is_new = batch.last_sequence() > memory.handled;
            let mut lots = Lots::default();
            for (page, line, message) in batch.messages(&Self::SPEC, &mut rejected) {
                match message {
                    Message::Decision(decision) if is_new => self.hold(&mut memory, page, &decision, &mut lots),
                    Message::Decision(_) => {}
                    _ if silent => {}
                    other if in_pipe => output.emit(page.sequence, other),
                    other => {
                        let reason = format!("{} is not read by {}", other.kind(), Self::SPEC.name);
                        output.rejected.push(Rejection { sequence: page.sequence, line, reason });
                    }
                }
            }
            let arrived = (self.clock)();
            for (desk, lot, members) in lots.into_parts() {
                memory.hold(&self.desks[desk].name, &lot, arrived, members);
            }
            memory.handled = memory.handled.max(batch.last_sequence());
        }
        output.rejected.extend(rejected);
        if in_pipe {
            self.tell(&batch.source, &memory, When::AtOnce((self.clock)())).await?;
            output.messages.extend(self.receipts(&batch.source, &mut lock(&memory), Timestamp::MAX_UTC).messages);
        }
        output.state = lock(&memory).changes();
        Ok(output)
    }

    fn due(&self, source: &Source) -> Option<Timestamp> {
        let memory = lock(&self.sources).get(source).cloned()?;
        let memory = lock(&memory);
        let told = memory.parcels.values().flat_map(|parcel| &parcel.members);
        let told = told.filter_map(|member| member.receipt.as_ref()).map(|receipt| receipt.at).min();
        let now = (self.clock)();
        if self.is_full(&memory, now) {
            return Some(now);
        }
        let held = self
            .desks
            .iter()
            .filter_map(|desk| errand::next_due(&memory, desk).map(|due| desk::not_before_rest(desk, due, now)));
        told.into_iter().chain(held).min()
    }

    async fn tick(&self, source: &Source, now: Timestamp) -> Result<Output, Failure> {
        let memory = self.memory(source);
        // Either receipts, which follow from the state, or something new in the state: never both. Should the process
        // be killed after the receipts were stored, they are made again, and dropped.
        let mut output = self.receipts(source, &mut lock(&memory), now);
        if output.messages.is_empty() && !self.tell(source, &memory, When::Due(now)).await? {
            let is_full = self.is_full(&lock(&memory), now);
            if is_full {
                return Err(Failure::Unavailable(Box::new(Stop::Full)));
            }
        }
        output.state = lock(&memory).changes();
        Ok(output)
    }

    async fn finish(&self) -> Result<Output, Failure> {
        let memory = self.memory(&Source::Pipe);
        self.tell(&Source::Pipe, &memory, When::All).await?;
        let mut output = self.receipts(&Source::Pipe, &mut lock(&memory), Timestamp::MAX_UTC);
        output.state = lock(&memory).changes();
        Ok(output)
    }
}
