//! What goes to standard output and what downstream, by format and transport.

use elava_bus::{Failure, Lease, Source, Stage};
use elava_notifier::Notifier;
use elava_schemas::config::{Notifications, StdoutChannel, StdoutFormat};
use elava_schemas::{Action, DecisionState, Message, Severity};

use crate::{HASTE, PARTITION, Written, alert, batch, clock, decision, given, pass, soon};

fn notifier(format: StdoutFormat, min_severity: Severity, written: &Written) -> Notifier {
    let stdout = StdoutChannel { enabled: true, format, min_severity };
    let config = Notifications { stdout, ..Notifications::default() };
    Notifier::with(&config, Box::new(written.clone()), HASTE, clock).expect("usable channels")
}

fn other() -> Message {
    Message::parse(br#"{"kind":"scan_request","type":"ec2:instance"}"#).expect("a scan request")
}

#[tokio::test]
async fn formats_and_transports() {
    let audit = decision("b", Action::Audit, Severity::Info, DecisionState::New);
    let info = decision("c", Action::Notify, Severity::Info, DecisionState::New);
    let messages: Vec<Message> = vec![alert("a").into(), audit.into(), other(), info.into()];
    use StdoutFormat::{Ndjson, Text};
    // what is emitted, how many lines are written, how many rows are rejected
    for (format, source, min_severity, emitted, lines, rejected) in [
        (Text, Source::Pipe, Severity::Info, &[][..], 6, 0),
        (Ndjson, Source::Pipe, Severity::Info, &["scan_request", "decision", "delivery", "decision", "delivery"], 0, 0),
        (Ndjson, Source::Pipe, Severity::Warning, &["scan_request", "decision", "delivery"], 0, 0),
        (Text, PARTITION, Severity::Info, &["delivery", "delivery"], 6, 1),
        (Ndjson, PARTITION, Severity::Info, &["delivery", "delivery"], 2, 1),
        (Text, PARTITION, Severity::Critical, &["delivery"], 3, 1),
    ] {
        let written = Written::default();
        let notifier = notifier(format, min_severity, &written);
        let output = notifier.handle(&batch(source.clone(), &messages)).await.expect("it holds them");
        let mut kinds: Vec<String> = output.messages.iter().map(|emit| emit.kind.to_string()).collect();
        let passed = pass(&notifier, &source, soon()).await.expect("standard output takes it");
        kinds.extend(passed.messages.iter().map(|message| message.kind().to_string()));
        assert_eq!(kinds, emitted, "{format:?} {source} {min_severity:?}");
        assert_eq!(written.text().lines().count(), lines, "{format:?} {source} {}", written.text());
        assert_eq!(output.rejected.len(), rejected, "{format:?} {source}");
    }
}

#[tokio::test]
async fn told_once_however_often_given() {
    let written = Written::default();
    let notifier = notifier(StdoutFormat::Ndjson, Severity::Info, &written);
    let batch = batch(PARTITION, &[alert("a").into()]);
    for deliveries in [1, 0] {
        let passed = given(&notifier, &batch, soon()).await.expect("standard output takes it");
        assert_eq!(passed.messages.len(), deliveries);
    }
    assert_eq!(written.text().lines().count(), 1);
    let line = Message::parse(written.text().trim_end().as_bytes()).expect("a message");
    assert_eq!(line, alert("a").into());
}

#[tokio::test]
async fn nobody_is_told_without_the_lease() {
    let written = Written::default();
    let notifier = notifier(StdoutFormat::Ndjson, Severity::Info, &written);
    let batch = batch(PARTITION, &[alert("a").into()]);
    notifier.taken(&PARTITION, &Lease::until(tokio::time::Instant::now()));
    let failure = given(&notifier, &batch, soon()).await.map(|_| ()).expect_err("it is somebody else's");
    assert!(matches!(failure, Failure::Unavailable(_)) && written.text().is_empty(), "{failure:?}");
    notifier.left(&PARTITION);
    notifier.resume(&PARTITION, None, Vec::new()).await.expect("there is nothing yet");
    notifier.taken(&PARTITION, &Lease::until(tokio::time::Instant::now() + std::time::Duration::from_secs(60)));
    given(&notifier, &batch, soon()).await.expect("taken again");
    assert_eq!(written.text().lines().count(), 1);
}

/// A reader that has gone away, as `head` does.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_closed_standard_output_ends_the_run() {
    let stdout = StdoutChannel { format: StdoutFormat::Text, ..StdoutChannel::default() };
    let config = Notifications { stdout, ..Notifications::default() };
    let notifier = Notifier::with(&config, Box::new(Closed), HASTE, clock).expect("usable channels");
    let failure = notifier.handle(&batch(Source::Pipe, &[alert("a").into()])).await.expect_err("nobody reads");
    assert!(matches!(failure, Failure::Fatal(_)), "{failure:?}");
}
