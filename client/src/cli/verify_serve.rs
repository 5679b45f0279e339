//! `kanhe verify serve`: the verifier as a service for a counter's own software.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kanhe_proto::ids::SpanMs;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::verify::Party;
use crate::given::span;
use crate::service::{Door, Keeper, Server, Service, Token};
use crate::stop::Stop;
use crate::talk::{ExitCode, Failure, say};

/// Options of `verify serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    party: Party,
    /// Address to listen on; port 0 takes a free one, which is said
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// File of the token that programs must send; made with 256 random bits if it is not there [default: verifier/token
    /// in the home]
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Further name of this machine that may stand in `Host`, where it listens beyond loopback or behind a proxy; again
    /// for each
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// How often the pin follows the chain
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span)]
    update: SpanMs,
}

/// Said once the service answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ready {
    /// Where it listens.
    pub address: String,
    /// The same, as a URL.
    pub url: String,
    /// File of the token.
    pub token_file: String,
    /// In whose name it asks.
    pub relying_party: String,
    /// The pinned chain.
    pub chain: String,
}

/// Serves until a signal comes.
pub fn run(options: &Serve, context: &Context) -> Result<ExitCode, Failure> {
    let loopback = options.listen.ip().is_loopback();
    if options.listen.ip().is_unspecified() && options.hosts.is_empty() {
        return Err(Failure::of(ExitCode::Usage, "host_needed", &[("address", &options.listen)]));
    }
    let trust = context.home.trust()?;
    let asking = options.party.open(context)?;
    let path = options.token.clone().unwrap_or_else(|| context.home.at("verifier/token"));
    let token = Token::open_or_create(&path)?;
    let server = Server::bind(options.listen)?;
    let address = server.address();
    if !loopback {
        context.output.talk(say("verify_serve.open", &[("address", &address)]));
    }
    let ready = Ready {
        address: address.to_string(),
        url: format!("http://{address}"),
        token_file: path.display().to_string(),
        relying_party: asking.uscc().to_string(),
        chain: trust.chain_ref().to_string(),
    };
    let stop = Stop::on_signals()?;
    let every = Duration::from_millis(options.update.0);
    let nodes = context.nodes()?;
    let keeper = Keeper::start(context.home.clone(), nodes.clone(), every, stop.clone(), context.output.clone());
    let service = Service::new(context.home.clone(), nodes, asking, keeper);
    let door = Door::new(token, address, &options.hosts);
    context.output.data(&ready, || {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("url", &ready.url), ("token", &ready.token_file)];
        say("verify_serve.ready", args)
    })?;
    server.serve(service, door, &stop)?;
    context.output.talk(say("serve.ended", &[]));
    Ok(ExitCode::Ok)
}
