//! The client of Kanhe: wallet, verifier, issuer and operator. It speaks HTTP to nodes and never links one.

rust_i18n::i18n!("locales", fallback = "en");

pub mod account;
pub mod audit;
pub mod case;
pub mod cli;
pub mod clock;
pub mod desk;
pub mod follow;
pub mod given;
pub mod governance;
pub mod home;
pub mod issuer;
pub mod item;
pub mod node;
pub mod parallel;
pub mod roots;
pub mod rules;
pub mod sample;
pub mod service;
pub mod sheet;
pub mod stop;
pub mod talk;
pub mod vault;
pub mod verifier;
pub mod wallet;
