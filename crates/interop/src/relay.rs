//! A cable between two servers that a test can cut.

use anyhow::Result;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Carries connections to one address until it is dropped.
pub struct Relay {
    address: SocketAddr,
    cuts: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port of `host` and carries what comes to `to`.
    pub async fn start(host: IpAddr, to: SocketAddr) -> Result<Relay> {
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let cuts = watch::Sender::new(0);
        let cut = cuts.subscribe();
        let accept = async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, to, cut.clone()));
            }
        };
        Ok(Relay { address, cuts, accepting: tokio::spawn(accept) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections there are, in the middle of whatever they carry; new ones are carried again.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn carry(mut near: TcpStream, to: SocketAddr, mut cut: watch::Receiver<u64>) {
    cut.mark_unchanged();
    let carrying = async {
        if let Ok(mut far) = TcpStream::connect(to).await {
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    };
    tokio::select! {
        _ = carrying => {}
        _ = cut.changed() => {}
    }
}
