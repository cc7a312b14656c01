//! What was delivered lately: a batch that is handed out again is not told again.

use std::collections::{HashMap, VecDeque};

use elava_schemas::{Delivery, DeliveryId};

/// Deliveries remembered: more than any batch has, less than a few megabytes.
const REMEMBERED: usize = 10_000;

/// The latest deliveries, bounded.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    deliveries: HashMap<DeliveryId, Delivery>,
    order: VecDeque<DeliveryId>,
}

impl Delivered {
    pub(crate) fn get(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.deliveries.get(id)
    }

    pub(crate) fn remember(&mut self, delivery: &Delivery) {
        if self.deliveries.insert(delivery.id.clone(), delivery.clone()).is_none() {
            self.order.push_back(delivery.id.clone());
        }
        while self.order.len() > REMEMBERED {
            self.order.pop_front().and_then(|oldest| self.deliveries.remove(&oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use elava_schemas::{DecisionId, DeliveryOutcome};

    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let id = |number: usize| DeliveryId::of(&[&number.to_string()]);
        let mut delivered = Delivered::default();
        for number in 0..=REMEMBERED {
            delivered.remember(&Delivery {
                id: id(number),
                decision_id: DecisionId::of(&[]),
                channel: "stdout".into(),
                outcome: DeliveryOutcome::Delivered,
                attempts: 1,
                at: Default::default(),
                error: None,
            });
        }
        assert!(delivered.get(&id(0)).is_none());
        assert!(delivered.get(&id(1)).is_some() && delivered.get(&id(REMEMBERED)).is_some());
    }
}
