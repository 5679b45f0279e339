//! The judges: what stopped nodes hold, compared with what they said while they ran.

use std::fs;
use std::path::Path;

use kanhe_node::consensus::guard::{self, SignedEntry};
use kanhe_node::run::home;
use kanhe_node::storage::Storage;
use kanhe_proto::ids::Height;

use crate::load::Reported;
use crate::network::{Network, run_node_program};

/// Everything that must hold of a network whose nodes were stopped. Gives the lowest tip.
pub fn check(network: &Network, reported: &[Reported]) -> u64 {
    check_of(network, &(0..network.size()).collect::<Vec<_>>(), reported)
}

/// The same of some nodes: others were never let in, or are members no more.
pub fn check_of(network: &Network, nodes: &[usize], reported: &[Reported]) -> u64 {
    let lowest = same_headers(network, nodes);
    all_committed(network, nodes, reported);
    for node in nodes.iter().copied() {
        fsck(network, node);
        for signed in signed_by_each(network.home(node)) {
            assert_eq!(guard::double_signs(&signed), [], "{}", network.bureau(node).name);
        }
    }
    lowest
}

fn storage(network: &Network, node: usize) -> Storage {
    Storage::open_read_only(&home::chain(network.home(node)), &network.genesis.chain_id()).unwrap()
}

/// These nodes hold the same header hashes up to the lowest tip, which is given.
pub fn same_headers(network: &Network, nodes: &[usize]) -> u64 {
    let stores: Vec<Storage> = nodes.iter().map(|node| storage(network, *node)).collect();
    let lowest = stores.iter().map(|store| store.read().tip().unwrap().0.0).min().unwrap();
    for height in 0..=lowest {
        let hashes: Vec<_> =
            stores.iter().map(|store| store.read().header(Height(height)).unwrap().unwrap().hash()).collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "height {height}: {hashes:?}");
    }
    lowest
}

/// Whatever any node reported as committed is on each of these nodes, in that block.
pub fn all_committed(network: &Network, nodes: &[usize], reported: &[Reported]) {
    for node in nodes.iter().copied() {
        let store = storage(network, node);
        for Reported { id, height } in reported {
            let found = store.read().transaction(id).unwrap().map(|(height, _)| height);
            assert_eq!(found, Some(*height), "{}: {id} was reported as committed", network.bureau(node).name);
        }
    }
}

/// `kanhe-node fsck` finds nothing.
pub fn fsck(network: &Network, node: usize) {
    let checked = run_node_program(&["fsck", "--home", network.home(node).to_str().unwrap()]);
    assert!(checked.status.success(), "{}: {checked:?}", network.bureau(node).name);
}

/// What each validator key of a home signed: the first, and those that took over.
pub fn signed_by_each(home: &Path) -> Vec<Vec<SignedEntry>> {
    let keys = fs::read_dir(home.join("keys")).unwrap().map(|entry| entry.unwrap().path());
    let beside = keys.filter(|path| path.extension().is_some_and(|kind| kind == "guard"));
    [home::guard(home)].into_iter().chain(beside).map(|path| guard::read(&path).unwrap()).collect()
}

/// What a validator signed, by its guard's file.
pub fn signed(home: &Path) -> Vec<SignedEntry> {
    guard::read(&home::guard(home)).unwrap()
}
