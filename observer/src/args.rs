//! The observer's own flags.

use std::num::NonZeroU16;

use clap::Args;
use elava_schemas::config::{Config, Duration};

use crate::aws::{KINDS, Kind};

/// What to list, where and how often. Flags win over the configuration.
#[derive(Args, Clone, Debug)]
pub struct ObserverArgs {
    /// Scan everything once and exit; exit code 1 unless every scan was complete
    #[arg(long, env = "ELAVA_ONCE")]
    pub once: bool,

    /// Say which account and regions would be watched, and exit
    #[arg(long)]
    pub whoami: bool,

    /// Time between two scans of the same scope, such as 5m [default: as `scanning` in the configuration says, 15m]
    #[arg(long, env = "ELAVA_INTERVAL", value_name = "DURATION", conflicts_with = "once")]
    pub interval: Option<Duration>,

    /// Resource types to list, such as ec2:instance,rds:db, or a service for all its types [default: all]
    #[arg(long, env = "ELAVA_TYPES", value_name = "TYPES", value_delimiter = ',')]
    pub types: Vec<String>,

    /// Regions to list, or `all` [default: the configuration's, else the AWS profile's]
    #[arg(long, env = "ELAVA_REGIONS", value_name = "REGIONS", value_delimiter = ',')]
    pub regions: Vec<String>,

    /// Where the AWS APIs are, for an emulator [default: AWS]
    #[arg(long, env = "ELAVA_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,

    /// Scans at once in each account and region
    #[arg(long, env = "ELAVA_CONCURRENCY", value_name = "N", default_value = "8")]
    pub concurrency: NonZeroU16,

    /// Time after which a scan ends as partial
    #[arg(long, env = "ELAVA_SCAN_TIMEOUT", value_name = "DURATION", default_value = "5m")]
    pub scan_timeout: Duration,
}

/// A type nobody can list.
#[derive(Debug, thiserror::Error)]
#[error("unknown resource type `{0}`; known: {known}", known = known())]
pub struct UnknownType(String);

impl ObserverArgs {
    /// The types to list: flags, else configuration, else all.
    ///
    /// # Errors
    /// When one of them is unknown.
    pub fn kinds(&self, config: &Config) -> Result<Vec<&'static Kind>, UnknownType> {
        let wanted = if self.types.is_empty() { &config.scanning.types } else { &self.types };
        let matches = |wanted: &String, kind: &Kind| wanted == kind.name || wanted == kind.service();
        if let Some(unknown) = wanted.iter().find(|wanted| !KINDS.iter().any(|kind| matches(wanted, kind))) {
            return Err(UnknownType(unknown.clone()));
        }
        let chosen = |kind: &&Kind| wanted.is_empty() || wanted.iter().any(|wanted| matches(wanted, kind));
        Ok(KINDS.iter().filter(chosen).collect())
    }

    /// The regions to list: flags, else configuration; empty for the profile's.
    #[must_use]
    pub fn regions(&self, config: &Config) -> Vec<String> {
        if self.regions.is_empty() { config.all_regions() } else { self.regions.clone() }
    }
}

fn known() -> String {
    KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ObserverArgs,
    }

    #[test]
    fn chooses_types() {
        for (types, expected) in [
            (&["ec2:instance"][..], Ok(1)),
            (&["rds"], Ok(3)),
            (&["rds", "rds:db", "ec2:vpc"], Ok(4)),
            (&[], Ok(KINDS.len())),
            (&["ec2:vpc", "ec2:nonsense"], Err("ec2:nonsense")),
        ] {
            let mut args = Line::parse_from(["x"]).args;
            args.types = types.iter().map(|kind| (*kind).to_owned()).collect();
            let kinds = args.kinds(&Config::default());
            assert_eq!(kinds.as_ref().map(Vec::len).map_err(|unknown| unknown.0.as_str()), expected, "{types:?}");
        }
    }
}
