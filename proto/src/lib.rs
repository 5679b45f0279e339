//! The protocol of Kanhe: its types, their one encoding, its Merkle structures and every rule of verification.
//!
//! Pure: no clock, socket, file, random source, environment or async runtime; time and randomness are arguments.
//! A node and a verifier run the same function on the same bytes.

pub mod account;
pub mod api;
pub mod application;
pub mod block;
pub mod bounded;
pub mod case;
pub mod case_file;
pub mod certificate;
pub mod codec;
pub mod consent;
pub mod diagnosis;
pub mod equivocation;
pub mod evidence;
pub mod exchange;
pub mod genesis;
pub mod governance;
pub mod hand_over;
pub mod hash;
pub mod header;
pub mod identifiers;
pub mod ids;
pub mod item;
pub mod key;
pub mod key_file;
pub mod limits;
pub mod log_range;
pub mod log_record;
pub mod mail;
pub mod map_value;
pub mod merkle;
pub mod pickup;
pub mod possession;
pub mod proof;
pub mod record;
pub mod registry;
pub mod request;
pub mod response;
pub mod sd_jwt;
pub mod seal;
pub mod snapshot;
pub mod status;
pub mod tags;
pub mod text;
pub mod transaction;
pub mod trust;
pub mod validator_file;
pub mod validators;
pub mod verdict;
pub mod vote;
