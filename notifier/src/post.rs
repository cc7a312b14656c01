//! Handing decisions to one channel, in order, for as long as it takes.

use std::sync::{Mutex, PoisonError};

use elava_bus::Lease;
use elava_schemas::{Decision, Delivery, DeliveryId, DeliveryOutcome, micros};
use tracing::{info, warn};

use crate::channel::stdout::Style;
use crate::channel::{Channel, Refusal};
use crate::delivered::Delivered;
use crate::{Clock, Patience, retry};

/// What all channels share.
#[derive(Debug)]
pub(crate) struct Post {
    patience: Patience,
    clock: Clock,
    delivered: Mutex<Delivered>,
}

/// Why a channel's deliveries of a batch were broken off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("{channel} did not take a decision in {attempts} attempts: {error}")]
    Exhausted { channel: String, attempts: u32, error: String },
    #[error("another instance may have taken over")]
    NotOurs,
    #[error("cannot write notifications to standard output")]
    Closed(#[source] std::io::Error),
}

/// One channel's deliveries of a batch, with the index of each decision.
pub(crate) type Deliveries = Vec<(usize, Delivery)>;

impl Post {
    pub(crate) fn new(patience: Patience, clock: Clock) -> Self {
        Self { patience, clock, delivered: Mutex::default() }
    }

    /// Hands decisions to one channel, in order; ends at the first that it cannot take now.
    pub(crate) async fn deliver_all(
        &self,
        channel: &Channel,
        decisions: &[Decision],
        in_pipe: bool,
        lease: &Lease,
    ) -> Result<Deliveries, Stop> {
        let mut deliveries = Vec::new();
        for (index, decision) in decisions.iter().enumerate() {
            if decision.severity < channel.min_severity() {
                continue;
            }
            let name = channel.name(decision.severity);
            let id = DeliveryId::of(&[decision.id.as_str(), &name]);
            let known = self.delivered.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
            let delivery = match known {
                Some(delivery) => delivery,
                // In a pipe the bus writes standard output, this decision's line included.
                None if in_pipe && matches!(channel, Channel::Stdout(stdout) if stdout.style == Style::Ndjson) => {
                    self.receipt(id, decision, name, 1, Ok(()))
                }
                None => self.deliver_one(channel, decision, (id, name), lease).await?,
            };
            self.delivered.lock().unwrap_or_else(PoisonError::into_inner).remember(&delivery);
            deliveries.push((index, delivery));
        }
        Ok(deliveries)
    }

    /// Tries until the channel takes the decision, refuses it for good, or has been tried enough; never
    /// without the lease, because somebody else may tell it then.
    async fn deliver_one(
        &self,
        channel: &Channel,
        decision: &Decision,
        (id, name): (DeliveryId, String),
        lease: &Lease,
    ) -> Result<Delivery, Stop> {
        let mut attempt = 1;
        loop {
            if !lease.is_held() {
                return Err(Stop::NotOurs);
            }
            let (after, error) = match channel.tell(decision).await {
                Ok(()) => return Ok(self.receipt(id, decision, name, attempt, Ok(()))),
                Err(Refusal::Never { error }) => {
                    warn!(channel = name, decision = %decision.id, error, "decision refused");
                    return Ok(self.receipt(id, decision, name, attempt, Err(error)));
                }
                Err(Refusal::Closed(error)) => return Err(Stop::Closed(error)),
                Err(Refusal::Later { after, error }) => (after, error),
            };
            if attempt >= self.patience.attempts {
                return Err(Stop::Exhausted { channel: name, attempts: attempt, error });
            }
            let pause = retry::pause(&self.patience, attempt, after, fastrand::f64());
            info!(channel = name, decision = %decision.id, attempt, error, ?pause, "channel will be tried again");
            lease.guard(tokio::time::sleep(pause)).await.ok_or(Stop::NotOurs)?;
            attempt += 1;
        }
    }

    fn receipt(
        &self,
        id: DeliveryId,
        decision: &Decision,
        channel: String,
        attempts: u32,
        result: Result<(), String>,
    ) -> Delivery {
        Delivery {
            id,
            decision_id: decision.id.clone(),
            channel,
            outcome: if result.is_ok() { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed },
            attempts,
            at: micros((self.clock)()),
            error: result.err(),
        }
    }
}
