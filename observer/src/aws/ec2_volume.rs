//! EBS volumes.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags, time};

pub(super) const KIND: Kind = Kind { name: "ec2:volume", operation: "ec2:DescribeVolumes", volatile: &[], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .ec2
            .describe_volumes()
            .max_results(1000)
            .set_filters(asked.filters("volume-id"))
            .set_next_token(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.volumes().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(volume: &types::Volume) -> Draft {
    let mut draft = Draft::of(volume.volume_id(), volume);
    draft.arn = Arn::given_or(volume.volume_arn(), "volume", volume.owner_id());
    draft.status = volume.state().map(|state| state.as_str().to_owned());
    draft.tags = ec2_tags(volume.tags());
    draft.created_at = time(volume.create_time());
    let instances = volume.attachments().iter().map(|attachment| attachment.instance_id());
    draft.relate_all("attached_to", "ec2:instance", instances);
    draft.relate("source", "ec2:snapshot", volume.snapshot_id());
    draft.relate("source", "ec2:volume", volume.source_volume_id());
    draft
}
