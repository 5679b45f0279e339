//! BFT consensus by the Malachite engine, behind this module alone.
//!
//! The engine (Tendermint) runs as actors of its own; [`app`] answers what it asks, through [`Application`], and
//! decides when a height starts. The rules that keep a validator safe are here: bodies are durable before the engine
//! hears of them, a height is answered for only after its durable commit, `Next::Restart` is never answered (it resets
//! the engine's log), and no signature passes the [`guard`].
//!
//! Failure: whatever would break a promise ends the run with a [`Fatal`], each with its exit code; the process must
//! then stop. The engine hangs on purpose when its log cannot be written: that is seen and ends the run as well.

pub mod app;
pub mod application;
pub mod codec;
pub mod context;
pub mod engine;
pub mod fatal;
pub mod guard;
pub mod journal;
pub mod observer;
pub mod pacing;
pub mod peers;
pub mod signer;
pub mod strangers;
pub mod streaming;
pub mod tips;
pub mod wal;
pub mod watch;

pub use application::{Application, ApplicationError, Candidate, Check, Decided, Equivocation, Origin, Slot, Tip};
pub use engine::{ConsensusConfig, Handle, StartError, Timing, ValidatorKey, start};
pub use fatal::Fatal;
pub use guard::Guard;
pub use observer::Observer;
pub use peers::Wanted;
