//! A cable between two servers that a test can cut, hold up and mend.

use anyhow::Result;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It arrives.
    Fair,
    /// It arrives later.
    Slow(Duration),
    /// Connections are reset, new ones as soon as they are made.
    Refused,
    /// It is swallowed: nobody notices. A connection that has lost something stays mute for good.
    Silent,
}

/// Carries connections to one address until it is dropped.
pub struct Relay {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

/// The weather, and how often all connections were cut.
#[derive(Debug, Clone, Copy)]
struct State {
    weather: Weather,
    cuts: u64,
}

impl Relay {
    /// Listens on a free port of `host` and carries what comes to `to`.
    pub async fn start(host: IpAddr, to: SocketAddr) -> Result<Relay> {
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let state = watch::Sender::new(State { weather: Weather::Fair, cuts: 0 });
        let seen = state.subscribe();
        let accept = async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, to, seen.clone()));
            }
        };
        Ok(Relay { address, state, accepting: tokio::spawn(accept) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections there are, in the middle of whatever they carry; new ones are carried again.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Changes the weather.
    pub fn weather(&self, weather: Weather) {
        self.state.send_modify(|state| {
            state.weather = weather;
            state.cuts += u64::from(weather == Weather::Refused);
        });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn carry(near: TcpStream, to: SocketAddr, state: watch::Receiver<State>) {
    let began = *state.borrow();
    if began.weather == Weather::Refused {
        return reset(near);
    }
    let Ok(far) = TcpStream::connect(to).await else { return };
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let mut cut = state.clone();
    tokio::select! {
        _ = async { tokio::join!(pump(near_in, far_out, state.clone()), pump(far_in, near_out, state.clone())) } => {}
        _ = cut.wait_for(|now| now.cuts != began.cuts) => {}
    }
}

/// Carries one direction to its end, as the weather lets it.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: watch::Receiver<State>) {
    let mut mute = false;
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let weather = state.borrow().weather;
        mute |= weather == Weather::Silent;
        if let Weather::Slow(by) = weather {
            tokio::time::sleep(by).await;
        }
        if !mute && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    // An end is swallowed like anything else.
    if !mute && state.borrow().weather != Weather::Silent {
        let _ = to.shutdown().await;
    } else {
        std::future::pending::<()>().await;
    }
}

/// As a host does where nobody listens.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
}
