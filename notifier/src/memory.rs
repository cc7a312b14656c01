//! What one source has to tell still, and who was told of what is open; and how both survive the process.

mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Failure, StateChange};
use elava_schemas::{Decision, DecisionId, DecisionState, FindingId, ResourceKey, Severity, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use told::Told;

/// The cause of a breaker's alert.
pub(crate) const BREAKER: &str = "breaker";
/// The key of the state's format.
const FORMAT: &str = "format";
const FORMAT_VERSION: u32 = 1;
/// Decisions remembered so as not to tell one twice that two streams bring.
const SEEN: usize = 10_000;
/// Bytes of one entry of the state; a server takes a megabyte.
const ENTRY_BYTES: usize = 256 * 1024;

/// What belongs together on one channel, and waits for the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Lot {
    /// Cause, policy, rule and state.
    pub(crate) key: String,
    pub(crate) owner: Option<String>,
    pub(crate) critical: bool,
    /// What more of it is to be expected, which is waited for.
    #[serde(default, skip_serializing_if = "Expected::is_usual")]
    pub(crate) expected: Expected,
    /// Told only then.
    pub(crate) until: Option<Timestamp>,
    /// Told as one message of quiet hours, whatever it is.
    pub(crate) digest: bool,
}

/// What more of the same is to be expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expected {
    /// What comes at once.
    #[default]
    Usual,
    /// Policies look again at what has not changed: more comes for as long as they do.
    Evaluation,
    /// What has gone wrong with one scan of an account goes wrong with its others, which end one after the other.
    Breakers,
    /// A breaker lets go of what it held, in one partition after the other.
    Released,
}

impl Expected {
    fn is_usual(&self) -> bool {
        *self == Self::Usual
    }

    /// Of what there is more when this has come.
    pub(crate) fn with(decision: &Decision) -> Self {
        let text = |name: &str| decision.metadata.get(name).and_then(|value| value.as_str());
        match (text("cause"), text("held_by"), text("trigger")) {
            (Some(BREAKER), ..) => Self::Breakers,
            (_, Some(_), _) => Self::Released,
            (.., Some(_)) => Self::Evaluation,
            _ => Self::Usual,
        }
    }
}

/// What one batch added to a lot: one entry of the state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// In which order parcels were made.
    pub(crate) number: u64,
    pub(crate) channel: String,
    pub(crate) lot: Lot,
    pub(crate) arrived: Timestamp,
    pub(crate) members: Vec<Member>,
}

/// One decision to be told to one channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    /// In which order decisions came.
    pub(crate) order: u64,
    pub(crate) id: DecisionId,
    pub(crate) finding: FindingId,
    pub(crate) state: DecisionState,
    pub(crate) severity: Severity,
    pub(crate) key: ResourceKey,
    pub(crate) decided_at: Timestamp,
    pub(crate) origin: Origin,
    /// Of many that belong together only the first few are kept in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<Box<Decision>>,
    /// A later decision of the same finding was told before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) over: bool,
    /// Told; the receipt is not stored yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    /// Somebody is about to tell it.
    #[serde(skip)]
    pub(crate) claimed: bool,
}

impl Member {
    /// Whether it can be told.
    pub(crate) fn waits(&self) -> bool {
        self.receipt.is_none() && !self.claimed
    }
}

/// The page that brought a decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) received_at: Timestamp,
}

/// How telling went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) at: Timestamp,
    pub(crate) attempts: u32,
    /// The channel as deliveries name it.
    pub(crate) place: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<String>,
}

/// Everything of one source.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By slot: the number in the key of the entry. Slots are used again, so that keys do not pile up.
    pub(crate) parcels: BTreeMap<u64, Parcel>,
    told: HashMap<FindingId, Told>,
    /// How many members of each finding are in parcels.
    held: HashMap<FindingId, usize>,
    /// Whether everything that is open has been seen: then nobody was told of what is not known.
    is_complete: bool,
    /// The last position that was handled.
    pub(crate) handled: u64,
    seen: (HashSet<DecisionId>, VecDeque<DecisionId>),
    next: u64,
    changed: Changed,
    /// Whether receipts came that are not stored yet.
    pub(crate) has_news: bool,
    /// What this time led to may be asked for again: receipts are later.
    pub(crate) ticked: Timestamp,
}

/// What is to be stored.
#[derive(Debug, Default)]
struct Changed {
    slots: BTreeSet<u64>,
    findings: BTreeSet<FindingId>,
    format: bool,
}

#[derive(Serialize, Deserialize)]
struct Format {
    version: u32,
    complete: bool,
}

impl Memory {
    /// Reads what was stored. `begins` says that nothing came before.
    pub(crate) fn read(state: Vec<(String, Bytes)>, begins: bool) -> Result<Self, Failure> {
        let mut memory = Self { is_complete: begins, ..Self::default() };
        memory.changed.format = true;
        for (key, value) in state {
            let read = match key.split_once('.') {
                None if key == FORMAT => memory.read_format(&value)?,
                Some(("held", slot)) => memory.read_parcel(slot, &value),
                Some(("told", _)) => serde_json::from_slice::<Told>(&value).map(|told| {
                    memory.told.insert(told.finding.clone(), told);
                }),
                _ => Ok(()),
            };
            if let Err(error) = read {
                warn!(key, %error, "an entry of the state cannot be read and is left out");
            }
        }
        let members = memory.parcels.values().flat_map(|parcel| &parcel.members);
        memory.next =
            members.map(|member| member.order).chain(memory.parcels.values().map(|one| one.number)).max().unwrap_or(0);
        let ids: Vec<DecisionId> =
            memory.parcels.values().flat_map(|parcel| parcel.members.iter().map(|member| member.id.clone())).collect();
        ids.into_iter().for_each(|id| memory.saw(id));
        Ok(memory)
    }

    fn read_format(&mut self, value: &[u8]) -> Result<Result<(), serde_json::Error>, Failure> {
        match serde_json::from_slice::<Format>(value) {
            Ok(format) if format.version == FORMAT_VERSION => {
                self.is_complete = format.complete;
                self.changed.format = false;
                Ok(Ok(()))
            }
            Ok(_) => Err(Failure::Fatal("what is to be told was stored by a newer version".into())),
            Err(error) => Ok(Err(error)),
        }
    }

    fn read_parcel(&mut self, slot: &str, value: &[u8]) -> Result<(), serde_json::Error> {
        let parcel: Parcel = serde_json::from_slice(value)?;
        if let Ok(slot) = slot.parse() {
            for member in &parcel.members {
                *self.held.entry(member.finding.clone()).or_default() += 1;
            }
            self.parcels.insert(slot, parcel);
        }
        Ok(())
    }

    /// What is to be stored since it was last asked.
    pub(crate) fn changes(&mut self) -> Vec<StateChange> {
        let changed = std::mem::take(&mut self.changed);
        self.has_news = false;
        let json =
            |value: serde_json::Result<Vec<u8>>| Bytes::from(value.expect("it has string keys and finite numbers"));
        let mut changes = Vec::new();
        if changed.format {
            let format = Format { version: FORMAT_VERSION, complete: self.is_complete };
            changes.push(StateChange { key: FORMAT.to_owned(), value: Some(json(serde_json::to_vec(&format))) });
        }
        for finding in changed.findings {
            let value = self.told.get(&finding).map(|told| json(serde_json::to_vec(told)));
            changes.push(StateChange { key: told::key(&finding), value });
        }
        for slot in changed.slots {
            let value = self.parcels.get(&slot).map(|parcel| json(serde_json::to_vec(parcel)));
            changes.push(StateChange { key: format!("held.{slot}"), value });
        }
        changes
    }

    /// Remembers a decision; the earliest are forgotten.
    pub(crate) fn saw(&mut self, id: DecisionId) {
        let (known, order) = &mut self.seen;
        if known.insert(id.clone()) {
            order.push_back(id);
        }
        while order.len() > SEEN {
            order.pop_front().and_then(|oldest| known.take(&oldest));
        }
    }

    /// Whether a decision came before.
    pub(crate) fn knows(&self, decision: &Decision) -> bool {
        self.seen.0.contains(&decision.id)
            || self.told.get(&decision.finding).is_some_and(|told| told.last == decision.id)
    }

    /// The next number of a decision or a parcel.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Holds decisions that one batch brought, until they are told.
    pub(crate) fn hold(&mut self, channel: &str, lot: &Lot, arrived: Timestamp, members: Vec<Member>) {
        let mut size = 0;
        let mut part: Vec<Member> = Vec::new();
        for member in members {
            // Measured roughly: a decision by what it says, and its other parts.
            let bytes = 600
                + member
                    .decision
                    .as_ref()
                    .map_or(0, |decision| serde_json::to_vec(decision).map_or(0, |json| json.len()));
            if size + bytes > ENTRY_BYTES && !part.is_empty() {
                self.hold_part(channel, lot, arrived, std::mem::take(&mut part));
                size = 0;
            }
            size += bytes;
            part.push(member);
        }
        if !part.is_empty() {
            self.hold_part(channel, lot, arrived, part);
        }
    }

    fn hold_part(&mut self, channel: &str, lot: &Lot, arrived: Timestamp, members: Vec<Member>) {
        for member in &members {
            *self.held.entry(member.finding.clone()).or_default() += 1;
        }
        let slot = (0..).zip(self.parcels.keys()).find(|(free, used)| free != *used).map(|(free, _)| free);
        let slot = slot.unwrap_or(self.parcels.len() as u64);
        let number = self.number();
        let parcel = Parcel { number, channel: channel.to_owned(), lot: lot.clone(), arrived, members };
        self.parcels.insert(slot, parcel);
        self.changed.slots.insert(slot);
    }

    /// A decision that comes after others of its finding on a channel: what was held for later is not told any more,
    /// and what waits for the end of quiet hours is old news, unless this one waits with it.
    pub(crate) fn supersede(&mut self, finding: &FindingId, channel: &str, lot: &Lot) {
        if !self.held.contains_key(finding) {
            return;
        }
        let mut emptied = Vec::new();
        for (slot, parcel) in &mut self.parcels {
            if parcel.channel != channel || parcel.lot.until.is_none() || parcel.lot == *lot {
                continue;
            }
            let waits = |member: &Member| member.finding == *finding && member.waits() && !member.over;
            if !parcel.members.iter().any(waits) {
                continue;
            }
            self.changed.slots.insert(*slot);
            if parcel.lot.digest {
                parcel.members.iter_mut().filter(|member| waits(member)).for_each(|member| member.over = true);
                continue;
            }
            let before = parcel.members.len();
            parcel.members.retain(|member| !waits(member));
            release(&mut self.held, finding, before - parcel.members.len());
            if parcel.members.is_empty() {
                emptied.push(*slot);
            }
        }
        for slot in emptied {
            self.parcels.remove(&slot);
        }
    }

    /// Whether something of a finding waits for a channel, or was told and that is not noted yet.
    pub(crate) fn waits(&self, finding: &FindingId, channel: &str) -> bool {
        self.of(finding, channel).any(|member| !member.over)
    }

    /// Everything of a finding that is held for a channel.
    fn of(&self, finding: &FindingId, channel: &str) -> impl Iterator<Item = &Member> {
        let held = self.held.contains_key(finding).then_some(&self.parcels);
        let parcels = held.into_iter().flat_map(BTreeMap::values).filter(move |parcel| parcel.channel == channel);
        parcels.flat_map(|parcel| &parcel.members).filter(move |member| member.finding == *finding)
    }

    /// The members of a channel with these numbers, to be changed.
    fn numbered<'a>(
        &'a mut self,
        channel: &'a str,
        orders: &'a BTreeSet<u64>,
    ) -> impl Iterator<Item = (u64, &'a mut Member)> {
        let parcels = self.parcels.iter_mut().filter(move |(_, parcel)| parcel.channel == channel);
        let members = parcels.flat_map(|(slot, parcel)| parcel.members.iter_mut().map(move |member| (*slot, member)));
        members.filter(move |(_, member)| orders.contains(&member.order))
    }

    /// Notes that members are about to be told, or that they are not after all.
    pub(crate) fn claim(&mut self, channel: &str, orders: &BTreeSet<u64>, claimed: bool) {
        self.numbered(channel, orders).for_each(|(_, member)| member.claimed = claimed);
    }

    /// Notes how telling members went.
    pub(crate) fn tell(&mut self, channel: &str, orders: &BTreeSet<u64>, receipt: &Receipt) {
        let mut slots = Vec::new();
        let receipt = Receipt { at: receipt.at.max(self.ticked + TimeDelta::microseconds(1)), ..receipt.clone() };
        for (slot, member) in self.numbered(channel, orders) {
            (member.receipt, member.claimed) = (Some(receipt.clone()), false);
            slots.push(slot);
        }
        self.has_news |= !slots.is_empty();
        self.changed.slots.extend(slots);
    }

    /// Takes members out that nobody needs to be told of.
    pub(crate) fn drop_members(&mut self, channel: &str, orders: &BTreeSet<u64>) {
        self.take(|of, member| of == channel && orders.contains(&member.order));
    }

    /// Takes members out that were told by `now`, in the order in which they came, with their channel.
    pub(crate) fn take_told(&mut self, now: Timestamp) -> Vec<(String, Member)> {
        let mut taken = self.take(|_, member| member.receipt.as_ref().is_some_and(|receipt| receipt.at <= now));
        taken.sort_by_key(|(_, member)| member.order);
        for (channel, member) in &taken {
            self.note_told(channel, member);
        }
        taken
    }

    fn take(&mut self, is_taken: impl Fn(&str, &Member) -> bool) -> Vec<(String, Member)> {
        let mut taken = Vec::new();
        let mut emptied = Vec::new();
        for (slot, parcel) in &mut self.parcels {
            if !parcel.members.iter().any(|member| is_taken(&parcel.channel, member)) {
                continue;
            }
            self.changed.slots.insert(*slot);
            let members = std::mem::take(&mut parcel.members);
            for member in members {
                if is_taken(&parcel.channel, &member) {
                    release(&mut self.held, &member.finding, 1);
                    taken.push((parcel.channel.clone(), member));
                } else {
                    parcel.members.push(member);
                }
            }
            if parcel.members.is_empty() {
                emptied.push(*slot);
            }
        }
        for slot in emptied {
            self.parcels.remove(&slot);
        }
        taken
    }

    /// How many decisions these channels could be told by now.
    pub(crate) fn waiting(&self, channels: &[&str], now: Timestamp) -> usize {
        let due = |parcel: &&Parcel| {
            channels.contains(&parcel.channel.as_str()) && parcel.lot.until.is_none_or(|until| until <= now)
        };
        let members = self.parcels.values().filter(due).flat_map(|parcel| &parcel.members);
        members.filter(|member| member.receipt.is_none()).count()
    }
}

fn release(held: &mut HashMap<FindingId, usize>, finding: &FindingId, count: usize) {
    if let Some(left) = held.get_mut(finding) {
        *left = left.saturating_sub(count);
        if *left == 0 {
            held.remove(finding);
        }
    }
}
