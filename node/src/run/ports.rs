//! Addresses that must be free before the parts start.
//!
//! libp2p sets `SO_REUSEPORT`, under which a second process of the same user binds the same port without an error and
//! gets some of the connections. A socket without it does not.

use std::net::{SocketAddr, TcpListener};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::error::RunError;

/// Refuses an address that is taken, or is none of this machine.
pub fn check_free(what: &'static str, address: &Multiaddr) -> Result<(), RunError> {
    let (mut ip, mut port) = (None, None);
    for part in address {
        match part {
            Protocol::Ip4(v4) => ip = Some(v4.into()),
            Protocol::Ip6(v6) => ip = Some(v6.into()),
            Protocol::Tcp(tcp) => port = Some(tcp),
            _ => {}
        }
    }
    let (Some(ip), Some(port)) = (ip, port) else { return Ok(()) };
    let address = SocketAddr::new(ip, port);
    TcpListener::bind(address).map(drop).map_err(|source| RunError::Listen { what, address, source })
}
