//! Acknowledging what was handled. An acknowledgement covers all before it: where several partitions are read by one
//! consumer, it goes as far as what all of them have handled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Client, Subject};
use bytes::Bytes;
use tracing::warn;

/// Tells the server that a message is still being worked on.
const WORKING: Bytes = Bytes::from_static(b"+WPI");

/// What acknowledges a message, and all before it in its partition.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    client: Client,
    /// None where the server wants none.
    reply: Option<Subject>,
    /// Where the consumer is shared: with whom, by which partition, and the message's position.
    shared: Option<(Arc<Floor>, u16, u64)>,
}

impl Receipt {
    /// Of a consumer of one's own.
    pub(super) fn own(client: Client, reply: Option<Subject>) -> Self {
        Self { client, reply, shared: None }
    }

    /// Of a consumer that several partitions are read by.
    pub(super) fn shared(client: Client, reply: Option<Subject>, floor: Arc<Floor>, at: (u16, u64)) -> Self {
        Self { client, reply, shared: Some((floor, at.0, at.1)) }
    }

    /// The partition has handled the message, and all before it.
    pub(crate) async fn handled(&self) {
        let reply = match &self.shared {
            None => self.reply.clone(),
            Some((floor, partition, sequence)) => floor.handled(*partition, *sequence),
        };
        answer(&self.client, reply, Bytes::new()).await;
    }

    /// It takes longer.
    pub(crate) async fn working(&self) {
        answer(&self.client, self.reply.clone(), WORKING).await;
    }
}

/// Tells the server something about the message with this reply subject.
pub(super) async fn answer(client: &Client, reply: Option<Subject>, what: Bytes) {
    let Some(reply) = reply else { return };
    if let Err(error) = client.publish(reply, what).await {
        warn!(error = %error, "acknowledgement failed; the position is kept elsewhere");
    }
}

/// Up to where all partitions of one consumer have handled what it has delivered.
#[derive(Debug, Default)]
pub(crate) struct Floor(Mutex<Deliveries>);

#[derive(Debug, Default)]
struct Deliveries {
    /// Not acknowledged, in order: partition, position, and where to acknowledge.
    open: VecDeque<(u16, u64, Option<Subject>)>,
    /// Up to where each partition is.
    handled: HashMap<u16, u64>,
}

impl Floor {
    /// A value is whole, whoever panicked.
    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A consumer is to be made, after this position or an earlier one: that before the first message that is not
    /// acknowledged. It is delivered again, so that no more counts as handled than is.
    pub(super) fn begin(&self, after: u64) -> u64 {
        let mut deliveries = self.deliveries();
        drop(deliveries.take());
        let first = deliveries.open.iter().map(|(_, sequence, _)| sequence.saturating_sub(1)).min();
        deliveries.open.clear();
        first.map_or(after, |first| first.min(after))
    }

    /// A partition goes on after this position, which may be an earlier one than before.
    pub(super) fn goes_on(&self, partition: u16, after: u64) {
        self.deliveries().handled.insert(partition, after);
    }

    /// A message was delivered.
    pub(super) fn delivered(&self, partition: u16, sequence: u64, reply: Option<Subject>) {
        self.deliveries().open.push_back((partition, sequence, reply));
    }

    /// A partition has handled all up to this position; what can be acknowledged now.
    pub(super) fn handled(&self, partition: u16, sequence: u64) -> Option<Subject> {
        let mut deliveries = self.deliveries();
        let handled = deliveries.handled.entry(partition).or_default();
        *handled = (*handled).max(sequence);
        deliveries.take()
    }

    /// What can be acknowledged without anybody having handled something: it was handled before.
    pub(super) fn passed_over(&self) -> Option<Subject> {
        self.deliveries().take()
    }
}

impl Deliveries {
    fn take(&mut self) -> Option<Subject> {
        let Self { open, handled } = self;
        let is_handled = |(partition, sequence, _): &(u16, u64, Option<Subject>)| {
            handled.get(partition).is_some_and(|handled| sequence <= handled)
        };
        let count = open.iter().take_while(|delivery| is_handled(delivery)).count();
        open.drain(..count).next_back().and_then(|(.., reply)| reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was delivered to which partition, and then what they say they have handled: what is acknowledged.
    #[test]
    fn no_more_is_acknowledged_than_all_have_handled() {
        let floor = Floor::default();
        let reply = |sequence: u64| Some(Subject::from(sequence.to_string()));
        floor.goes_on(1, 10);
        floor.goes_on(2, 12);
        assert_eq!(floor.begin(10), 10);
        for (sequence, partition) in [(11, 1), (12, 2), (13, 2), (14, 1), (15, 2)] {
            floor.delivered(partition, sequence, reply(sequence));
        }
        assert_eq!(floor.passed_over(), None, "the first is not handled");
        assert_eq!(floor.handled(2, 13), None);
        // and what the other one had before
        assert_eq!(floor.handled(1, 11), reply(13));
        assert_eq!(floor.handled(1, 11), None, "once");
        assert_eq!(floor.handled(2, 15), None);
        assert_eq!(floor.handled(1, 14), reply(15));

        floor.delivered(1, 16, reply(16));
        floor.delivered(2, 17, reply(17));
        assert_eq!(floor.begin(17), 15, "what nobody has handled is delivered again");
        assert_eq!(floor.handled(1, 16), None, "of a consumer that is no more");
        // it is read again from an earlier place
        floor.goes_on(1, 13);
        floor.delivered(2, 15, reply(15));
        floor.delivered(1, 16, reply(16));
        assert_eq!(floor.passed_over(), reply(15));
        assert_eq!(floor.handled(1, 14), None);
        assert_eq!(floor.handled(1, 16), reply(16));
    }
}
