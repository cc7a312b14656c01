//! Subnets.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags};

/// The count of free addresses follows every launch and every load balancer.
pub(super) const KIND: Kind =
    Kind { name: "ec2:subnet", operation: "ec2:DescribeSubnets", volatile: &["AvailableIpAddressCount"], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_subnets()
            .max_results(1000)
            .set_filters(asked.filters("subnet-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.subnets().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(subnet: &types::Subnet) -> Draft {
    let mut draft = Draft::of(subnet.subnet_id(), subnet);
    draft.arn = Arn::given_or(subnet.subnet_arn(), "subnet", subnet.owner_id());
    draft.status = subnet.state().map(|state| state.as_str().to_owned());
    draft.tags = ec2_tags(subnet.tags());
    draft.relate("vpc", "ec2:vpc", subnet.vpc_id());
    draft
}
