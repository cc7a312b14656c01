//! Runs a stage over the transport that its flags choose.
use crate::cli::{Finished, StageArgs};
use crate::Stage;

/// Why a stage stopped.
#[derive(Debug, thiserror::Error)]
pub enum BusError { /// x
 #[error("x")] X }

/// Runs a stage until its input ends (pipe) or the process is told to stop (NATS).
pub async fn run<S: Stage>(_args: &StageArgs, _stage: S) -> Result<Finished, BusError> { Err(BusError::X) }
/// x
#[derive(Debug)]
pub struct Runtime;
