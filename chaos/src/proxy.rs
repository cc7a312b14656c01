//! A TCP proxy that can cut, refuse and stall what passes through it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What it does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything passes.
    Pass,
    /// Nothing passes, and nothing is closed.
    Stall,
    /// Everything is closed, and whatever comes.
    Cut,
}

/// A proxy on a loopback port of its own; ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Before `upstream`, which may come and go.
    pub(crate) async fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Pass);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, upstream, modes.clone()));
            }
        });
        Ok(Self { address, mode, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Until one side closes, or the connection is cut. A proxy that has gone cuts too.
async fn carry(client: TcpStream, upstream: SocketAddr, mut modes: watch::Receiver<Mode>) {
    let mut cut = modes.clone();
    let there_and_back = async {
        let server = passing(&mut modes, TcpStream::connect(upstream)).await?;
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        tokio::select! {
            there = pump(&mut from_client, &mut to_server, modes.clone()) => there,
            back = pump(&mut from_server, &mut to_client, modes.clone()) => back,
        }
    };
    tokio::select! {
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
        // however it ended, both sides are closed now
        _ = there_and_back => {}
    }
}

async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut modes: watch::Receiver<Mode>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return Ok(());
        }
        passing(&mut modes, to.write_all(&bytes[..length])).await?;
    }
}

/// Does it once everything passes.
async fn passing<T>(
    modes: &mut watch::Receiver<Mode>,
    work: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    modes.wait_for(|mode| *mode == Mode::Pass).await.map_err(std::io::Error::other)?;
    work.await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A server that answers each byte with the same.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    drop(tokio::io::copy(&mut read, &mut write).await);
                });
            }
        });
        address
    }

    async fn asked(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn passes_stalls_and_cuts() {
        let proxy = Proxy::start(echo().await).await.expect("starts");
        let connect = || TcpStream::connect(proxy.address());
        let mut stream = connect().await.expect("connects");
        assert_eq!(asked(&mut stream).await.expect("passes"), b'x');

        proxy.set(Mode::Stall);
        assert!(timeout(Duration::from_millis(200), asked(&mut stream)).await.is_err(), "nothing passes");
        proxy.set(Mode::Pass);
        assert_eq!(stream.read_u8().await.expect("what was held passes"), b'x');

        proxy.set(Mode::Cut);
        assert!(asked(&mut stream).await.is_err(), "closed");
        assert!(asked(&mut connect().await.expect("accepted")).await.is_err(), "and closed at once");
        proxy.set(Mode::Pass);
        assert_eq!(asked(&mut connect().await.expect("connects")).await.expect("passes"), b'x');
    }
}
