//! NAT gateways. A deleted one stays listed for about an hour, as `deleted`.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags, time};

pub(super) const KIND: Kind =
    Kind { name: "ec2:natgateway", operation: "ec2:DescribeNatGateways", volatile: &[], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_nat_gateways()
            .max_results(1000)
            .set_filter(asked.filters("nat-gateway-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.nat_gateways().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(gateway: &types::NatGateway) -> Draft {
    let mut draft = Draft::of(gateway.nat_gateway_id(), gateway);
    draft.arn = Arn::given_or(None, "natgateway", None);
    draft.status = gateway.state().map(|state| state.as_str().to_owned());
    draft.tags = ec2_tags(gateway.tags());
    draft.created_at = time(gateway.create_time());
    draft.relate("subnet", "ec2:subnet", gateway.subnet_id());
    draft.relate("vpc", "ec2:vpc", gateway.vpc_id());
    let addresses = gateway.nat_gateway_addresses();
    draft.relate_all("elastic_ip", "ec2:elastic-ip", addresses.iter().map(|address| address.allocation_id()));
    let interfaces = addresses.iter().map(|address| address.network_interface_id());
    draft.relate_all("network_interface", "ec2:network-interface", interfaces);
    draft
}
