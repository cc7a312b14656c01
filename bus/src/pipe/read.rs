//! Cuts an endless input into pages.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use bytes::BytesMut;
use chrono::Utc;
use tokio::sync::mpsc;

use crate::dead::PIPE_SUBJECT;
use crate::run::BusError;
use crate::{MAX_LINE_BYTES, MAX_PAGE_BYTES, MAX_PAGE_ROWS, Page, Rejection};

/// A page, and the lines of it that were too long to be read.
pub(super) struct ReadPage {
    pub(super) page: Page,
    pub(super) oversized: Vec<Rejection>,
}

/// Cuts the input into pages; blocks while the stage is behind.
pub(super) fn read_pages<R: Read>(mut input: BufReader<R>, sender: &mpsc::Sender<Result<ReadPage, BusError>>) {
    let mut next_line = 1;
    loop {
        match read_page(&mut input, &mut next_line) {
            Ok(None) => return,
            Ok(Some(page)) => {
                if sender.blocking_send(Ok(page)).is_err() {
                    return;
                }
            }
            Err(error) => {
                // Nobody left to tell when the stage has ended.
                drop(sender.blocking_send(Err(BusError::Input(error))));
                return;
            }
        }
    }
}

/// One page: what is there without waiting, at least one line. `None` at the end of the input.
fn read_page<R: Read>(input: &mut BufReader<R>, next_line: &mut u64) -> std::io::Result<Option<ReadPage>> {
    let mut body = BytesMut::new();
    let first_line = *next_line;
    let mut oversized = Vec::new();
    let mut rows = 0;
    while rows < MAX_PAGE_ROWS && body.len() < MAX_PAGE_BYTES {
        let begun = body.len();
        let length = read_line(input, &mut body)?;
        if length == 0 {
            break;
        }
        rows += 1;
        if length > MAX_LINE_BYTES {
            // What was kept of it goes to the dead letters.
            oversized.push(Rejection {
                sequence: first_line,
                line: *next_line,
                reason: format!("line of {length} bytes; at most {MAX_LINE_BYTES} are read"),
            });
        }
        *next_line += 1;
        let whole_line_waits = input.buffer().contains(&b'\n');
        if !whole_line_waits && body.len() > begun {
            break;
        }
    }
    if rows == 0 {
        return Ok(None);
    }
    let page = Page {
        sequence: first_line,
        subject: PIPE_SUBJECT.to_owned(),
        first_line,
        received_at: elava_schemas::micros(Utc::now()),
        body: body.freeze(),
    };
    Ok(Some(ReadPage { page, oversized }))
}

/// Appends one line, or only the beginning of one that is too long; returns its whole length.
fn read_line(input: &mut impl BufRead, body: &mut BytesMut) -> std::io::Result<usize> {
    let mut length = 0;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(length);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        let room = MAX_LINE_BYTES.saturating_sub(length).min(used);
        body.extend_from_slice(&buffer[..room]);
        length += used;
        input.consume(used);
        if end.is_some() {
            if !body.ends_with(b"\n") {
                body.extend_from_slice(b"\n");
            }
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(text: &[u8]) -> Vec<(u64, usize, usize)> {
        let mut input = BufReader::with_capacity(1024 * 1024, text);
        let mut next_line = 1;
        let mut pages = Vec::new();
        while let Some(read) = read_page(&mut input, &mut next_line).expect("reads from memory") {
            pages.push((read.page.first_line, read.page.lines().count(), read.oversized.len()));
        }
        pages
    }

    #[test]
    fn input_is_cut_into_pages() {
        assert_eq!(pages(b""), []);
        assert_eq!(pages(b"{}"), [(1, 1, 0)]);
        assert_eq!(pages(b"{}\n{}\n\n{}\n"), [(1, 3, 0)]);
        assert_eq!(pages("{}\n".repeat(450).as_bytes()), [(1, 200, 0), (201, 200, 0), (401, 50, 0)]);
        let mut long = vec![b'x'; 10 * 1024 * 1024];
        long.extend_from_slice(b"\n{}\n");
        let oversized: usize = pages(&long).iter().map(|page| page.2).sum();
        assert_eq!(oversized, 1);
    }
}
