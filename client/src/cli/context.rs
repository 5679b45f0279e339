//! What every command works with.

use std::path::PathBuf;

use kanhe_proto::registry::Names;

use super::Global;
use crate::follow::Follower;
use crate::home::Home;
use crate::node::NodeClient;
use crate::roots::Roots;
use crate::talk::secret::Source;
use crate::talk::{ExitCode, Failure, Lang, Output, confirm};

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    /// Where words go.
    pub output: Output,
    /// The home.
    pub home: Home,
    /// Where a passphrase comes from.
    pub passphrase: Source,
    /// Whether every question is answered with yes.
    pub yes: bool,
    named: Vec<String>,
    node_ca: Option<PathBuf>,
}

impl Context {
    /// From the options that hold for every command.
    pub fn new(global: &Global, output: Output) -> Result<Self, Failure> {
        let path = match &global.home {
            Some(path) => path.clone(),
            None => Home::usual()?,
        };
        let passphrase = Source::of(global.passphrase_file.clone(), global.passphrase_fd)?;
        let named: Vec<String> = global.node.iter().filter(|url| !url.trim().is_empty()).cloned().collect();
        for url in &named {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Failure::of(ExitCode::Usage, "node_url", &[("url", url)]));
            }
        }
        Ok(Self { output, home: Home::new(path), passphrase, yes: global.yes, named, node_ca: global.node_ca.clone() })
    }

    /// Nodes that the user named now.
    pub fn named(&self) -> &[String] {
        &self.named
    }
    /// Nodes to ask: those named now, else those of the pin.
    pub fn nodes(&self) -> Result<Vec<NodeClient>, Failure> {
        let urls = if self.named.is_empty() { self.home.nodes()? } else { self.named.clone() };
        let secure = urls.iter().any(|url| url.trim().starts_with("https://"));
        let roots = if secure { Roots::load(self.node_ca.as_deref())? } else { Roots::default() };
        Ok(urls.iter().map(|url| NodeClient::with_roots(url, &roots)).collect())
    }
    /// The first node to ask.
    pub fn node(&self) -> Result<NodeClient, Failure> {
        let first = self.nodes()?.into_iter().next();
        first.ok_or_else(|| crate::node::NodeError::Unnamed.failure())
    }
    /// A light client on this home's trust.
    pub fn follower(&self) -> Result<Follower, Failure> {
        Follower::open(&self.home, self.nodes()?)
    }
    /// Asks whether to go on.
    pub fn confirm(&self, question: &str) -> Result<(), Failure> {
        confirm(&self.output, question, self.yes)
    }
}

/// A name in the language in use.
pub fn name(names: &Names) -> &str {
    match Lang::current() {
        Lang::Zh => &names.zh,
        Lang::En => &names.en,
    }
}
