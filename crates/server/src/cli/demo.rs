//! `netjoin demo`.

use super::exit::Failure;

/// What `demo` can be told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts four servers of its own on loopback, on addresses nobody else uses, logs the seven users \
of XEP-0282 in over TLS, plays section 5 of it with replicas and without, and compares what everybody saw. Then it \
cuts one site off, lets both sides go on, heals the link, and looks at what everybody has learnt and at the archives."
)]
pub struct Args {
    /// Leave the servers running until Ctrl-C, and say how to log in with your own client
    #[arg(long)]
    stay: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let told = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(crate::demo::run(args.stay)));
    told.map_err(|error| Failure::failed(format!("{error:#}")))
}
