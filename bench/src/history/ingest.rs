//! Feeds scans to the detector while analysts ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use elava_bus::Stream;

use super::analyst::{Access, ask};
use super::asking::{about, print, repeat};
use super::past::Past;
use crate::estate::Page;
use crate::raw;
use crate::report::Figure;
use crate::session::Session;

/// How many ask at once.
const ANALYSTS: usize = 4;
/// How many scans are ingested while one asks.
const ASKED: usize = 5;
/// By how many scans each, in turns, it is measured what those who ask cost: a heavy statement more or less, or the
/// detector's own work in the background, makes a difference to one.
const RATED: usize = 5;
/// A lease has ended after so long, by far.
const LEASE_TTL: Duration = Duration::from_secs(5);
/// How long one thinks between two questions.
const THINKING: Duration = Duration::from_secs(1);

/// The next scan of the past's estate, 1 % changed each time.
struct Scans<'a> {
    past: &'a Past,
    made: u32,
}

impl Scans<'_> {
    fn next(&mut self, changed: bool) -> Vec<Page> {
        self.made += u32::from(changed);
        let (base, made) = (self.past.revision(), self.made as usize);
        self.past.estate.scan_at(Utc::now(), &|number| base + u32::from(number % 100 < made))
    }
}

/// Gives the rows of a page.
pub(super) async fn run(session: &mut Session, access: &Access, past: &Past) -> anyhow::Result<f64> {
    let mut scans = Scans { past, made: 0 };
    compare_unchanged(session, past, &mut scans, 2).await?;

    eprintln!("history: ingesting, one asks");
    let ingesting = Arc::new(AtomicBool::new(false));
    let asked = asking(access, past, &ingesting);
    for number in 0..ASKED {
        let pages = scans.next(true);
        make_room(session).await?;
        ingesting.store(true, Ordering::Relaxed);
        session.flow(&pages, &format!("asked-{number}")).await?;
        ingesting.store(false, Ordering::Relaxed);
    }
    print("ingesting", &about(past), asked.end().await?)?;

    let (mut alone, mut among, mut answers) = (0.0, 0.0, 0);
    for round in 0..RATED {
        eprintln!("history: ingesting, nobody asks, then {ANALYSTS} do ({} of {RATED})", round + 1);
        alone += ingest(session, &mut scans, &format!("alone-{round}")).await?;
        let analysts: Vec<_> = (0..ANALYSTS).map(|number| thinking(access, past, round, number)).collect();
        among += ingest(session, &mut scans, &format!("analysts-{round}")).await?;
        for analyst in analysts {
            answers += analyst.end().await?;
        }
    }
    let rate = |seconds: f64| (RATED * past.resources) as f64 / seconds;
    Figure::new("history.ingest.alone", rate(alone), "rows/s").print()?;
    Figure::new("history.ingest.among_analysts", rate(among), "rows/s").against(rate(alone), "nobody asks").print()?;
    Figure::new("history.ingest.answers", answers as f64, "answers").print()?;
    Ok(past.resources as f64 / scans.next(false).len() as f64)
}

/// Ingests a scan with 1 % changed: seconds from its first publish until it is acknowledged.
async fn ingest(session: &mut Session, scans: &mut Scans<'_>, name: &str) -> anyhow::Result<f64> {
    let pages = scans.next(true);
    make_room(session).await?;
    let seconds = session.flow(&pages, name).await?.stages[0];
    eprintln!("history: {name}: {seconds:.1} s");
    Ok(seconds)
}

/// Only compares unchanged scans.
pub(super) async fn compare(session: &mut Session, past: &Past, scans: usize) -> anyhow::Result<()> {
    compare_unchanged(session, past, &mut Scans { past, made: 0 }, scans).await
}

/// A scan is half of what the stream may hold; everything in it is in the history.
async fn make_room(session: &Session) -> anyhow::Result<()> {
    session.js.get_stream(Stream::Observation.name()).await?.purge().await?;
    Ok(())
}

/// What lies in the stream unchanged, against reading it.
async fn compare_unchanged(
    session: &mut Session,
    past: &Past,
    scans: &mut Scans<'_>,
    count: usize,
) -> anyhow::Result<()> {
    eprintln!("history: comparing unchanged scans");
    for number in 0..count {
        // the first one after a start is compared by content, later ones by their bytes
        let name = if number == 0 { "restarted" } else { "unchanged" };
        let pages = scans.next(false);
        make_room(session).await?;
        session.stages[0].pause()?;
        let paused = Instant::now();
        crate::publish::publish(&session.js, &pages, "", &format!("{name}-{number}")).await?;
        tokio::time::sleep(LEASE_TTL.saturating_sub(paused.elapsed())).await;
        let read = raw::read(&session.js, Stream::Observation.name(), pages.len()).await?.as_secs_f64();
        let before = session.stages[0].usage()?.cpu + session.server_cpu()?;
        // stopped for so long, it has lost its lease, and the server has closed its connection: it has to begin anew,
        // which is no part of comparing
        let resumed = Utc::now();
        session.stages[0].proceed()?;
        let begun = session.reads_again("detector", Stream::Observation, resumed).await?;
        let deadline = Instant::now() + Duration::from_secs(600);
        session.caught_up("detector", &[Stream::Observation], deadline).await?;
        let compared = (Utc::now() - begun).as_seconds_f64();
        let cpu = session.stages[0].usage()?.cpu + session.server_cpu()? - before;
        if number == 0 {
            Figure::new("history.stream.read", past.resources as f64 / read, "rows/s").print()?;
        }
        Figure::new(format!("history.compare.{name}"), compared, "s")
            .against(read, "reading the stream; aim: 1.5")
            .print()?;
        Figure::new(format!("history.compare.{name}.begun"), (begun - resumed).as_seconds_f64(), "s").print()?;
        Figure::new(format!("history.compare.{name}.cpu"), cpu, "s").print()?;
    }
    Ok(())
}

/// One who asks until told to stop.
struct Analyst<T> {
    stop: Arc<AtomicBool>,
    work: tokio::task::JoinHandle<anyhow::Result<T>>,
}

impl<T: Send + 'static> Analyst<T> {
    fn begin(work: impl FnOnce(&AtomicBool) -> anyhow::Result<T> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Self { stop, work: tokio::task::spawn_blocking(move || work(&told)) }
    }

    async fn end(self) -> anyhow::Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        self.work.await?
    }
}

/// Asks without a pause; what is answered within a scan counts.
fn asking(access: &Access, past: &Past, ingesting: &Arc<AtomicBool>) -> Analyst<Vec<Vec<Duration>>> {
    let (access, questions, ingesting) = (access.clone(), about(past), Arc::clone(ingesting));
    Analyst::begin(move |told| {
        let counts = || ingesting.load(Ordering::Relaxed);
        repeat(&access, &questions, || !told.load(Ordering::Relaxed), counts)
    })
}

/// Thinks between two questions, and begins with another one than others do, and than in other rounds.
fn thinking(access: &Access, past: &Past, round: usize, number: usize) -> Analyst<usize> {
    let (access, questions) = (access.clone(), about(past));
    Analyst::begin(move |told| {
        let source = access.connect()?;
        let mut answers = 0;
        for nth in (RATED * number + round) * questions.len() / (RATED * ANALYSTS).. {
            if told.load(Ordering::Relaxed) {
                break;
            }
            let turn = nth / questions.len() + round;
            ask(&source, questions[nth % questions.len()].in_round(turn * ANALYSTS + number))?;
            answers += 1;
            std::thread::sleep(THINKING);
        }
        Ok(answers)
    })
}
