//! One request to one answer, in the EC2 and RDS query protocols.

use bytes::{Bytes, BytesMut};

use super::items::{self, Counts, Sort};

/// The items of an estate, rendered.
#[derive(Debug)]
pub(super) struct Estate {
    counts: Counts,
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Table {
    sort: Sort,
    items: Vec<Item>,
    /// Where the next mutation begins, so that repeated ones reach different items.
    cursor: usize,
}

#[derive(Debug)]
struct Item {
    revision: u32,
    xml: Bytes,
}

/// A status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// The parameters of a request. Values are left percent-encoded: those read here are plain.
#[derive(Debug)]
pub(super) struct Request<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Request<'a> {
    pub(super) fn parse(form: &'a str) -> Self {
        Self(form.split('&').filter_map(|pair| pair.split_once('=')).collect())
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub(super) fn action(&self) -> &'a str {
        self.get("Action").unwrap_or_default()
    }

    fn narrowed(&self) -> bool {
        self.0.iter().any(|(key, _)| {
            key.starts_with("Filter") || key.contains("Id.") || key.contains("Ids.") || key.ends_with("Identifier")
        })
    }
}

/// How an action's list is written.
struct Listing {
    action: &'static str,
    list: &'static str,
    sort: Option<Sort>,
}

const fn listing(action: &'static str, list: &'static str, sort: Option<Sort>) -> Listing {
    Listing { action, list, sort }
}

const EC2: [Listing; 10] = [
    listing("DescribeInstances", "reservationSet", Some(Sort::Instance)),
    listing("DescribeVolumes", "volumeSet", Some(Sort::Volume)),
    listing("DescribeSecurityGroups", "securityGroupInfo", Some(Sort::SecurityGroup)),
    listing("DescribeSnapshots", "snapshotSet", None),
    listing("DescribeImages", "imagesSet", None),
    listing("DescribeVpcs", "vpcSet", None),
    listing("DescribeSubnets", "subnetSet", None),
    listing("DescribeNetworkInterfaces", "networkInterfaceSet", None),
    listing("DescribeAddresses", "addressesSet", None),
    listing("DescribeNatGateways", "natGatewaySet", None),
];

const RDS: [Listing; 4] = [
    listing("DescribeDBInstances", "DBInstances", Some(Sort::DbInstance)),
    listing("DescribeDBClusters", "DBClusters", Some(Sort::DbCluster)),
    listing("DescribeDBSnapshots", "DBSnapshots", None),
    listing("DescribeDBClusterSnapshots", "DBClusterSnapshots", None),
];

/// The largest pages of the two APIs; the smaller one is also the default of RDS.
const EC2_PAGE: usize = 1000;
const RDS_PAGE: usize = 100;

impl Estate {
    pub(super) fn new(counts: Counts) -> Self {
        let sorts = [Sort::Instance, Sort::Volume, Sort::SecurityGroup, Sort::DbInstance, Sort::DbCluster];
        let tables = sorts.map(|sort| Table {
            sort,
            items: (0..counts.of(sort))
                .map(|number| Item { revision: 0, xml: items::render(sort, number, 0, &counts) })
                .collect(),
            cursor: 0,
        });
        Self { counts, tables: tables.into() }
    }

    /// Changes this share of every sort, in percent, at least one item of each; says how many.
    pub(super) fn mutate(&mut self, percent: f64) -> usize {
        let mut changed = 0;
        for table in &mut self.tables {
            let count = table.items.len();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a count"
            )]
            let share = ((count as f64 * percent / 100.0).ceil() as usize).min(count);
            for _ in 0..share {
                let number = table.cursor % count;
                let item = &mut table.items[number];
                item.revision += 1;
                item.xml = items::render(table.sort, number, item.revision, &self.counts);
                table.cursor += 1;
            }
            changed += share;
        }
        changed
    }

    pub(super) fn answer(&self, request: &Request) -> Answer {
        let action = request.action();
        match action {
            "GetCallerIdentity" => ok(include_str!("answers/caller-identity.xml")),
            "DescribeRegions" => ok(include_str!("answers/regions.xml")),
            _ => {
                let ec2 = EC2.iter().find(|listing| listing.action == action);
                let rds = RDS.iter().find(|listing| listing.action == action);
                match (ec2, rds) {
                    (Some(listing), _) => self.ec2(listing, request),
                    (None, Some(listing)) => self.rds(listing, request),
                    (None, None) => error(action, 400, "InvalidAction", "not an action of the stand-in"),
                }
            }
        }
    }

    fn ec2(&self, listing: &Listing, request: &Request) -> Answer {
        let Listing { action, list, .. } = listing;
        let size = request.get("MaxResults").and_then(|text| text.parse().ok());
        let page = match self.page(listing, request, "NextToken", size.map(|n: usize| n.min(EC2_PAGE))) {
            Ok(page) => page,
            Err(answer) => return answer,
        };
        let head = format!(
            "{XML}<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId><{list}>"
        );
        let next = page.next.map(|next| format!("<nextToken>{next}</nextToken>")).unwrap_or_default();
        page.join(&head, &format!("</{list}>{next}</{action}Response>"))
    }

    fn rds(&self, listing: &Listing, request: &Request) -> Answer {
        let Listing { action, list, .. } = listing;
        let size = request.get("MaxRecords").and_then(|text| text.parse().ok()).unwrap_or(RDS_PAGE);
        let page = match self.page(listing, request, "Marker", Some(size.min(RDS_PAGE))) {
            Ok(page) => page,
            Err(answer) => return answer,
        };
        let head = format!(
            "{XML}<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result><{list}>"
        );
        let next = page.next.map(|next| format!("<Marker>{next}</Marker>")).unwrap_or_default();
        page.join(
            &head,
            &format!(
                "</{list}>{next}</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
            ),
        )
    }

    fn page(&self, listing: &Listing, request: &Request, token: &str, size: Option<usize>) -> Result<Page<'_>, Answer> {
        let action = listing.action;
        let table = self.tables.iter().find(|table| Some(table.sort) == listing.sort);
        let items = table.map_or(&[][..], |table| &table.items);
        // an empty list stays empty however it is narrowed
        if !items.is_empty() && request.narrowed() {
            return Err(error(action, 400, "InvalidParameterValue", "the stand-in knows neither ids nor filters"));
        }
        let bad_token = || error(action, 400, "InvalidParameterValue", "not a token of the stand-in");
        let from = match request.get(token).filter(|text| !text.is_empty()) {
            Some(text) => text.parse().ok().filter(|from| *from < items.len()).ok_or_else(bad_token)?,
            None => 0,
        };
        let to = size.map_or(items.len(), |size| (from + size.max(1)).min(items.len()));
        Ok(Page { items: &items[from..to], next: (to < items.len()).then_some(to) })
    }
}

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

struct Page<'a> {
    items: &'a [Item],
    next: Option<usize>,
}

impl Page<'_> {
    fn join(&self, head: &str, tail: &str) -> Answer {
        let length = self.items.iter().map(|item| item.xml.len()).sum::<usize>() + head.len() + tail.len();
        let mut body = BytesMut::with_capacity(length);
        body.extend_from_slice(head.as_bytes());
        for item in self.items {
            body.extend_from_slice(&item.xml);
        }
        body.extend_from_slice(tail.as_bytes());
        Answer { status: 200, body: body.freeze() }
    }
}

fn ok(body: &'static str) -> Answer {
    Answer { status: 200, body: Bytes::from_static(body.as_bytes()) }
}

/// The answer to one request too many.
pub(super) fn throttled(action: &str) -> Answer {
    // RDS has another word for it, and another status
    match is_rds(action) {
        true => error(action, 400, "Throttling", "Rate exceeded"),
        false => error(action, 503, "RequestLimitExceeded", "Request limit exceeded."),
    }
}

/// The answer when the API fails.
pub(super) fn failed(action: &str) -> Answer {
    match is_rds(action) {
        true => error(action, 500, "InternalFailure", "An internal error has occurred"),
        false => error(action, 500, "InternalError", "An internal error has occurred"),
    }
}

fn is_rds(action: &str) -> bool {
    RDS.iter().any(|listing| listing.action == action)
}

fn error(action: &str, status: u16, code: &str, message: &str) -> Answer {
    let body = match is_rds(action) {
        true => format!(
            "{XML}<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>{}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>",
            if status < 500 { "Sender" } else { "Receiver" }
        ),
        false => format!(
            "{XML}<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>1</RequestID></Response>"
        ),
    };
    Answer { status, body: Bytes::from(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(estate: &Estate, form: &str) -> (u16, String) {
        let answer = estate.answer(&Request::parse(form));
        (answer.status, String::from_utf8(answer.body.to_vec()).expect("UTF-8"))
    }

    fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
        text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map(|(inner, _)| inner)
    }

    #[test]
    fn pages_lead_through_every_item_once() {
        let estate = Estate::new(Counts::around(250));
        for (first, token, item, pages, total) in [
            ("Action=DescribeInstances&MaxResults=100", "NextToken", "<reservationId>", 3, 250),
            ("Action=DescribeInstances", "NextToken", "<reservationId>", 1, 250),
            ("Action=DescribeDBInstances&MaxRecords=20", "Marker", "<DBInstance>", 1, 12),
            ("Action=DescribeVolumes&MaxResults=5", "NextToken", "<volumeType>", 50, 250),
            ("Action=DescribeVpcs&MaxResults=5", "NextToken", "<item>", 1, 0),
        ] {
            let (mut form, mut seen, mut asked) = (first.to_owned(), 0, 0);
            loop {
                let (status, body) = text(&estate, &form);
                assert_eq!(status, 200, "{form}");
                asked += 1;
                seen += body.matches(item).count();
                let next = between(&body, "<nextToken>", "<").or_else(|| between(&body, "<Marker>", "<"));
                let Some(next) = next else { break };
                form = format!("{first}&{token}={next}");
            }
            assert_eq!((asked, seen), (pages, total), "{first}");
        }
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        let estate = Estate::new(Counts::around(5));
        for (form, code) in [
            ("Action=RunInstances", "InvalidAction"),
            ("Action=DescribeInstances&InstanceId.1=i-1", "InvalidParameterValue"),
            ("Action=DescribeVolumes&Filter.1.Name=status", "InvalidParameterValue"),
            ("Action=DescribeVolumes&NextToken=99", "InvalidParameterValue"),
        ] {
            let (status, body) = text(&estate, form);
            assert_eq!((status, between(&body, "<Code>", "<")), (400, Some(code)), "{form}");
        }
        assert_eq!(text(&estate, "Action=DescribeSnapshots&Owner.1=self").0, 200);
    }

    #[test]
    fn mutations_move_on() {
        let mut estate = Estate::new(Counts::around(200));
        let list = |estate: &Estate| text(estate, "Action=DescribeVolumes").1;
        let (first, changed) = (list(&estate), estate.mutate(1.0));
        let second = list(&estate);
        estate.mutate(1.0);
        let third = list(&estate);
        // 2 instances, 2 volumes, 1 group, 1 database, 1 cluster
        assert_eq!(changed, 7);
        assert!(first != second && second != third);
        assert!(second.contains("<value>team-17</value>"), "volume 0 in revision 1");
    }
}
