//! request
/// x
#[derive(Debug, thiserror::Error)]
pub enum RequestError { /// x
 #[error("x")] X }
/// x
#[derive(Debug)]
pub struct Client;
/// x
#[derive(Debug)]
pub struct Reply;
