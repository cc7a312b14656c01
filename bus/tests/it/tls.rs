//! TLS with an authority of one's own, and with certificates on both sides; a password from a file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use elava_bus::{Client, NatsAccess, NatsOptions};
use elava_harness::{Folder, Setup};

use crate::{server, start};

/// Runs openssl in `folder`; the words stand for what they are in it.
fn openssl(folder: &Path, line: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("openssl runs").success(), "openssl {line}");
}

/// An authority, and what it has signed.
fn certificates(folder: &Path, authority: &str, names: &[&str]) {
    const NEW: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {NEW} -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"),
    );
    std::fs::write(folder.join("extensions"), "subjectAltName=IP:127.0.0.1\n").expect("writes");
    for name in names {
        openssl(folder, &format!("req {NEW} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let signed = format!("-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2 -extfile extensions");
        openssl(folder, &format!("x509 -req -in {name}.csr {signed} -out {name}.pem"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_known_server_and_a_known_client_talk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    certificates(folder.path(), "ca", &["server", "client"]);
    certificates(folder.path(), "other", &["stranger"]);
    std::fs::write(folder.path().join("password"), "secret\n").expect("writes");
    let config = "authorization { user: me, password: secret }\n\
         tls { cert_file: FOLDER/server.pem, key_file: FOLDER/server.key, ca_file: FOLDER/ca.pem, verify: true }";
    let config = config.replace("FOLDER", &folder.path().display().to_string());
    let server = start(Setup { folder: Folder::Temporary(folder), config: &config, ..Setup::default() });
    let file = |name: &str| -> Option<PathBuf> { (!name.is_empty()).then(|| server.file(name)) };
    for (scheme, ca, own, password, works) in [
        ("nats", "ca.pem", "client", "password", true),
        ("tls", "ca.pem", "client", "password", true),
        ("tls", "ca.pem", "client", "", false),
        ("tls", "ca.pem", "", "password", false),
        ("tls", "ca.pem", "stranger", "password", false),
        ("tls", "other.pem", "client", "password", false),
        ("tls", "", "client", "password", false),
    ] {
        let access = NatsAccess {
            nats_user: Some("me".to_owned()),
            nats_password_file: file(password),
            nats_ca: file(ca),
            nats_tls_cert: file(own).map(|cert| cert.with_extension("pem")),
            nats_tls_key: file(own).map(|key| key.with_extension("key")),
            ..NatsAccess::default()
        };
        let options = NatsOptions { url: server.url().replace("nats", scheme), access };
        let tried = async { Client::connect(&options).await?.make_streams().await };
        let tried = tried.await;
        assert_eq!(tried.is_ok(), works, "{scheme} {ca} {own} {password}: {tried:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_asked_for_never_goes_unsaid() {
    let server = server();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("empty"), "").expect("writes");
    std::fs::write(folder.path().join("nonsense"), "SUNONSENSE").expect("writes");
    for (name, works) in [("empty", true), ("nonsense", false), ("missing", false)] {
        let nkey = |nats_nkey| NatsAccess { nats_nkey: Some(nats_nkey), ..NatsAccess::default() };
        let options = NatsOptions { access: nkey(folder.path().join(name)), ..NatsOptions::new(server.url()) };
        let tried = Client::connect(&options).await.map(drop);
        let said = tried.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!((tried.is_ok(), said.contains(name)), (works, !works), "{said}");
    }
}
