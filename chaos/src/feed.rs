//! Publishes the input, and lets each fault strike in its place.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::input::{Input, Page};
use crate::plan::{Blow, Fault};
use crate::world::World;

/// How long a fault waits for its place.
const PATIENCE: Duration = Duration::from_secs(20);

/// How an input is published.
pub(crate) struct Feed<'a> {
    pub(crate) input: &'a Input,
    pub(crate) rounds: usize,
    /// In the order of their places.
    pub(crate) faults: &'a [Fault],
    /// Mixes the pages of different scopes; else scope follows scope.
    pub(crate) mix: Option<Rng>,
    /// How many of the pages published last can be published again.
    pub(crate) remembered: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Fed {
    pub(crate) pages: usize,
    /// Faults that did not wait any longer for their place.
    pub(crate) impatient: usize,
}

impl Feed<'_> {
    pub(crate) async fn run(mut self, world: &mut World) -> anyhow::Result<Fed> {
        let begun = Instant::now();
        let mut fed = Fed::default();
        let mut faults = self.faults.iter().peekable();
        let mut past: VecDeque<Page> = VecDeque::new();
        for round in 0..self.rounds {
            for page in mixed(self.input.round(round), self.mix.as_mut()) {
                while let Some(fault) = faults.next_if(|fault| fault.at <= fed.pages) {
                    fed.impatient += usize::from(!world.read(fault.blow.reader(), fault.unread, PATIENCE).await?);
                    let (Fault { at, blow, lasts, .. }, begun) = (fault, begun.elapsed());
                    eprintln!(
                        "{:>6.1} s, page {at}: {}, {:.1} s",
                        begun.as_secs_f64(),
                        blow.name(),
                        lasts.as_secs_f64()
                    );
                    world.strike(fault).await?;
                    if let Some(again) = again(&fault.blow, &past) {
                        publish(world, &again, &format!("again-{}", fault.at)).await?;
                    }
                }
                publish(world, &page, "page").await?;
                fed.pages += 1;
                past.push_back(page);
                if past.len() > self.remembered {
                    past.pop_front();
                }
            }
        }
        Ok(fed)
    }
}

/// The pages of scopes, those of each in their order.
fn mixed(scopes: Vec<Vec<Page>>, random: Option<&mut Rng>) -> Vec<Page> {
    let Some(random) = random else { return scopes.concat() };
    let mut scopes: Vec<VecDeque<Page>> = scopes.into_iter().map(VecDeque::from).collect();
    let mut pages = Vec::new();
    while !scopes.is_empty() {
        let scope = random.usize(..scopes.len());
        match scopes[scope].pop_front() {
            Some(page) => pages.push(page),
            None => drop(scopes.swap_remove(scope)),
        }
    }
    pages
}

/// What a fault has published again.
fn again(blow: &Blow, past: &VecDeque<Page>) -> Option<Page> {
    let before = |back: usize| past.iter().rev().nth(back - 1).cloned();
    match *blow {
        Blow::Duplicate { back } => before(back),
        Blow::Late { back, row } => before(back).map(|page| {
            let rows: Vec<&[u8]> = page.body.split_inclusive(|byte| *byte == b'\n').collect();
            Page { body: Bytes::copy_from_slice(rows[row % rows.len()]), ..page }
        }),
        _ => None,
    }
}

/// Stores a page once, whatever happens to the server.
async fn publish(world: &mut World, page: &Page, which: &str) -> anyhow::Result<()> {
    let js = world.js.clone();
    let id = format!("{which}-{}", fastrand::u64(..));
    world.meanwhile(store(js, page, &id)).await
}

async fn store(js: Context, page: &Page, id: &str) {
    loop {
        let message = PublishMessage::build().payload(page.body.clone()).message_id(id);
        if let Ok(stored) = js.send_publish(page.subject.clone(), message).await
            && stored.await.is_ok()
        {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_keeps_the_order_of_each_scope() {
        let page = |scope: u32, number: u32| Page { subject: scope.to_string(), body: number.to_string().into() };
        let scopes: Vec<Vec<Page>> = (0..5).map(|scope| (0..20).map(|number| page(scope, number)).collect()).collect();
        let all = mixed(scopes.clone(), Some(&mut Rng::with_seed(1)));
        assert_ne!(all[0].subject, all[1].subject);
        for (scope, pages) in scopes.iter().enumerate() {
            let own = all.iter().filter(|page| page.subject == scope.to_string());
            assert!(own.map(|page| &page.body).eq(pages.iter().map(|page| &page.body)));
        }
    }
}
