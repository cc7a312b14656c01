//! Asks every question again and again, and says how long the answers took.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::analyst::{Access, ask};
use super::past::Past;
use super::questions::{Question, questions};
use crate::report::Figure;

/// How often each is asked of a history that nobody writes.
const ROUNDS: usize = 15;

/// The questions about this past.
pub(super) fn about(past: &Past) -> Vec<Question> {
    let number = past.resources / 2;
    questions(&past.estate.key(number).to_string(), &past.estate.scope(number).account, &past.now().to_rfc3339())
}

/// While nothing is written.
pub(super) async fn quiet(access: &Access, past: &Past) -> anyhow::Result<()> {
    eprintln!("history: asking, nothing is written");
    let (access, questions) = (access.clone(), about(past));
    let samples = tokio::task::spawn_blocking(move || {
        let mut rounds = 0;
        repeat(&access, &questions, || {
            rounds += 1;
            rounds <= ROUNDS
        })
    });
    print("quiet", &about(past), samples.await??)
}

/// Asks all of them in turn for as long as `more` says so.
pub(super) fn repeat(
    access: &Access,
    questions: &[Question],
    mut more: impl FnMut() -> bool,
) -> anyhow::Result<Vec<Vec<Duration>>> {
    let source = access.connect()?;
    let mut samples = vec![Vec::new(); questions.len()];
    for question in questions {
        let (_, rows) = ask(&source, &question.sql)?;
        ensure!(rows > 0, "no answer to {}", question.sql);
    }
    while more() {
        for (question, samples) in questions.iter().zip(&mut samples) {
            samples.push(ask(&source, &question.sql)?.0);
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
