//! Estimated monthly costs from a small table of prices. What is not in the table has no estimate.

use std::path::{Path, PathBuf};

use elava_schemas::{Provider, Resource};
use hashbrown::HashMap;
use serde_json::Value;

const BUILT_IN: &str = include_str!("../prices/aws-us-east-1.csv");
const KINDS: [&str; 4] = ["instance", "rds_class", "volume", "rds_storage"];

/// Prices by kind and name.
#[derive(Clone, Debug)]
pub(crate) struct Prices {
    usd: HashMap<(&'static str, String), f64>,
    source: String,
}

/// Why a price table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The file is not there or not readable.
    #[error("cannot read the price table {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl Prices {
    /// The table in `path`, or the built-in one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, PriceError> {
        let Some(path) = path else {
            return Self::parse(Path::new("aws-us-east-1.csv"), BUILT_IN);
        };
        let text =
            std::fs::read_to_string(path).map_err(|source| PriceError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, PriceError> {
        let mut prices = Self { usd: HashMap::new(), source: path.display().to_string() };
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(source) = line.strip_prefix("# source:") {
                source.trim().clone_into(&mut prices.source);
            }
            if line.starts_with('#') || line.starts_with("kind,") || line.trim().is_empty() {
                continue;
            }
            prices.add(line).map_err(|reason| PriceError::Line { path: path.to_owned(), line: number, reason })?;
        }
        Ok(prices)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [kind, name, usd, ..] = fields[..] else {
            return Err("a line has the fields kind,name,usd,per".to_owned());
        };
        let kind = KINDS
            .into_iter()
            .find(|known| *known == kind)
            .ok_or_else(|| format!("unknown kind `{kind}`; allowed: {}", KINDS.join(", ")))?;
        let usd: f64 = usd.parse().map_err(|_| format!("`{usd}` is not a price in US dollars"))?;
        if !usd.is_finite() || usd < 0.0 {
            return Err(format!("`{usd}` is not a price in US dollars"));
        }
        self.usd.insert((kind, name.to_owned()), usd);
        Ok(())
    }

    fn usd(&self, kind: &'static str, name: &str) -> Option<f64> {
        self.usd.get(&(kind, name.to_owned())).copied()
    }

    /// Adds an estimate to a resource that came without one.
    pub(crate) fn estimate(&self, resource: &mut Resource) {
        if resource.monthly_cost_usd.is_none()
            && let Some(usd) = self.monthly(resource)
        {
            resource.monthly_cost_usd = Some((usd * 100.0).round() / 100.0);
            resource.monthly_cost_source = Some(self.source.clone());
        }
    }

    /// Attribute names are the AWS API's own.
    fn monthly(&self, resource: &Resource) -> Option<f64> {
        if resource.key.provider != Provider::Aws {
            return None;
        }
        let attribute = |name: &str| resource.attributes.get(name);
        let text = |name: &str| attribute(name).and_then(Value::as_str);
        let number = |name: &str| attribute(name).and_then(Value::as_f64);
        match resource.key.kind.as_str() {
            "ec2:instance" => {
                let price = self.usd("instance", text("InstanceType")?)?;
                let state = attribute("State").and_then(|state| state.get("Name")).and_then(Value::as_str);
                let runs = matches!(state.or(resource.status.as_deref()), Some("running" | "pending"));
                Some(if runs { price } else { 0.0 })
            }
            "ec2:volume" => Some(self.usd("volume", text("VolumeType")?)? * number("Size")?),
            "rds:db" => {
                let class = self.usd("rds_class", text("DBInstanceClass")?)?;
                let storage = self.usd("rds_storage", text("StorageType")?)? * number("AllocatedStorage")?;
                let copies = if attribute("MultiAZ") == Some(&Value::Bool(true)) { 2.0 } else { 1.0 };
                let status = text("DBInstanceStatus").or(resource.status.as_deref());
                let compute = if status == Some("stopped") { 0.0 } else { class };
                Some((compute + storage) * copies)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn estimates() {
        let prices = Prices::load(None).expect("the built-in table is right");
        for (kind, attributes, expected) in [
            ("ec2:instance", json!({"InstanceType": "t3.micro", "State": {"Name": "running"}}), Some(7.59)),
            ("ec2:instance", json!({"InstanceType": "t3.micro", "State": {"Name": "stopped"}}), Some(0.0)),
            ("ec2:instance", json!({"InstanceType": "q9.huge", "State": {"Name": "running"}}), None),
            ("ec2:volume", json!({"VolumeType": "gp3", "Size": 100}), Some(8.0)),
            ("ec2:volume", json!({"VolumeType": "gp3"}), None),
            (
                "rds:db",
                json!({"DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "StorageType": "gp2"}),
                Some(14.71),
            ),
            (
                "rds:db",
                json!({"DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "StorageType": "gp2", "MultiAZ": true}),
                Some(29.42),
            ),
            ("ec2:vpc", json!({}), None),
        ] {
            let mut resource = Resource::new(format!("aws/1/r/{kind}/x").parse().expect("a key"));
            resource.attributes = attributes.as_object().expect("an object").clone();
            prices.estimate(&mut resource);
            assert_eq!(resource.monthly_cost_usd, expected, "{kind} {attributes}");
            assert_eq!(resource.monthly_cost_source.is_some(), expected.is_some());
            resource.monthly_cost_usd = Some(1.0);
            prices.estimate(&mut resource);
            assert_eq!(resource.monthly_cost_usd, Some(1.0), "its own cost is kept");
        }
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, expected) in [
            ("instance,t3.micro", "p.csv:1: a line has the fields kind,name,usd,per"),
            ("# x\nboat,a,1", "p.csv:2: unknown kind `boat`; allowed: instance, rds_class, volume, rds_storage"),
            ("volume,gp3,cheap", "p.csv:1: `cheap` is not a price in US dollars"),
            ("volume,gp3,-1", "p.csv:1: `-1` is not a price in US dollars"),
        ] {
            let error = Prices::parse(Path::new("p.csv"), text).expect_err(text);
            assert_eq!(error.to_string(), expected);
        }
    }
}
