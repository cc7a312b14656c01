//! What is printed: the faults, what was compared, what differs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::compare::{Compared, Outcome};
use crate::plan::Fault;
use crate::run::Ran;

/// Prints the tables; whether everything is the same.
pub(crate) fn print(
    out: &mut impl Write,
    faults: &[Fault],
    [undisturbed, disturbed]: [&Ran; 2],
    compared: &[Compared],
) -> io::Result<bool> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    faults.iter().for_each(|fault| *counts.entry(fault.blow.name()).or_default() += 1);
    writeln!(out, "\n{:<44}{:>10}", "fault", "times")?;
    for (name, count) in &counts {
        writeln!(out, "{name:<44}{count:>10}")?;
    }
    writeln!(out, "{:<44}{:>10}", "together", faults.len())?;

    writeln!(out, "\n{:<52}{:>12}{:>12}", "compared", "expected", "found")?;
    for Compared { what, expected, found, differences } in compared {
        let verdict = if differences.is_empty() { "" } else { "  DIFFERENT" };
        writeln!(out, "{what:<52}{expected:>12}{found:>12}{verdict}")?;
    }

    writeln!(out)?;
    for (ran, which) in [(undisturbed, "undisturbed"), (disturbed, "disturbed")] {
        let Outcome { told, stored, .. } = &ran.outcome;
        writeln!(
            out,
            "{which}: {} pages, {:.0} s; notifications told again with the same key: {}; rows too late: {}; faults that did not wait for their place: {}",
            ran.fed.pages,
            ran.seconds,
            told.again,
            stored.late.len(),
            ran.fed.impatient
        )?;
        for (how, times) in &ran.ended {
            writeln!(out, "{which}: {how}, {times} times, and was started again")?;
        }
    }
    let different = compared.iter().filter(|one| !one.differences.is_empty());
    for Compared { what, differences, .. } in different {
        writeln!(out, "\n{what}:")?;
        differences.iter().try_for_each(|difference| writeln!(out, "  {difference}"))?;
    }
    Ok(compared.iter().all(|one| one.differences.is_empty()))
}
