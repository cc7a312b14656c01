//! SMTP (RFC 5321) with STARTTLS (RFC 3207) and AUTH (RFC 4954): one connection a message.
//!
//! By hand, since the mail crates with TLS would have everything that uses rustls compiled anew.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use elava_schemas::config::{EmailChannel, EmailTls};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::EmailError;
use super::message::Mail;
use crate::channel::text::{cut, printable};

/// Bytes of one answer: more is no mail server.
const ANSWER_LIMIT: usize = 64 * 1024;

/// An SMTP server, and who we are there.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: EmailTls,
    connector: Option<TlsConnector>,
    login: Option<(String, String)>,
    timeout: Duration,
}

/// Why a message was not taken. Without secrets.
pub(super) struct SmtpError {
    /// Whether it never will be.
    pub(super) is_final: bool,
    pub(super) error: String,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A conversation with the server.
struct Session {
    stream: BufReader<Box<dyn Wire>>,
    /// What the server can, from its answer to EHLO.
    abilities: Vec<String>,
}

/// What the server said: a code, and its lines.
struct Answer {
    code: u16,
    lines: Vec<String>,
}

impl Server {
    pub(super) fn new(
        config: &EmailChannel,
        login: Option<(String, String)>,
        timeout: Duration,
    ) -> Result<Self, EmailError> {
        let port = config.port.unwrap_or(match config.tls {
            EmailTls::Starttls => 587,
            EmailTls::Tls => 465,
            EmailTls::None => 25,
        });
        let connector = match config.tls {
            EmailTls::None => None,
            EmailTls::Starttls | EmailTls::Tls => Some(connector(config.ca_file.as_deref())?),
        };
        Ok(Self { host: config.host.clone(), port, tls: config.tls, connector, login, timeout })
    }

    /// Sends a message; returns what the server said of it.
    pub(super) async fn send(&self, mail: &Mail<'_>) -> Result<String, SmtpError> {
        let sent = tokio::time::timeout(self.timeout, self.converse(mail)).await;
        let sent = sent.unwrap_or_else(|_| Err(later("does not answer in time")));
        sent.map_err(|error| SmtpError { error: format!("{}:{}: {}", self.host, self.port, error.error), ..error })
    }

    async fn converse(&self, mail: &Mail<'_>) -> Result<String, SmtpError> {
        let mut session = self.open().await?;
        if let Some((username, password)) = &self.login {
            session.log_in(username, password).await?;
        }
        session.ask(&format!("MAIL FROM:<{}>", mail.from.mailbox)).await?.expect(2)?;
        let mut refused = None;
        let mut accepted = 0;
        for address in mail.to {
            match session.ask(&format!("RCPT TO:<{}>", address.mailbox)).await?.expect(2) {
                Ok(_) => accepted += 1,
                Err(error) => refused = Some(error),
            }
        }
        // Those who can be reached are told.
        if let (0, Some(error)) = (accepted, refused) {
            return Err(error);
        }
        session.ask("DATA").await?.expect(3)?;
        session.write(&mail.lines()).await?;
        let answer = session.ask(".").await?.expect(2)?;
        // It has the message; how we part makes no difference.
        drop(session.write("QUIT\r\n").await);
        Ok(answer.text())
    }

    /// Connects, and goes as far as the server allows without a name.
    async fn open(&self) -> Result<Session, SmtpError> {
        let connected = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| io(&error))?;
        let hello = connected.local_addr().map_or_else(
            |_| "localhost".to_owned(),
            |address| match address.ip() {
                std::net::IpAddr::V4(ip) => format!("[{ip}]"),
                std::net::IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
            },
        );
        let mut wire: Box<dyn Wire> = Box::new(connected);
        if self.tls == EmailTls::Tls {
            wire = self.encrypted(wire).await?;
        }
        let mut session = Session { stream: BufReader::new(wire), abilities: Vec::new() };
        session.answer().await?.expect(2)?;
        session.greet(&hello).await?;
        if self.tls != EmailTls::Starttls {
            return Ok(session);
        }
        if !session.abilities.iter().any(|ability| ability == "STARTTLS") {
            return Err(later("does not offer STARTTLS"));
        }
        session.ask("STARTTLS").await?.expect(2)?;
        if !session.stream.buffer().is_empty() {
            return Err(later("spoke out of turn before encryption"));
        }
        let wire = self.encrypted(session.stream.into_inner()).await?;
        let mut session = Session { stream: BufReader::new(wire), abilities: Vec::new() };
        session.greet(&hello).await?;
        Ok(session)
    }

    async fn encrypted(&self, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>, SmtpError> {
        let connector = self.connector.as_ref().expect("made with the server, unless it is plain");
        let name =
            ServerName::try_from(self.host.clone()).map_err(|_| later("has a name that no certificate can have"))?;
        let encrypted = connector.connect(name, wire).await.map_err(|error| io(&error))?;
        Ok(Box::new(encrypted))
    }
}

/// With the certificates of this machine, or of a file.
fn connector(ca_file: Option<&str>) -> Result<TlsConnector, EmailError> {
    let tls = |error: rustls::Error| EmailError::Tls(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?;
    let config = match ca_file {
        None => builder.with_platform_verifier().map_err(tls)?.with_no_client_auth(),
        Some(file) => builder.with_root_certificates(authorities(file)?).with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn authorities(file: &str) -> Result<RootCertStore, EmailError> {
    let failed = |error: String| EmailError::Authorities { file: file.to_owned(), error };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        store.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if store.is_empty() { Err(failed("it holds no certificate".to_owned())) } else { Ok(store) }
}

impl Session {
    async fn greet(&mut self, hello: &str) -> Result<(), SmtpError> {
        let answer = self.ask(&format!("EHLO {hello}")).await?.expect(2)?;
        self.abilities = answer.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    /// What is refused here is never final: a password can be mended, and the message still be sent.
    async fn log_in(&mut self, username: &str, password: &str) -> Result<(), SmtpError> {
        let offered: Vec<String> = self
            .abilities
            .iter()
            .filter_map(|ability| ability.strip_prefix("AUTH "))
            .flat_map(|mechanisms| mechanisms.split_ascii_whitespace().map(str::to_owned))
            .collect();
        let has = |mechanism: &str| offered.iter().any(|offer| offer == mechanism);
        let answer = if has("PLAIN") {
            self.ask(&format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{username}\0{password}")))).await?
        } else if has("LOGIN") {
            let mut answer = self.ask("AUTH LOGIN").await?;
            for part in [username, password] {
                if answer.code == 334 {
                    answer = self.ask(&STANDARD.encode(part)).await?;
                }
            }
            answer
        } else {
            return Err(later("offers neither AUTH PLAIN nor AUTH LOGIN"));
        };
        // Its text is left out: it could repeat what was sent.
        if answer.code == 235 { Ok(()) } else { Err(later(&format!("answered {} to the login", answer.code))) }
    }

    async fn ask(&mut self, line: &str) -> Result<Answer, SmtpError> {
        self.write(&format!("{line}\r\n")).await?;
        self.answer().await
    }

    async fn write(&mut self, text: &str) -> Result<(), SmtpError> {
        let stream = self.stream.get_mut();
        stream.write_all(text.as_bytes()).await.map_err(|error| io(&error))?;
        stream.flush().await.map_err(|error| io(&error))
    }

    async fn answer(&mut self) -> Result<Answer, SmtpError> {
        let mut lines = Vec::new();
        let mut read = 0;
        loop {
            let mut line = Vec::new();
            let mut limited = tokio::io::AsyncReadExt::take(&mut self.stream, ANSWER_LIMIT as u64);
            let length = limited.read_until(b'\n', &mut line).await.map_err(|error| io(&error))?;
            read += length;
            if length == 0 {
                return Err(later("closed the connection"));
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code = line.get(..3).and_then(|digits| digits.parse().ok());
            let (Some(code), true) = (code, read <= ANSWER_LIMIT) else { return Err(later("does not speak SMTP")) };
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Answer { code, lines });
            }
        }
    }
}

impl Answer {
    /// Wants a code of this hundred.
    fn expect(self, hundred: u16) -> Result<Self, SmtpError> {
        if self.code / 100 == hundred {
            return Ok(self);
        }
        Err(SmtpError { is_final: self.code >= 500, error: format!("answered {}", self.text()) })
    }

    fn text(&self) -> String {
        cut(&printable(&format!("{} {}", self.code, self.lines.join(" "))), 200)
    }
}

fn later(error: &str) -> SmtpError {
    SmtpError { is_final: false, error: error.to_owned() }
}

fn io(error: &std::io::Error) -> SmtpError {
    later(&error.to_string())
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}
