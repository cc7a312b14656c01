//! Database clusters, also those of Neptune and DocumentDB, which the same API lists.

use aws_sdk_rds::types;
use futures::FutureExt;

use super::client::Clients;
use super::kind::{Arn, Asked, Draft, Kind, Listing, Page, rds_tags, time};

/// Restorable times move by themselves, and so does the capacity of a serverless cluster.
pub(super) const KIND: Kind = Kind {
    name: "rds:cluster",
    operation: "rds:DescribeDBClusters",
    volatile: &[
        "BacktrackConsumedChangeRecords",
        "Capacity",
        "EarliestBacktrackTime",
        "EarliestRestorableTime",
        "LatestRestorableTime",
        "PercentProgress",
        "StorageOperationPercentProgress",
    ],
    list,
};

fn list(clients: &Clients, asked: Asked) -> Listing<'_> {
    async move {
        let page = clients
            .rds
            .describe_db_clusters()
            .max_records(100)
            .set_db_cluster_identifier(asked.id)
            .set_marker(asked.token)
            .send()
            .await?;
        Ok(Page::new(page.db_clusters().iter().map(draft), page.marker()))
    }
    .boxed()
}

fn draft(cluster: &types::DbCluster) -> Draft {
    let mut draft = Draft::of(cluster.db_cluster_identifier(), cluster);
    draft.name = draft.id.clone();
    draft.arn = cluster.db_cluster_arn().map_or(Arn::Unknown, |arn| Arn::Given(arn.to_owned()));
    draft.status = cluster.status().map(str::to_owned);
    draft.tags = rds_tags(cluster.tag_list());
    draft.created_at = time(cluster.cluster_create_time());
    let members = cluster.db_cluster_members().iter().map(|member| member.db_instance_identifier());
    draft.relate_all("member", "rds:db", members);
    let groups = cluster.vpc_security_groups().iter().map(|group| group.vpc_security_group_id());
    draft.relate_all("security_group", "ec2:security-group", groups);
    draft
}
