//! The committed mapping covers every field of the SDK that is linked, and what it does not is listed.

use std::path::PathBuf;
use std::process::Command;

use expect_test::expect_file;

use crate::generate::mapping;

const EC2: [&str; 11] = [
    "Address",
    "Image",
    "Instance",
    "NatGateway",
    "NetworkInterface",
    "Reservation",
    "SecurityGroup",
    "Snapshot",
    "Subnet",
    "Volume",
    "Vpc",
];
const RDS: [&str; 3] = ["DbCluster", "DbInstance", "DbSnapshot"];

/// `UPDATE_EXPECT=1` writes what it expects.
#[test]
fn generated_mapping_is_complete() {
    let ec2 =
        mapping(&source_of("aws-sdk-ec2"), "ec2", &EC2, &[("Reservation.instances", "each is a resource of its own")]);
    let rds = mapping(&source_of("aws-sdk-rds"), "rds", &RDS, &[]);
    let unmapped: String = ec2.unmapped.iter().chain(&rds.unmapped).map(|line| format!("{line}\n")).collect();
    expect_file!["../../unmapped.txt"].assert_eq(&unmapped);
    expect_file!["../../src/aws/generated/ec2.rs"].assert_eq(&ec2.rust);
    expect_file!["../../src/aws/generated/rds.rs"].assert_eq(&rds.rust);
}

/// Where cargo keeps the source of a dependency.
fn source_of(name: &str) -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // of this platform only: cargo has not fetched what others need
    let version = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())).arg("-vV").output();
    let version = String::from_utf8(version.expect("rustc").stdout).expect("rustc writes UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name).expect(name);
    let manifest = PathBuf::from(package["manifest_path"].as_str().expect("a path"));
    manifest.parent().expect("a folder").to_owned()
}
