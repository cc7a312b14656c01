//! Credentials, accounts and regions: where there is something to list, and the clients to do it with.
//!
//! The SDK's standard configuration (profiles, environment, SSO, IMDS, `AWS_ENDPOINT_URL`); its own
//! retries are off, because a listing resumes from its page token instead.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{ProvideCredentials, SharedCredentialsProvider};
use elava_schemas::config::ScanTarget;
use elava_schemas::{Provider, Scope};

use super::kind::Kind;
use super::limiter::Limiter;
use super::retry::{CallError, Class, back_off};
use super::whole::WholeAnswers;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Calls at start whose answer everything else waits for.
const START_ATTEMPTS: u32 = 5;
/// Where to ask what is not about a region, when no region is known.
const FIRST_REGION: &str = "us-east-1";
/// Instead of a list of regions: all that the account has enabled.
const ALL_REGIONS: &str = "all";

/// Why nothing can be listed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Neither flag, configuration nor profile names one.
    #[error("no region: use --regions, `region` in the configuration, or AWS_REGION")]
    NoRegion,
    /// The SDK found none.
    #[error("no AWS credentials (set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run `make demo`, which needs none)")]
    NoCredentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// STS did not tell whose credentials these are.
    #[error("cannot ask sts:GetCallerIdentity which account this is")]
    Identity(#[source] CallError),
    /// EC2 did not tell which regions there are.
    #[error("cannot list the regions with ec2:DescribeRegions")]
    Regions(#[source] CallError),
    /// The account is neither that of the credentials nor one with a role for writing.
    #[error("no role to write in account {0}: `write_role_arn` in `scanning.accounts` names none")]
    NoWriteRole(String),
    /// `scanning.accounts` holds something else.
    #[error("`{0}` in `scanning.accounts` is not the ARN of a role, arn:aws:iam::<account>:role/<name>")]
    RoleArn(String),
}

impl SetupError {
    /// Whether flags or configuration are to blame, rather than the cloud.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NoRegion | Self::NoCredentials(_)) || !self.may_pass()
    }

    /// Whether it may be gone when asked again: credentials and profiles come, too.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::RoleArn(_) | Self::NoWriteRole(_))
    }
}

/// The clients of one account and region.
#[derive(Debug)]
pub struct Clients {
    /// For EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// For RDS.
    pub rds: aws_sdk_rds::Client,
}

/// One account and region: its clients and its budgets.
#[derive(Debug)]
pub struct Place {
    /// The account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// To ask with.
    pub clients: Clients,
    ec2: Limiter,
    rds: Limiter,
}

impl Place {
    /// A place reached with `config`'s credentials and endpoint.
    #[must_use]
    pub fn new(account: &str, region: &str, config: &SdkConfig) -> Self {
        let config = config.to_builder().region(Region::new(region.to_owned())).build();
        let ec2 = aws_sdk_ec2::config::Builder::from(&config).interceptor(WholeAnswers).build();
        let rds = aws_sdk_rds::config::Builder::from(&config).interceptor(WholeAnswers).build();
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            clients: Clients { ec2: aws_sdk_ec2::Client::from_conf(ec2), rds: aws_sdk_rds::Client::from_conf(rds) },
            ec2: Limiter::default(),
            rds: Limiter::default(),
        }
    }

    /// What a scan of `kind` here lists.
    #[must_use]
    pub fn scope(&self, kind: &Kind) -> Scope {
        Scope {
            provider: Provider::Aws,
            account: self.account.clone(),
            region: self.region.clone(),
            kind: kind.name.to_owned(),
            filter: None,
        }
    }

    pub(crate) fn limiter(&self, kind: &Kind) -> &Limiter {
        if kind.service() == "rds" { &self.rds } else { &self.ec2 }
    }
}

/// Someone's credentials: where everything starts.
#[derive(Debug)]
pub struct Session(SdkConfig);

impl Session {
    /// The SDK's standard configuration, for another endpoint if one is given. Where `regions` names
    /// one, the SDK need not look for the profile's.
    pub async fn open(endpoint_url: Option<&str>, regions: &[String]) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(url) = endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(region) = regions.iter().find(|region| *region != ALL_REGIONS) {
            loader = loader.region(Region::new(region.clone()));
        }
        Self(loader.load().await)
    }

    /// Every account and region to be scanned: that of the credentials, and `others` by assumed role.
    ///
    /// `regions` holds for every account that does not name its own; `all` stands for every enabled
    /// one; empty for the region of the profile.
    ///
    /// # Errors
    /// When there is no region, no credentials, or the cloud does not tell what it is asked.
    pub async fn places(&self, regions: &[String], others: &[ScanTarget]) -> Result<Vec<Place>, SetupError> {
        let profile = self.0.region().map(|region| vec![region.as_ref().to_owned()]);
        let regions = if regions.is_empty() { profile.ok_or(SetupError::NoRegion)? } else { regions.to_vec() };
        let account = self.account().await?;
        let mut places = Vec::new();
        for region in enabled(&self.0, &regions).await? {
            places.push(Place::new(&account, &region, &self.0));
        }
        for target in others {
            let account = account_of(&target.role_arn)?;
            let config = self.assumed(&target.role_arn, target, "elava-observer").await;
            let regions = if target.regions.is_empty() { &regions } else { &target.regions };
            for region in enabled(&config, regions).await? {
                places.push(Place::new(account, &region, &config));
            }
        }
        Ok(places)
    }

    /// Where `account` is written to in `region`: with the credentials that everything starts with where they are of
    /// that account, else by the role that one of `others` names for writing.
    ///
    /// # Errors
    /// When there are no credentials, or no role for writing in that account.
    pub async fn writing_place(&self, account: &str, region: &str, others: &[ScanTarget]) -> Result<Place, SetupError> {
        let is_of = |arn: &String| account_of(arn).is_ok_and(|owner| owner == account);
        let target = others.iter().find(|target| target.write_role_arn.as_ref().is_some_and(is_of));
        if let Some((target, role)) = target.and_then(|target| Some((target, target.write_role_arn.as_ref()?))) {
            return Ok(Place::new(account, region, &self.assumed(role, target, "elava-executor").await));
        }
        if self.account().await? == account {
            return Ok(Place::new(account, region, &self.0));
        }
        Err(SetupError::NoWriteRole(account.to_owned()))
    }

    async fn account(&self) -> Result<String, SetupError> {
        let credentials =
            self.0.credentials_provider().ok_or_else(|| SetupError::NoCredentials("none set up".into()))?;
        credentials.provide_credentials().await.map_err(|error| SetupError::NoCredentials(error.into()))?;
        let sts = aws_sdk_sts::Client::new(&self.somewhere());
        let answer = persistently(|| async { Ok(sts.get_caller_identity().send().await?) }).await;
        let account = answer.map_err(SetupError::Identity)?.account;
        account.ok_or_else(|| SetupError::NoCredentials("sts:GetCallerIdentity named no account".into()))
    }

    async fn assumed(&self, role_arn: &str, target: &ScanTarget, session: &str) -> SdkConfig {
        let base = self.somewhere();
        let mut role = AssumeRoleProvider::builder(role_arn).session_name(session).configure(&base);
        if let Some(id) = &target.external_id {
            role = role.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(role.build().await);
        base.to_builder().credentials_provider(provider).build()
    }

    /// With a region for calls that are about none.
    fn somewhere(&self) -> SdkConfig {
        let region = self.0.region().cloned().unwrap_or_else(|| Region::from_static(FIRST_REGION));
        self.0.to_builder().region(region).build()
    }
}

/// `regions`, with `all` replaced by every region that the account has enabled.
async fn enabled(config: &SdkConfig, regions: &[String]) -> Result<Vec<String>, SetupError> {
    let mut all = regions.to_vec();
    if regions.iter().any(|region| region == ALL_REGIONS) {
        let region = config.region().cloned().unwrap_or_else(|| Region::from_static(FIRST_REGION));
        let ec2 = aws_sdk_ec2::Client::new(&config.to_builder().region(region).build());
        let answer = persistently(|| async { Ok(ec2.describe_regions().send().await?) }).await;
        let answer = answer.map_err(SetupError::Regions)?;
        all.retain(|region| region != ALL_REGIONS);
        all.extend(answer.regions().iter().filter_map(|region| region.region_name()).map(str::to_owned));
    }
    all.sort();
    all.dedup();
    Ok(all)
}

async fn persistently<T, F: Future<Output = Result<T, CallError>>>(call: impl Fn() -> F) -> Result<T, CallError> {
    let mut failures = 0;
    loop {
        match call().await {
            Err(error) if error.class != Class::Permanent && failures + 1 < START_ATTEMPTS => {
                failures += 1;
                tokio::time::sleep(back_off(failures, fastrand::f64())).await;
            }
            answer => return answer,
        }
    }
}

/// The account in a role's ARN: it is known even while the role cannot be assumed.
fn account_of(role_arn: &str) -> Result<&str, SetupError> {
    let parts: Vec<&str> = role_arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", _, account, role] if role.starts_with("role/") && !account.is_empty() => Ok(account),
        _ => Err(SetupError::RoleArn(role_arn.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::account_of;

    #[test]
    fn role_arns() {
        for (arn, account) in [
            ("arn:aws:iam::123456789012:role/elava", Some("123456789012")),
            ("arn:aws-cn:iam::1:role/path/elava", Some("1")),
            ("arn:aws:iam::1:user/elava", None),
            ("elava", None),
        ] {
            assert_eq!(account_of(arn).ok(), account, "{arn}");
        }
    }
}
