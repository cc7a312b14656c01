//! Makes dead letters of rejected rows.

use std::fmt::Write as _;

use elava_schemas::{DeadLetter, Timestamp};

use crate::subject::published;
use crate::{Batch, Emit, Page, Rejection};

/// How much of a row a dead letter carries.
const MAX_BODY: usize = 64 * 1024;

/// The dead letters of what `stage` rejected of `batch`.
pub(crate) fn dead_letters(stage: &str, batch: &Batch, rejected: &[Rejection]) -> impl Iterator<Item = DeadLetter> {
    rejected.iter().filter_map(move |rejection| {
        // The page at that position; in a pipe every line has one of its own.
        let after = batch.pages.partition_point(|page| page.sequence <= rejection.sequence);
        let page = batch.pages.get(after.checked_sub(1)?)?;
        let (_, line) = page.lines().find(|(number, _)| *number == rejection.line)?;
        Some(dead_letter(stage, page, line, rejection))
    })
}

fn dead_letter(stage: &str, page: &Page, line: &[u8], rejection: &Rejection) -> DeadLetter {
    let shown = &line[..line.len().min(MAX_BODY)];
    DeadLetter {
        stage: stage.to_owned(),
        reason: rejection.reason.clone(),
        subject: published(&page.subject),
        sequence: (page.subject != PIPE_SUBJECT).then_some(page.sequence),
        line: rejection.line,
        body: String::from_utf8_lossy(shown).into_owned(),
        body_hex: std::str::from_utf8(line).is_err().then(|| hex(shown)),
        bytes: line.len() as u64,
        at: page.received_at,
    }
}

/// The dead letter of an output that cannot be stored.
pub(crate) fn dead_output(
    stage: &str,
    sequence: Option<u64>,
    emit: &Emit,
    reason: String,
    at: Timestamp,
) -> DeadLetter {
    let shown = &emit.line[..emit.line.len().min(MAX_BODY)];
    DeadLetter {
        stage: stage.to_owned(),
        reason,
        subject: emit.subject.clone(),
        sequence,
        line: 1,
        body: String::from_utf8_lossy(shown).into_owned(),
        body_hex: None,
        bytes: emit.line.len() as u64,
        at,
    }
}

/// What stands for the subject of rows from standard input.
pub(crate) const PIPE_SUBJECT: &str = "-";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}
