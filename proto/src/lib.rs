//! The protocol of Kanhe: its types, their one encoding, its Merkle structures and every rule of verification.
//!
//! Pure: no clock, socket, file, random source, environment or async runtime; time and randomness are arguments.
//! A node and a verifier run the same function on the same bytes.

pub mod bounded;
pub mod codec;
pub mod hash;
pub mod identifiers;
pub mod ids;
pub mod merkle;
pub mod sd_jwt;
pub mod tags;
pub mod text;
pub mod block;
pub mod certificate;
pub mod header;
pub mod key;
pub mod limits;
pub mod validators;
pub mod vote;
pub mod genesis;
pub mod map_value;
pub mod record;
pub mod registry;
pub mod status;
pub mod transaction;
pub mod evidence;
pub mod hand_over;
pub mod proof;
pub mod trust;
pub mod key_file;
pub mod possession;
pub mod seal;
pub mod api;
pub mod request;
pub mod response;
pub mod verdict;
pub mod application;
pub mod exchange;
pub mod mail;
pub mod pickup;
