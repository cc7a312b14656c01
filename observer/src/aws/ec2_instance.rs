//! Instances. The API pages by reservation; a reservation's own members are kept as `Reservation`.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::json::put;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags, time};

pub(super) const KIND: Kind = Kind { name: "ec2:instance", operation: "ec2:DescribeInstances", volatile: &[], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_instances()
            .max_results(1000)
            .set_filters(asked.filters("instance-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        let drafts = page
            .reservations()
            .iter()
            .flat_map(|reservation| reservation.instances().iter().map(move |instance| draft(reservation, instance)));
        Ok(Page::new(drafts, page.next_token()))
    }
    .boxed()
}

fn draft(reservation: &types::Reservation, instance: &types::Instance) -> Draft {
    let mut draft = Draft::of(instance.instance_id(), instance);
    put(&mut draft.attributes, "Reservation", reservation);
    draft.arn = Arn::given_or(None, "instance", reservation.owner_id());
    draft.status = instance.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned());
    draft.tags = ec2_tags(instance.tags());
    // the launch time moves with every start; the first interface is attached once
    let attached = instance.network_interfaces().iter().filter_map(|interface| interface.attachment());
    let first = attached.filter_map(|attachment| time(attachment.attach_time())).min();
    draft.created_at = first.or_else(|| time(instance.launch_time()));
    draft.relate("image", "ec2:image", instance.image_id());
    draft.relate("subnet", "ec2:subnet", instance.subnet_id());
    draft.relate("vpc", "ec2:vpc", instance.vpc_id());
    draft.relate_all("security_group", "ec2:security-group", instance.security_groups().iter().map(|g| g.group_id()));
    let volumes = instance.block_device_mappings().iter().filter_map(|mapping| mapping.ebs());
    draft.relate_all("volume", "ec2:volume", volumes.map(|ebs| ebs.volume_id()));
    let interfaces = instance.network_interfaces().iter().map(|interface| interface.network_interface_id());
    draft.relate_all("network_interface", "ec2:network-interface", interfaces);
    draft
}
