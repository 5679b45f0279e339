//! Free ports of the loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::founding::keys::random;

/// Below the range from which systems take the ports of outgoing connections, so that none of those gets in the way
/// between the choice and the start.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// So many ports that are free now.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let span = LAST - FIRST + 1;
    let start = u16::from_be_bytes(random()?) % span;
    let mut ports = Vec::with_capacity(count);
    for step in 0..span {
        if ports.len() == count {
            break;
        }
        let port = FIRST + (start + step) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            ports.push(port);
        }
    }
    if ports.len() == count { Ok(ports) } else { Err(io::Error::other("not enough free ports on 127.0.0.1")) }
}
