//! Amazon Web Services: one file a resource type, and the code that all types share.

mod client;
mod generated;
mod json;
mod kind;
mod limiter;
mod look;
mod normal;
mod retry;
mod scan;
mod whole;

mod ec2_elastic_ip;
mod ec2_image;
mod ec2_instance;
mod ec2_natgateway;
mod ec2_network_interface;
mod ec2_security_group;
mod ec2_snapshot;
mod ec2_subnet;
mod ec2_volume;
mod ec2_vpc;
mod rds_cluster;
mod rds_db;
mod rds_snapshot;

pub use client::{Clients, Place, Session, SetupError};
pub use kind::Kind;
pub use limiter::Limiter;
pub use look::look;
pub use retry::{CallError, Class, back_off};
pub use scan::{Outlet, scan};

/// The resource type of that name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Every resource type there is.
pub static KINDS: &[Kind] = &[
    ec2_elastic_ip::KIND,
    ec2_image::KIND,
    ec2_instance::KIND,
    ec2_natgateway::KIND,
    ec2_network_interface::KIND,
    ec2_security_group::KIND,
    ec2_snapshot::KIND,
    ec2_subnet::KIND,
    ec2_volume::KIND,
    ec2_vpc::KIND,
    rds_cluster::KIND,
    rds_db::KIND,
    rds_snapshot::KIND,
];
