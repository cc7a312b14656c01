//! How NATS is reached, and as whom.

use std::path::{Path, PathBuf};

use async_nats::{ConnectOptions, rustls};
use clap::Args;
use nkeys::KeyPair;

use super::NatsError;

/// How to reach NATS.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// Server URL.
    pub url: String,
    /// As whom, and how the server is known.
    pub access: NatsAccess,
}

/// As whom NATS is reached, and how the server is known to be the right one. Files that are empty count
/// as not given, so that a secret can be left out where something must be mounted.
#[derive(Args, Clone, Debug, Default)]
pub struct NatsAccess {
    /// NATS user: file with the seed of its NKey, as `elava nats access` makes it
    #[arg(long, env = "ELAVA_NATS_NKEY_FILE", value_name = "FILE", conflicts_with_all = ["nats_creds", "nats_user"])]
    pub nats_nkey: Option<PathBuf>,

    /// NATS user: credentials file with JWT and seed, as nsc makes it
    #[arg(long, env = "ELAVA_NATS_CREDS", value_name = "FILE", conflicts_with = "nats_user")]
    pub nats_creds: Option<PathBuf>,

    /// NATS user: its name, where it has a password
    #[arg(long, env = "ELAVA_NATS_USER", value_name = "NAME", requires = "nats_password_file")]
    pub nats_user: Option<String>,

    /// NATS user: file with its password
    #[arg(long, env = "ELAVA_NATS_PASSWORD_FILE", value_name = "FILE", requires = "nats_user")]
    pub nats_password_file: Option<PathBuf>,

    /// TLS to NATS: certificates (PEM) of who has signed the server's [default: the system's, where the URL is tls://…]
    #[arg(long, env = "ELAVA_NATS_CA", value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,

    /// TLS to NATS: our own certificate (PEM), where the server asks for one
    #[arg(long, env = "ELAVA_NATS_TLS_CERT", value_name = "FILE", requires = "nats_tls_key")]
    pub nats_tls_cert: Option<PathBuf>,

    /// TLS to NATS: the key of our own certificate (PEM)
    #[arg(long, env = "ELAVA_NATS_TLS_KEY", value_name = "FILE", requires = "nats_tls_cert")]
    pub nats_tls_key: Option<PathBuf>,
}

impl NatsOptions {
    /// A server that asks nobody who they are, or whose URL says it.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), access: NatsAccess::default() }
    }

    /// As whom we come, in words, and how to connect so.
    pub(super) async fn credentials(&self) -> Result<(String, ConnectOptions), NatsError> {
        let access = &self.access;
        // Where several are compiled in, rustls panics rather than choose. Who has chosen before, stays.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut connect = ConnectOptions::new();
        if let Some(file) = &access.nats_ca {
            connect = connect.add_root_certificates(file.clone()).require_tls(true);
        }
        if let (Some(cert), Some(key)) = (&access.nats_tls_cert, &access.nats_tls_key) {
            connect = connect.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
        }
        if let Some((file, text)) = content(access.nats_nkey.as_deref())? {
            let pair = user_key(&text).map_err(|error| failed(file, error))?;
            let seed = pair.seed().map_err(|error| failed(file, error))?;
            return Ok((format!("NKey {}", pair.public_key()), connect.nkey(seed)));
        }
        if let Some((file, text)) = content(access.nats_creds.as_deref())? {
            let connect = connect.credentials(&text).map_err(|error| failed(file, error))?;
            return Ok((format!("the user of {}", file.display()), connect));
        }
        if let Some(user) = &access.nats_user
            && let Some((_, password)) = content(access.nats_password_file.as_deref())?
        {
            return Ok((format!("user {user}"), connect.user_and_password(user.clone(), password)));
        }
        Ok(("a user without key, credentials or password".to_owned(), connect))
    }
}

/// The user's key in what a seed file holds: lines beside the seed are comments, as for the NATS CLI.
pub(crate) fn user_key(text: &str) -> Result<KeyPair, nkeys::error::Error> {
    // `SU`: a seed, of a user
    let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU")).unwrap_or_default();
    KeyPair::from_seed(seed)
}

/// What the file holds, without white space around it.
fn content(file: Option<&Path>) -> Result<Option<(&Path, String)>, NatsError> {
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|error| failed(file, error))?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| (file, text.to_owned())))
}

fn failed(file: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> NatsError {
    NatsError::Credentials { file: file.display().to_string(), source: source.into() }
}
