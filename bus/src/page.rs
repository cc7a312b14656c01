//! Pages: bodies of 1 to 200 rows of one scope, one JSON object a line.

use bytes::{Bytes, BytesMut};
use elava_schemas::Timestamp;

/// Rows in a page at most.
pub const MAX_PAGE_ROWS: usize = 200;
/// Bytes in a page at most, unless a single row is larger.
pub const MAX_PAGE_BYTES: usize = 256 * 1024;
/// Bytes in a row at most: the default largest payload of a NATS server. Longer rows are rejected.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// One body as it was received.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its sequence in the stream; in a pipe the number of its first line. Never 0.
    pub sequence: u64,
    /// The subject it came on, or the file name (`-` for standard input).
    pub subject: String,
    /// The line of the file its first row is; 1 for a body.
    pub first_line: u64,
    /// When the server stored it, or when it was read from the pipe.
    pub received_at: Timestamp,
    /// The rows.
    pub body: Bytes,
}

impl Page {
    /// Every row that is not blank: its line number, its bytes without the line end.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let ends = memchr::memchr_iter(b'\n', &self.body).chain([self.body.len()]);
        let lines = ends.scan(0, |begin, end| Some(&self.body[std::mem::replace(begin, end + 1)..end]));
        let lines = lines.map(<[u8]>::trim_ascii).zip(self.first_line..);
        lines.map(|(line, number)| (number, line)).filter(|(_, line)| !line.is_empty())
    }
}

/// Packs rows into pages: rows of one subject, in order, up to the limits.
#[derive(Debug, Default)]
pub struct Pager {
    subject: String,
    rows: usize,
    body: BytesMut,
}

impl Pager {
    /// Adds a row; returns the page that it closed, if any.
    pub fn push(&mut self, subject: &str, line: &[u8]) -> Option<(String, Bytes)> {
        let full = self.rows >= MAX_PAGE_ROWS || self.body.len() + line.len() + 1 > MAX_PAGE_BYTES;
        let closed = if self.rows > 0 && (full || self.subject != subject) { self.close() } else { None };
        if self.rows == 0 {
            subject.clone_into(&mut self.subject);
        }
        self.rows += 1;
        self.body.extend_from_slice(line);
        self.body.extend_from_slice(b"\n");
        closed
    }

    /// The page begun, if it has rows.
    pub fn close(&mut self) -> Option<(String, Bytes)> {
        if self.rows == 0 {
            return None;
        }
        self.rows = 0;
        Some((std::mem::take(&mut self.subject), self.body.split().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(rows: &[(&str, usize)]) -> Vec<(String, usize)> {
        let mut pager = Pager::default();
        let mut pages = Vec::new();
        for (subject, bytes) in rows {
            pages.extend(pager.push(subject, &vec![b'x'; *bytes]));
        }
        pages.extend(pager.close());
        let rows = |body: &Bytes| body.iter().filter(|byte| **byte == b'\n').count();
        pages.into_iter().map(|(subject, body)| (subject, rows(&body))).collect()
    }

    #[test]
    fn packs_by_subject_rows_and_bytes() {
        let page = |subject: &str, rows| (subject.to_owned(), rows);
        assert_eq!(pages(&[]), []);
        assert_eq!(pages(&[("a", 1), ("a", 1), ("b", 1), ("a", 1)]), [page("a", 2), page("b", 1), page("a", 1)]);
        assert_eq!(pages(&[("a", 10); 450]), [page("a", 200), page("a", 200), page("a", 50)]);
        assert_eq!(
            pages(&[("a", 200_000), ("a", 200_000), ("a", 900_000)]),
            [page("a", 1), page("a", 1), page("a", 1)]
        );
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_skipped() {
        let page = Page {
            sequence: 1,
            subject: "-".into(),
            first_line: 10,
            received_at: Timestamp::default(),
            body: Bytes::from_static(b"{}\r\n\n  \n[]"),
        };
        assert_eq!(page.lines().collect::<Vec<_>>(), [(10, &b"{}"[..]), (13, &b"[]"[..])]);
    }
}
