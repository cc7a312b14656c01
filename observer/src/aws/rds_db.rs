//! Database instances, also those of Neptune and DocumentDB, which the same API lists.

use aws_sdk_rds::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, rds_tags, time};

/// The restorable time moves every five minutes; progress is a state seen through its percents.
pub(super) const KIND: Kind = Kind {
    name: "rds:db",
    operation: "rds:DescribeDBInstances",
    volatile: &["LatestRestorableTime", "PercentProgress", "StorageOperationPercentProgress"],
    list,
};

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .rds
            .describe_db_instances()
            .max_records(100)
            .set_db_instance_identifier(asked.id)
            .set_marker(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.db_instances().iter().map(draft), page.marker()))
    }
    .boxed()
}

fn draft(db: &types::DbInstance) -> Draft {
    let mut draft = Draft::of(db.db_instance_identifier(), db);
    draft.name = draft.id.clone();
    draft.arn = db.db_instance_arn().map_or(Arn::Unknown, |arn| Arn::Given(arn.to_owned()));
    draft.status = db.db_instance_status().map(str::to_owned);
    draft.tags = rds_tags(db.tag_list());
    draft.created_at = time(db.instance_create_time());
    draft.relate("cluster", "rds:cluster", db.db_cluster_identifier());
    draft.relate("source", "rds:db", db.read_replica_source_db_instance_identifier());
    draft.relate("source", "rds:cluster", db.read_replica_source_db_cluster_identifier());
    let groups = db.vpc_security_groups().iter().map(|group| group.vpc_security_group_id());
    draft.relate_all("security_group", "ec2:security-group", groups);
    if let Some(subnets) = db.db_subnet_group() {
        draft.relate("vpc", "ec2:vpc", subnets.vpc_id());
        draft.relate_all("subnet", "ec2:subnet", subnets.subnets().iter().map(|subnet| subnet.subnet_identifier()));
    }
    draft
}
