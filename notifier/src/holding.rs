//! What comes is held: for which channels, and what it waits for there.

use elava_bus::Page;
use elava_schemas::{Action, Decision, DecisionState, FindingId, Timestamp};

use crate::channel::text::metadata;
use crate::desk::Desk;
use crate::lots::{Lots, fitting, member};
use crate::memory::{Expected, Lot, Memory};
use crate::notice::{NAMED, ends};
use crate::quiet::Quiet;
use crate::stage::Notifier;
use crate::{errand, route};

impl Notifier {
    /// Holds a decision for those it goes to. A decision that nobody is told still says something of its finding.
    pub(crate) fn hold(&self, memory: &mut Memory, page: &Page, decision: &Decision, lots: &mut Lots) {
        if memory.knows(decision) {
            return;
        }
        memory.saw(decision.id.clone());
        match (decision.action, decision.state) {
            (Action::Audit, DecisionState::Resolved | DecisionState::Expired) => memory.forget(&decision.finding),
            (Action::Audit, _) => {}
            (_, DecisionState::Suppressed | DecisionState::Expired) => {
                self.withdraw(memory, &decision.finding, lots);
                self.hold_for_all(memory, page, decision, lots);
            }
            _ => self.hold_for_all(memory, page, decision, lots),
        }
    }

    /// What was held for later of a finding is told nobody any more.
    fn withdraw(&self, memory: &mut Memory, finding: &FindingId, lots: &mut Lots) {
        for (index, desk) in self.desks.iter().enumerate() {
            memory.supersede(finding, &desk.name, &Lot::default());
            lots.supersede(finding, index, &Lot::default());
            let is_untold = memory.contact(finding, &desk.name).is_some_and(|contact| !contact.told);
            if is_untold && !lots.waits(index, finding) && !memory.waits(finding, &desk.name) {
                memory.forget_contact(finding, &desk.name);
            }
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
            let is_untold =
                ends(decision.state) && memory.contact(&decision.finding, name).is_some_and(|contact| !contact.told);
            if is_untold && !lots.waits(index, &decision.finding) && !memory.waits(&decision.finding, name) {
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

    /// Where a decision goes, and what it waits for there. The end of a finding goes to whoever was told of it; that it
    /// is open and nobody is to mind, only where somebody would go on minding.
    fn targets(&self, memory: &Memory, decision: &Decision, now: Timestamp) -> Vec<(usize, Lot)> {
        let told = ends(decision.state).then(|| memory.told_of(&decision.finding)).flatten();
        let routes = route::taken(&self.routes, decision, &self.owner_tags);
        let mut targets = Vec::new();
        for (index, desk) in self.desks.iter().enumerate() {
            let names = |route: &usize| self.routes[*route].channels.contains(&desk.name);
            let route = routes.as_ref().and_then(|routes| routes.iter().copied().find(names));
            if !is_for(desk, decision) {
                continue;
            }
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
            return Lot { until: Some(until), digest: true, ..Lot::default() };
        }
        Lot {
            key: if desk.grouping.is_some() { errand::key(decision) } else { String::new() },
            owner: route::owner(decision, &self.owner_tags).map(str::to_owned),
            critical: errand::is_critical(decision),
            expected: Expected::with(decision),
            until: silent.or(Some(begins).filter(|begins| *begins > now)),
            digest: false,
        }
    }
}

/// Whether a channel can be told of a decision at all.
fn is_for(desk: &Desk, decision: &Decision) -> bool {
    match decision.state {
        DecisionState::Suppressed | DecisionState::Expired => desk.channel.tracks_findings(),
        // that an exception is about to end is no reason to mind the finding
        DecisionState::Reminder => !desk.channel.tracks_findings() || metadata(decision, "exception").is_none(),
        _ => true,
    }
}
