//! Power cuts: what was never synced is gone. Nothing that was reported is among it, and the nodes go on.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use kanhe_tests::audit;
use kanhe_tests::dice::Dice;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;
use kanhe_tests::power::Shim;

const READY: Duration = Duration::from_secs(60);
const CUTS: u64 = 12;
const HEARTBEAT_MS: u64 = 2_000;

/// Control: what is known to be unsynced is lost, and nothing else.
#[test]
fn a_cut_takes_what_was_not_synced() {
    let shim = Shim::build();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("before"), "before").unwrap();
    let script = "
        dd if=/dev/zero of=kept bs=100 count=1 conv=fsync
        mkdir folder
        sync .
        echo more >>kept
        echo more >>before
        dd if=/dev/zero of=nameless bs=100 count=1 conv=fsync
        echo x >unsynced
        echo x >folder/unsynced
        mv kept moved
        dd if=/dev/zero of=late bs=100 count=1 conv=fsync
        mv late later
        mv unsynced away
        sync .
        echo x >lost
        mv later latest";
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(&root);
    shim.record(&mut command, &root);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(fs::read(root.join("lost")).unwrap(), b"x\n");
    let lost = shim.cut(&root);
    let length = |name: &str| fs::metadata(root.join(name)).map(|metadata| metadata.len()).ok();
    assert_eq!(length("lost"), None, "{lost:?}");
    assert_eq!(length("folder/unsynced"), None);
    assert_eq!(length("folder"), fs::metadata(root.join("folder")).ok().map(|metadata| metadata.len()));
    assert_eq!((length("kept"), length("moved")), (None, Some(100)));
    assert_eq!(length("before"), Some(6));
    assert_eq!(length("nameless"), Some(100));
    assert_eq!((length("unsynced"), length("away")), (None, Some(0)));
    assert_eq!((length("later"), length("latest")), (Some(100), None), "{lost:?}");
}

#[test]
fn nothing_reported_is_lost_when_all_nodes_lose_what_they_never_synced() {
    let mut dice = Dice::of_test("crash", 23);
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    let shim = Rc::new(Shim::build());
    network.record_syncs(Rc::clone(&shim));
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, dice.below(u64::MAX), Duration::from_millis(8));
    let (mut names, mut bytes) = (0, 0);
    for cut in 1..=CUTS {
        // Every other one soon after the start, where files are made.
        let longest = if cut % 2 == 0 { 600 } else { 2_500 };
        std::thread::sleep(Duration::from_millis(dice.below(longest)));
        // Mostly all at once: then nobody can help the others out.
        let victims = if cut % 5 == 0 { vec![dice.place(4)] } else { vec![0, 1, 2, 3] };
        network.kill(&victims);
        for node in &victims {
            let lost = shim.cut(network.home(*node));
            names += lost.names.len() + lost.renamed.len();
            bytes += lost.bytes.values().sum::<u64>();
        }
        network.start_all();
        if cut % 2 == 0 {
            network.wait_blocks(3, READY);
        }
    }
    network.wait_blocks(5, READY);
    let reported = load.stop();
    network.stop_all();
    let lowest = audit::check(&network, &reported);
    println!("{CUTS} cuts took {names} names and {bytes} bytes; {lowest} blocks, {} reported", reported.len());
    // The database's own LOG is never synced: a cut that takes nothing did not cut.
    assert!(bytes > 0, "the cuts took nothing");
    assert!(reported.len() > 100, "too little load: {}", reported.len());
}
