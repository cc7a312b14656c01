//! A message as it goes over the wire: headers, and a text in UTF-8. Values in, bytes out.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use elava_schemas::Timestamp;

use crate::channel::text::printable;

/// Bytes of text in one encoded word, of which a line takes one (RFC 2047: 75 characters).
const WORD: usize = 42;
/// Characters of a line of the body (RFC 2045).
const LINE: usize = 76;

/// Somebody who writes or reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    name: Option<String>,
    pub(super) mailbox: String,
}

impl Address {
    /// `a@example.com`, or `A name <a@example.com>`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, mailbox) = match text.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<')?,
            None => ("", text),
        };
        let (local, domain) = mailbox.rsplit_once('@')?;
        let is_plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>()[],;:\\\"@".contains(&byte))
        };
        if !is_plain(local) || !is_plain(domain) {
            return None;
        }
        let name = name.trim().trim_matches('"').trim();
        Some(Self { name: (!name.is_empty()).then(|| printable(name)), mailbox: mailbox.to_owned() })
    }

    pub(super) fn domain(&self) -> &str {
        self.mailbox.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }

    fn header(&self) -> String {
        match &self.name {
            None => self.mailbox.clone(),
            Some(name) if name.is_ascii() => {
                format!("\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), self.mailbox)
            }
            Some(name) => format!("{} <{}>", encoded(name), self.mailbox),
        }
    }
}

/// What is sent.
pub(super) struct Mail<'a> {
    pub(super) from: &'a Address,
    pub(super) to: &'a [Address],
    pub(super) subject: String,
    pub(super) id: String,
    /// The message that begins the thread.
    pub(super) root: Option<String>,
    pub(super) date: Timestamp,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) text: String,
}

impl Mail<'_> {
    /// Its lines; none begins with a dot, and each ends as SMTP wants it.
    pub(super) fn lines(&self) -> String {
        let to: Vec<String> = self.to.iter().map(Address::header).collect();
        let mut lines = String::new();
        let mut add = |name: &str, value: &str| {
            write!(lines, "{name}: {value}\r\n").expect("writing to a String does not fail");
        };
        add("From", &self.from.header());
        add("To", &to.join(",\r\n "));
        add("Subject", &encoded(&printable(&self.subject)));
        add("Date", &self.date.to_rfc2822());
        add("Message-ID", &self.id);
        if let Some(root) = &self.root {
            add("In-Reply-To", root);
            add("References", root);
        }
        add("Auto-Submitted", "auto-generated");
        for (name, value) in &self.headers {
            add(name, value);
        }
        add("MIME-Version", "1.0");
        add("Content-Type", "text/plain; charset=utf-8");
        add("Content-Transfer-Encoding", "base64");
        lines.push_str("\r\n");
        let body = STANDARD.encode(self.text.replace('\n', "\r\n"));
        for line in body.as_bytes().chunks(LINE) {
            lines.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
            lines.push_str("\r\n");
        }
        lines
    }
}

/// A header's text: as it is where it can be, else as encoded words, a line each.
fn encoded(text: &str) -> String {
    if text.is_ascii() && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        let word = words.last_mut().expect("there is one from the start");
        if word.len() + c.len_utf8() > WORD {
            words.push(c.to_string());
        } else {
            word.push(c);
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, header) in [
            ("a@example.com", Some("a@example.com")),
            (" Elava <a@example.com> ", Some("\"Elava\" <a@example.com>")),
            ("\"El, ava\" <a@example.com>", Some("\"El, ava\" <a@example.com>")),
            ("Elävä <a@example.com>", Some("=?utf-8?B?RWzDpHbDpA==?= <a@example.com>")),
            ("a@example.com>\r\nRCPT TO:<b@example.com", None),
            ("a@b@example.com", None),
            ("example.com", None),
            ("a b@example.com", None),
            ("@example.com", None),
            ("", None),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.header()).as_deref(), header, "{text}");
        }
    }

    #[test]
    fn long_headers_are_folded() {
        let text = encoded(&"ä".repeat(50));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| line.len() <= 76), "{text}");
    }
}
