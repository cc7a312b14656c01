//! Security groups with their rules.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags};

pub(super) const KIND: Kind =
    Kind { name: "ec2:security-group", operation: "ec2:DescribeSecurityGroups", volatile: &[], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_security_groups()
            .max_results(1000)
            .set_filters(asked.filters("group-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.security_groups().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(group: &types::SecurityGroup) -> Draft {
    let mut draft = Draft::of(group.group_id(), group);
    draft.arn = Arn::given_or(group.security_group_arn(), "security-group", group.owner_id());
    draft.tags = ec2_tags(group.tags());
    // a group without a Name tag is known by its group name
    let named = draft.tags.iter().flatten().any(|(key, value)| key == "Name" && !value.is_empty());
    draft.name = group.group_name().filter(|_| !named).map(str::to_owned);
    draft.relate("vpc", "ec2:vpc", group.vpc_id());
    let rules = group.ip_permissions().iter().chain(group.ip_permissions_egress());
    let pairs = rules.flat_map(|rule| rule.user_id_group_pairs());
    let own = pairs.filter(|pair| pair.user_id().is_none() || pair.user_id() == group.owner_id());
    let others = own.map(|pair| pair.group_id()).filter(|id| *id != group.group_id());
    draft.relate_all("refers_to", "ec2:security-group", others);
    draft
}
