//! Machine images that the account owns, deprecated and disabled ones too: those are not gone.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags};

/// `LastLaunchedTime` follows every launch, up to a day late.
pub(super) const KIND: Kind =
    Kind { name: "ec2:image", operation: "ec2:DescribeImages", volatile: &["LastLaunchedTime"], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let call = clients.ec2.describe_images().owners("self").include_deprecated(true).include_disabled(true);
        let page =
            call.max_results(1000).set_filters(asked.filters("image-id")).set_next_token(asked.token).send().await?;
        Ok(Page::new(page.images().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(image: &types::Image) -> Draft {
    let mut draft = Draft::of(image.image_id(), image);
    draft.arn = Arn::given_or(None, "image", Some(""));
    draft.name = image.name().map(str::to_owned);
    draft.status = image.state().map(|state| state.as_str().to_owned());
    draft.tags = ec2_tags(image.tags());
    // the one instant of EC2 that the model gives as text
    draft.created_at = image.creation_date().and_then(|date| date.parse().ok());
    let devices = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs());
    draft.relate_all("snapshot", "ec2:snapshot", devices.map(|ebs| ebs.snapshot_id()));
    draft.relate("source", "ec2:image", image.source_image_id());
    draft.relate("source", "ec2:instance", image.source_instance_id());
    draft
}
