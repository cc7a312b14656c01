//! The chaos suite, in short: every kind of fault, and what follows is what follows without.

use std::process::Command;

use elava_e2e::{binary, checkout};

/// The same each time: `make chaos` draws another.
const SEED: &str = "8";

#[test]
fn faults_of_every_kind_change_nothing() {
    let extent = ["--resources", "2000", "--page-rows", "20", "--faults", "26", "--long-freezes", "0"];
    let mut chaos = Command::new(binary("elava-chaos"));
    let output = chaos.current_dir(checkout()).args(["--seed", SEED]).args(extent).output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
}
