//! EBS snapshots that the account owns.

use aws_sdk_ec2::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, ec2_tags, time};

pub(super) const KIND: Kind =
    Kind { name: "ec2:snapshot", operation: "ec2:DescribeSnapshots", volatile: &["Progress"], list };

/// AWS names this volume where the real one is not known, as for a copy.
const NO_VOLUME: &str = "vol-ffffffff";

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let call = clients.ec2.describe_snapshots().owner_ids("self").max_results(1000);
        let page = call.set_filters(asked.filters("snapshot-id")).set_next_token(asked.token).send().await?;
        Ok(Page::new(page.snapshots().iter().map(draft), page.next_token()))
    }
    .boxed()
}

fn draft(snapshot: &types::Snapshot) -> Draft {
    let mut draft = Draft::of(snapshot.snapshot_id(), snapshot);
    draft.arn = Arn::given_or(None, "snapshot", Some(""));
    draft.status = snapshot.state().map(|state| state.as_str().to_owned());
    draft.tags = ec2_tags(snapshot.tags());
    draft.created_at = time(snapshot.start_time());
    draft.relate("source", "ec2:volume", snapshot.volume_id().filter(|volume| *volume != NO_VOLUME));
    draft
}
