//! A mail server that keeps what it was sent: EHLO, STARTTLS, AUTH PLAIN and LOGIN, DATA.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How it listens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listens {
    Plain,
    Starttls,
    Tls,
}

/// What it is like.
#[derive(Clone)]
pub(crate) struct Manners {
    pub(crate) listens: Listens,
    /// The mechanisms it offers.
    pub(crate) auth: &'static str,
    /// What it answers to a command that begins so, instead of agreeing; each once.
    pub(crate) answers: Vec<(&'static str, &'static str)>,
}

/// One message as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    /// What was said before the message; credentials decoded by nobody.
    pub(crate) said: Vec<String>,
    pub(crate) encrypted: bool,
    pub(crate) lines: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct MailServer {
    pub(crate) port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A certificate for 127.0.0.1 that vouches for itself: `own.pem` and `own.key`.
pub(crate) fn certificate(folder: &Path) {
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=own \
                -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout own.key -out own.pem";
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("openssl runs").success());
}

impl MailServer {
    pub(crate) async fn start(folder: &Path, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self { port, mails: Arc::default() };
        let acceptor = (manners.listens != Listens::Plain).then(|| acceptor(folder));
        let (mails, manners) = (Arc::clone(&server.mails), Arc::new(Mutex::new(manners)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mails, manners, acceptor) = (Arc::clone(&mails), Arc::clone(&manners), acceptor.clone());
                // A client that goes away in the middle is the client's affair.
                tokio::spawn(async move { drop(serve(stream, &mails, &manners, acceptor).await) });
            }
        });
        server
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().expect("no handler panics").clone()
    }
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("own.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join("own.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    stream: TcpStream,
    mails: &Mutex<Vec<Mail>>,
    manners: &Mutex<Manners>,
    acceptor: Option<TlsAcceptor>,
) -> std::io::Result<()> {
    let Manners { listens, auth, .. } = manners.lock().expect("no handler panics").clone();
    let mut mail = Mail::default();
    let mut wire: Box<dyn Wire> = Box::new(stream);
    if let (Listens::Tls, Some(acceptor)) = (listens, &acceptor) {
        wire = Box::new(acceptor.accept(wire).await?);
        mail.encrypted = true;
    }
    let mut wire = BufReader::new(wire);
    wire.write_all(b"220-mail\r\n220 ready\r\n").await?;
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        mail.said.push(line.clone());
        let special = {
            let answers = &mut manners.lock().expect("no handler panics").answers;
            let at = answers.iter().position(|(command, _)| line.starts_with(command));
            at.map(|at| answers.remove(at).1)
        };
        let answer = match (special, line.split(' ').next().unwrap_or_default()) {
            (Some(answer), _) => answer.to_owned(),
            (None, "EHLO") if listens == Listens::Starttls && !mail.encrypted => "250-mail\r\n250 STARTTLS".to_owned(),
            (None, "EHLO") => format!("250-mail\r\n250-8BITMIME\r\n250 {auth}"),
            (None, "STARTTLS") => {
                wire.write_all(b"220 go ahead\r\n").await?;
                let acceptor = acceptor.clone().expect("it listens so");
                wire = BufReader::new(Box::new(acceptor.accept(wire.into_inner()).await?));
                mail.encrypted = true;
                continue;
            }
            (None, "AUTH") if line == "AUTH LOGIN" => {
                for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                    wire.write_all(format!("{prompt}\r\n").as_bytes()).await?;
                    let mut part = String::new();
                    wire.read_line(&mut part).await?;
                    mail.said.push(part.trim_end().to_owned());
                }
                "235 welcome".to_owned()
            }
            (None, "AUTH") => "235 welcome".to_owned(),
            (None, "DATA") => {
                wire.write_all(b"354 go ahead\r\n").await?;
                loop {
                    let mut line = String::new();
                    wire.read_line(&mut line).await?;
                    match line.trim_end() {
                        "." => break,
                        text => mail.lines.push(text.to_owned()),
                    }
                }
                mails.lock().expect("no handler panics").push(mail.clone());
                "250 2.0.0 queued as 1".to_owned()
            }
            (None, "QUIT") => return Ok(()),
            (None, _) => "250 fine".to_owned(),
        };
        wire.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
