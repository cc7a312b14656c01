//! Snapshots of database instances: manual and automated, owned by the account.

use aws_sdk_rds::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, rds_tags, time};

pub(super) const KIND: Kind =
    Kind { name: "rds:snapshot", operation: "rds:DescribeDBSnapshots", volatile: &["PercentProgress"], list };

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .rds
            .describe_db_snapshots()
            .max_records(100)
            .set_db_snapshot_identifier(asked.id)
            .set_marker(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.db_snapshots().iter().map(draft), page.marker()))
    }
    .boxed()
}

fn draft(snapshot: &types::DbSnapshot) -> Draft {
    let mut draft = Draft::of(snapshot.db_snapshot_identifier(), snapshot);
    draft.name = draft.id.clone();
    draft.arn = snapshot.db_snapshot_arn().map_or(Arn::Unknown, |arn| Arn::Given(arn.to_owned()));
    draft.status = snapshot.status().map(str::to_owned);
    draft.tags = rds_tags(snapshot.tag_list());
    draft.created_at = time(snapshot.original_snapshot_create_time().or(snapshot.snapshot_create_time()));
    draft.relate("source", "rds:db", snapshot.db_instance_identifier());
    draft.relate("vpc", "ec2:vpc", snapshot.vpc_id());
    draft
}
