//! Email against a real mail server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use elava_schemas::{Decision, DecisionState, Severity};
use expect_test::expect;

use crate::http::receipts;
use crate::smtp::{Listens, Mail, MailServer, Manners, certificate};
use crate::{PARTITION, batch, clock, given, messages, notifier_of, owned, soon};

const QUIET: Manners = Manners { listens: Listens::Plain, auth: "AUTH PLAIN LOGIN", answers: Vec::new() };

fn yaml(server: &MailServer, more: &str) -> String {
    format!(
        "stdout: {{enabled: false}}\nchannels:\n  mail:\n    email: {{host: 127.0.0.1, port: {}, from: 'Elava <elava@example.com>', to: [a@example.com, Bé <b@example.com>], {more}}}",
        server.port
    )
}

fn one(state: DecisionState) -> Decision {
    Decision { reason: "Offen für alle".into(), ..owned("x", "me", Severity::Warning, state) }
}

fn header<'a>(mail: &'a Mail, name: &str) -> Option<&'a str> {
    mail.lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn body(mail: &Mail) -> String {
    let lines = mail.lines.iter().skip_while(|line| !line.is_empty());
    let text = STANDARD.decode(lines.map(String::as_str).collect::<String>()).expect("base64");
    String::from_utf8(text).expect("UTF-8").replace("\r\n", "\n")
}

#[tokio::test]
async fn a_message_and_its_thread() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = MailServer::start(folder.path(), QUIET).await;
    let notifier = notifier_of(&yaml(&server, "tls: none"), clock);
    for state in [DecisionState::New, DecisionState::Resolved] {
        let passed = given(&notifier, &batch(PARTITION, &messages(&[one(state)])), soon()).await.expect("told");
        assert_eq!(receipts(&passed), ["mail Delivered 1 -"]);
    }
    let mails = server.mails();
    assert_eq!(
        mails[0].said[1..],
        ["MAIL FROM:<elava@example.com>", "RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"]
    );
    assert!(mails[0].said[0].starts_with("EHLO [127.0.0.1]"));
    let end = mails[0].lines.iter().position(String::is_empty).expect("headers end");
    expect![[r#"
        From: "Elava" <elava@example.com>
        To: a@example.com,
         =?utf-8?B?QsOp?= <b@example.com>
        Subject: =?utf-8?B?W1dBUk5JTkddIE9mZmVuIGbDvHIgYWxsZQ==?=
        Date: Fri, 2 Jan 2026 03:04:05 +0000
        Message-ID: <MESSAGE@example.com>
        In-Reply-To: <FINDING@example.com>
        References: <FINDING@example.com>
        Auto-Submitted: auto-generated
        X-Elava-Severity: warning
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64"#]]
    .assert_eq(
        &mails[0].lines[..end]
            .join("\n")
            .replace(one(DecisionState::New).id.as_str(), "MESSAGE")
            .replace(one(DecisionState::New).finding.as_str(), "FINDING"),
    );
    expect![[r#"
        Offen für alle
        → Close port 22 & 3389

        Resource: web
        Type: ec2:security-group
        Account: 123456789012
        Region: us-east-1
        Policy: day2.security
        Rule: public
        Key: aws/123456789012/us-east-1/ec2:security-group/x
        Decision: ID
        Decided: 2026-01-02 03:04:05Z
    "#]]
    .assert_eq(&body(&mails[0]).replace(one(DecisionState::New).id.as_str(), "ID"));
    assert_eq!(header(&mails[0], "References"), header(&mails[1], "References"), "one thread");
    assert_ne!(header(&mails[0], "Message-ID"), header(&mails[1], "Message-ID"));

    // several at once begin a thread of their own, in which each ends
    let many = |state| (0..5).map(|number| owned(&number.to_string(), "me", Severity::Info, state)).collect::<Vec<_>>();
    given(&notifier, &batch(PARTITION, &messages(&many(DecisionState::New))), soon()).await.expect("told");
    given(&notifier, &batch(PARTITION, &messages(&many(DecisionState::Resolved)[..1])), soon()).await.expect("told");
    let mails = server.mails();
    assert_eq!(
        header(&mails[2], "Subject"),
        Some("[INFO] 5 new findings: policy day2.security, rule public (owner me)")
    );
    assert_eq!(header(&mails[2], "References"), None);
    assert_eq!(header(&mails[3], "References"), header(&mails[2], "Message-ID"));
}

#[tokio::test]
async fn encryption_and_login() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let ca = format!("ca_file: '{}'", folder.path().join("own.pem").display());
    let login = "username: me, password: SECRET";
    let plain = STANDARD.encode("\0me\0SECRET");
    let by_parts = ["AUTH LOGIN".to_owned(), STANDARD.encode("me"), STANDARD.encode("SECRET")];
    for (listens, auth, settings, said) in [
        (
            Listens::Starttls,
            "AUTH PLAIN LOGIN",
            format!("tls: starttls, {ca}, {login}"),
            vec![format!("AUTH PLAIN {plain}")],
        ),
        (Listens::Starttls, "AUTH LOGIN", format!("{ca}, {login}"), by_parts.to_vec()),
        (Listens::Tls, "AUTH CRAM-MD5 PLAIN", format!("tls: tls, {ca}, {login}"), vec![format!("AUTH PLAIN {plain}")]),
        (Listens::Plain, "AUTH PLAIN", format!("tls: none, {login}"), vec![format!("AUTH PLAIN {plain}")]),
    ] {
        let server = MailServer::start(folder.path(), Manners { listens, auth, ..QUIET }).await;
        let notifier = notifier_of(&yaml(&server, &settings), clock);
        assert!(!format!("{notifier:?}").contains("SECRET"));
        let passed =
            given(&notifier, &batch(PARTITION, &messages(&[one(DecisionState::New)])), soon()).await.expect("told");
        assert_eq!(receipts(&passed), ["mail Delivered 1 -"], "{settings}");
        let mail = &server.mails()[0];
        assert_eq!(mail.encrypted, listens != Listens::Plain);
        let heard: Vec<String> = mail.said.iter().filter(|line| said.contains(line)).cloned().collect();
        assert_eq!(heard, said);
    }
}

#[tokio::test]
async fn what_a_mail_server_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let ca = format!(
        "tls: starttls, ca_file: '{}', username: me, password: SECRET",
        folder.path().join("own.pem").display()
    );
    let plain = "tls: none".to_owned();
    let starttls = "tls: starttls".to_owned();
    let final_ = |error: &str| Some(format!("mail Failed 1 127.0.0.1:PORT: {error}"));
    let delivered = |attempts: u32| Some(format!("mail Delivered {attempts} -"));
    for (listens, settings, answers, expected) in [
        (Listens::Plain, &plain, vec![("MAIL", "451 4.3.0 try again")], delivered(2)),
        (Listens::Plain, &plain, vec![("RCPT TO:<a@", "550 5.1.1 nobody here")], delivered(1)),
        (
            Listens::Plain,
            &plain,
            vec![("RCPT TO:<a@", "550 5.1.1 nobody here"), ("RCPT TO:<b@", "550-5.1.1 nobody\r\n550 here \u{1b}[2J")],
            final_("answered 550 5.1.1 nobody here \u{fffd}[2J"),
        ),
        (Listens::Plain, &plain, vec![("DATA", "554 5.7.1 spam")], final_("answered 554 5.7.1 spam")),
        (Listens::Plain, &plain, vec![("MAIL", "what?")], delivered(2)),
        // a login that fails can be mended, and repeats no secret
        (Listens::Starttls, &ca, vec![("AUTH", "535 5.7.8 SECRET is wrong")], delivered(2)),
        // nothing is sent in the open that was to be encrypted, nor to a server that nobody vouches for
        (Listens::Plain, &starttls, vec![], None),
        (Listens::Starttls, &starttls, vec![], None),
    ] {
        let server = MailServer::start(folder.path(), Manners { listens, answers: answers.clone(), ..QUIET }).await;
        let notifier = notifier_of(&yaml(&server, settings), clock);
        let Some(expected) = expected else {
            let failure = notifier.test("mail").await.expect_err("it is not sent").to_string();
            let reasons = ["does not offer STARTTLS", "invalid peer certificate"];
            assert!(reasons.iter().any(|reason| failure.contains(reason)), "{failure}");
            assert!(server.mails().is_empty());
            continue;
        };
        let passed =
            given(&notifier, &batch(PARTITION, &messages(&[one(DecisionState::New)])), soon()).await.expect("told");
        assert_eq!(receipts(&passed), [expected.replace("PORT", &server.port.to_string())], "{answers:?}");
    }
    let server = MailServer::start(
        folder.path(),
        Manners { answers: vec![("AUTH", "535 SECRET")], listens: Listens::Starttls, ..QUIET },
    )
    .await;
    let tried = notifier_of(&yaml(&server, &ca), clock).test("mail").await.expect_err("the login fails").to_string();
    assert_eq!(tried, format!("mail did not take it: 127.0.0.1:{}: answered 535 to the login", server.port));
}
