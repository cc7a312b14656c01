//! Elastic IP addresses.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags};

pub(super) const KIND: Kind = Kind { name: "ec2:elastic-ip", operation: "ec2:DescribeAddresses", volatile: &[], list };

/// The one listing without pages.
fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients.ec2.describe_addresses().set_filters(asked.filters("allocation-id")).send().await?;
        Ok(Page::new(page.addresses().iter().map(draft), None))
    }
    .boxed()
}

fn draft(address: &types::Address) -> Draft {
    // addresses of EC2-Classic have no allocation
    let mut draft = Draft::of(address.allocation_id().or(address.public_ip()), address);
    draft.arn = Arn::given_or(None, "elastic-ip", None);
    draft.tags = ec2_tags(address.tags());
    draft.relate("attached_to", "ec2:instance", address.instance_id());
    draft.relate("attached_to", "ec2:network-interface", address.network_interface_id());
    draft
}
