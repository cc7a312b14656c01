//! VPCs.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags};

pub(super) const KIND: Kind = Kind { name: "ec2:vpc", operation: "ec2:DescribeVpcs", volatile: &[], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_vpcs()
            .max_results(1000)
            .set_filters(asked.filters("vpc-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.vpcs().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(vpc: &types::Vpc) -> Draft {
    let mut draft = Draft::of(vpc.vpc_id(), vpc);
    draft.arn = Arn::given_or(None, "vpc", vpc.owner_id());
    draft.status = vpc.state().map(|state| state.as_str().to_owned());
    draft.tags = ec2_tags(vpc.tags());
    draft
}
