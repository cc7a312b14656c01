//! Network interfaces.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags};

pub(super) const KIND: Kind =
    Kind { name: "ec2:network-interface", operation: "ec2:DescribeNetworkInterfaces", volatile: &[], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_network_interfaces()
            .max_results(1000)
            .set_filters(asked.filters("network-interface-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.network_interfaces().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(interface: &types::NetworkInterface) -> Draft {
    let mut draft = Draft::of(interface.network_interface_id(), interface);
    draft.arn = Arn::given_or(None, "network-interface", interface.owner_id());
    draft.status = interface.status().map(|status| status.as_str().to_owned());
    draft.tags = ec2_tags(interface.tag_set());
    draft.relate("attached_to", "ec2:instance", interface.attachment().and_then(|attachment| attachment.instance_id()));
    draft.relate("subnet", "ec2:subnet", interface.subnet_id());
    draft.relate("vpc", "ec2:vpc", interface.vpc_id());
    draft.relate_all("security_group", "ec2:security-group", interface.groups().iter().map(|group| group.group_id()));
    draft
}
