//! Asks every question again and again, and says how long the answers took.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::analyst::{Access, ask};
use super::past::Past;
use super::questions::{Question, questions};
use crate::report::Figure;

/// Of how many resources the history is asked for. One in a hundred changes in a scan.
const KEYS: usize = 37;
/// How often each is asked of a history that nobody writes.
const ROUNDS: usize = 15;

/// The questions about this past.
pub(super) fn about(past: &Past) -> Vec<Question> {
    let key = |number| past.estate.key(number).to_string();
    let keys: Vec<String> = (0..KEYS).map(|nth| key(past.resources * (2 * nth + 1) / (2 * KEYS))).collect();
    let number = past.resources / 2;
    questions(&keys, &key(number), &past.estate.scope(number).account, &past.now().to_rfc3339())
}

/// While nothing is written.
pub(super) async fn quiet(access: &Access, past: &Past, when: &str) -> anyhow::Result<()> {
    eprintln!("history: asking, nothing is written ({when})");
    let (access, questions) = (access.clone(), about(past));
    let samples = tokio::task::spawn_blocking(move || {
        let mut rounds = 0;
        let more = || {
            rounds += 1;
            rounds <= ROUNDS
        };
        repeat(&access, &questions, more, || true)
    });
    print(when, &about(past), samples.await??)
}

/// Asks all that are due in turn for as long as `more` says so. An answer counts where `counts` says so before and after it.
pub(super) fn repeat(
    access: &Access,
    questions: &[Question],
    mut more: impl FnMut() -> bool,
    counts: impl Fn() -> bool,
) -> anyhow::Result<Vec<Vec<Duration>>> {
    let source = access.connect()?;
    let mut samples = vec![Vec::new(); questions.len()];
    for question in questions {
        let sql = question.in_round(0);
        let (_, rows) = ask(&source, sql)?;
        ensure!(rows > 0, "no answer to {sql}");
    }
    for round in (0..).take_while(|_| more()) {
        let asked = questions.iter().zip(&mut samples).filter(|(question, _)| question.is_asked_in(round));
        for (question, samples) in asked {
            let begins = counts();
            let (took, _) = ask(&source, question.in_round(round))?;
            if begins && counts() {
                samples.push(took);
            }
        }
    }
    Ok(samples)
}

/// Medians and 95th percentiles.
pub(super) fn print(when: &str, questions: &[Question], samples: Vec<Vec<Duration>>) -> anyhow::Result<()> {
    for (question, mut samples) in questions.iter().zip(samples) {
        samples.sort_unstable();
        let at = |share: usize| samples.get((samples.len() * share / 100).min(samples.len().saturating_sub(1)));
        for (name, share) in [("p50", 50), ("p95", 95)] {
            let took = at(share).with_context(|| format!("{} was never asked", question.name))?;
            let figure =
                Figure::new(format!("history.{when}.{}.{name}", question.name), took.as_secs_f64() * 1e3, "ms");
            match question.aim {
                Some(aim) => figure.against(aim, format!("aim: {aim} ms")).print()?,
                None => figure.print()?,
            }
        }
    }
    Ok(())
}
