//! The notifier as a stage: holds every decision for those it goes to, tells what is due, and returns the receipts.
//!
//! In three steps, each stored before the next, so that nothing is lost and no receipt is made for what was not told:
//! what came is held; it is told, and that it was is kept; its receipts go downstream, and it is forgotten. What is
//! told between a kill and that being kept is told again.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Emit, Failure, Lease, Output, Page, Position, Rejection, Resume, Source, Stage, StageSpec,
    StateChange, Stream,
};
use elava_schemas::config::{Notifications, Route, StdoutFormat};
use elava_schemas::{Delivery, DeliveryId, DeliveryOutcome, Message, Timestamp};

use crate::channel::Channel;
use crate::channel::stdout::Style;
use crate::desk::{self, ConfigProblem, Desk, Means};
use crate::lots::Lots;
use crate::memory::{Member, Memory, Origin, Receipt};
use crate::pile::When;
use crate::quiet::Quiet;
use crate::round::Stop;
use crate::shelf::{Shelf, lock};
use crate::{Clock, Patience, trial};

/// Decisions of one source that wait for channels that are down; with more, nothing is read until some are taken.
const HELD: usize = 5000;

/// Tells people what was decided.
#[derive(Debug)]
pub struct Notifier {
    pub(crate) desks: Vec<Desk>,
    pub(crate) routes: Vec<Route>,
    /// The routes' own quiet hours.
    pub(crate) quiet: Vec<Option<Quiet>>,
    pub(crate) owner_tags: Vec<String>,
    pub(crate) patience: Patience,
    pub(crate) clock: Clock,
    pub(crate) shelves: Mutex<BTreeMap<Source, Arc<Shelf>>>,
    /// What was told cannot be taken back: these are asked before.
    pub(crate) leases: Mutex<HashMap<Source, Lease>>,
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
            shelves: Mutex::default(),
            leases: Mutex::default(),
        })
    }

    /// Whether this stage's own standard output is what people read. Then no message may be
    /// written between their lines: neither deliveries nor what is passed on.
    fn writes_text(&self) -> bool {
        let mut channels = self.desks.iter().map(|desk| &desk.channel);
        channels.any(|channel| matches!(channel, Channel::Stdout(stdout) if matches!(stdout.style, Style::Text(_))))
    }

    pub(crate) fn shelf(&self, source: &Source) -> Arc<Shelf> {
        let fresh = || {
            let memory =
                Memory::read(Vec::new(), *source != Source::Pipe).expect("there is nothing to be read wrongly");
            Arc::new(Shelf::new(source.clone(), memory))
        };
        lock(&self.shelves).entry(source.clone()).or_insert_with(fresh).clone()
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
        lock(&self.shelves).remove(source);
    }

    async fn parting(&self, source: &Source) -> Vec<StateChange> {
        let shelf = self.shelf(source);
        shelf.close().await;
        shelf.memory().changes()
    }

    async fn resume(
        &self,
        source: &Source,
        checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        let begins = checkpoint.is_none() && *source != Source::Pipe;
        let memory = Memory::read(state, begins)?;
        lock(&self.shelves).insert(source.clone(), Arc::new(Shelf::new(source.clone(), memory)));
        Ok(Resume::after(checkpoint))
    }

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let in_pipe = batch.source == Source::Pipe;
        let silent = in_pipe && self.writes_text();
        let shelf = self.shelf(&batch.source);
        let mut output = Output::default();
        let mut rejected = Vec::new();
        {
            let mut memory = shelf.memory();
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
            self.tell(&shelf, When::AtOnce((self.clock)())).await?;
            output.messages.extend(self.receipts(&batch.source, &mut shelf.memory(), Timestamp::MAX_UTC).messages);
        }
        output.state = shelf.memory().changes();
        Ok(output)
    }

    fn due(&self, source: &Source) -> Option<Timestamp> {
        let shelf = lock(&self.shelves).get(source).cloned()?;
        let now = (self.clock)();
        let (told, is_full) = {
            let memory = shelf.memory();
            let told = memory.parcels.values().flat_map(|parcel| &parcel.members);
            let told = told.filter_map(|member| member.receipt.as_ref()).map(|receipt| receipt.at).min();
            (told, self.is_full(&memory, now))
        };
        if is_full {
            return Some(now);
        }
        told.into_iter().chain(self.next_due(&shelf, now)).min()
    }

    async fn tick(&self, source: &Source, now: Timestamp) -> Result<Output, Failure> {
        let shelf = self.shelf(source);
        let mut output = Output::default();
        {
            let mut memory = shelf.memory();
            memory.ticked = now;
            // Told with what another source had: that is stored before anything follows from it.
            if !memory.has_news {
                // Either receipts, which follow from the state, or something new in the state: never both. Should the
                // process be killed after the receipts were stored, they are made again, and dropped.
                output = self.receipts(source, &mut memory, now);
            }
            if memory.has_news || !output.messages.is_empty() {
                output.state = memory.changes();
                return Ok(output);
            }
        }
        if !self.tell(&shelf, When::Due(now)).await? && self.is_full(&shelf.memory(), now) {
            return Err(Failure::Unavailable(Box::new(Stop::Full)));
        }
        output.state = shelf.memory().changes();
        Ok(output)
    }

    async fn finish(&self) -> Result<Output, Failure> {
        let shelf = self.shelf(&Source::Pipe);
        self.tell(&shelf, When::All).await?;
        let mut output = self.receipts(&Source::Pipe, &mut shelf.memory(), Timestamp::MAX_UTC);
        output.state = shelf.memory().changes();
        Ok(output)
    }
}
