//! Machines in one: network namespaces (`ip netns`), each with a cable to a switch that can be pulled, and with a line to
//! the test that no partition cuts. Only inside [`crate::apart`], where they go by themselves.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Command;

use crate::apart::succeed;

/// Switches; cables in different ones do not reach each other.
const SWITCHES: usize = 2;

/// Where the cable of a machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// In this switch.
    Switch(usize),
    /// Nowhere: the machine sees that there is no carrier.
    Out,
}

/// So many machines, all in the first switch.
#[derive(Debug)]
pub struct Machines {
    count: usize,
}

fn number(machine: usize) -> u8 {
    u8::try_from(machine + 1).unwrap()
}

fn ip(arguments: &str) {
    succeed("ip", &arguments.split(' ').collect::<Vec<_>>());
}

impl Machines {
    /// Makes them.
    pub fn new(count: usize) -> Self {
        // `ip netns` keeps its names below /run, which may not be ours.
        succeed("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
        ip("link set lo up");
        for switch in 0..SWITCHES {
            ip(&format!("link add switch{switch} type bridge"));
            ip(&format!("link set switch{switch} up"));
        }
        let machines = Self { count };
        (0..count).for_each(|machine| machines.add(machine));
        machines
    }

    fn add(&self, machine: usize) {
        ip(&format!("netns add machine{machine}"));
        ip(&format!("-n machine{machine} link set lo up"));
        let (host, line) = (self.host(machine), self.line(machine));
        for (outer, inner, address) in [("cable", "net", host), ("line", "test", line)] {
            ip(&format!("link add {outer}{machine} type veth peer name {inner} netns machine{machine}"));
            ip(&format!("-n machine{machine} addr add {address}/24 dev {inner}"));
            ip(&format!("-n machine{machine} link set {inner} up"));
        }
        ip(&format!("addr add {}/24 dev line{machine}", Ipv4Addr::new(10, 78, number(machine), 254)));
        ip(&format!("link set line{machine} up"));
        self.plug(machine, Plug::Switch(0));
    }

    /// How many.
    pub const fn count(&self) -> usize {
        self.count
    }
    /// The address that the other machines know.
    pub fn host(&self, machine: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, number(machine))
    }
    /// The address at which the test reaches it, whatever is cut.
    pub fn line(&self, machine: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 78, number(machine), 1)
    }
    /// All hosts, as `devnet init --hosts` takes them.
    pub fn hosts(&self) -> String {
        (0..self.count).map(|machine| self.host(machine).to_string()).collect::<Vec<_>>().join(",")
    }
    /// Puts a machine's cable elsewhere.
    pub fn plug(&self, machine: usize, plug: Plug) {
        match plug {
            Plug::Switch(switch) => {
                ip(&format!("link set cable{machine} master switch{switch}"));
                ip(&format!("link set cable{machine} up"));
            }
            Plug::Out => ip(&format!("link set cable{machine} down")),
        }
    }
    /// A program on a machine, in the process that is started.
    pub fn command(&self, machine: usize, program: impl AsRef<OsStr>) -> Command {
        assert!(machine < self.count);
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/machine{machine}")).arg("--").arg(program);
        command
    }
}
