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
    compare_unchanged(session, past, &mut scans).await?;

    let rate = |seconds: f64| past.resources as f64 / seconds;
    eprintln!("history: ingesting, nobody asks");
    let pages = scans.next(true);
    make_room(session).await?;
    let alone = rate(session.flow(&pages, "alone").await?.stages[0]);
    Figure::new("history.ingest.alone", alone, "rows/s").print()?;

    eprintln!("history: ingesting, one asks");
    let asked = asking(access, past);
    for name in ["asked-1", "asked-2"] {
        let pages = scans.next(true);
        make_room(session).await?;
        session.flow(&pages, name).await?;
    }
    print("ingesting", &about(past), asked.end().await?)?;

    eprintln!("history: ingesting, {ANALYSTS} ask");
    let pages = scans.next(true);
    make_room(session).await?;
    let analysts: Vec<_> = (0..ANALYSTS).map(|number| thinking(access, past, number)).collect();
    let among = rate(session.flow(&pages, "analysts").await?.stages[0]);
    let mut answers = 0;
    for analyst in analysts {
        answers += analyst.end().await?;
    }
    Figure::new("history.ingest.among_analysts", among, "rows/s").against(alone, "nobody asks").print()?;
    Figure::new("history.ingest.answers", answers as f64, "answers").print()?;
    Ok(past.resources as f64 / pages.len() as f64)
}

/// A scan is half of what the stream may hold; everything in it is in the history.
async fn make_room(session: &Session) -> anyhow::Result<()> {
    session.js.get_stream(Stream::Observation.name()).await?.purge().await?;
    Ok(())
}

/// What lies in the stream unchanged, against reading it.
async fn compare_unchanged(session: &mut Session, past: &Past, scans: &mut Scans<'_>) -> anyhow::Result<()> {
    eprintln!("history: comparing unchanged scans");
    // the first one after a start is compared by content, later ones by their bytes
    for (number, name) in ["restarted", "unchanged"].into_iter().enumerate() {
        let pages = scans.next(false);
        make_room(session).await?;
        session.stages[0].pause()?;
        crate::publish::publish(&session.js, &pages, "", name).await?;
        let read = raw::read(&session.js, Stream::Observation.name(), pages.len()).await?.as_secs_f64();
        let begun = Instant::now();
        session.stages[0].proceed()?;
        session.caught_up("detector", &[Stream::Observation], begun + Duration::from_secs(600)).await?;
        let compared = begun.elapsed().as_secs_f64();
        if number == 0 {
            Figure::new("history.stream.read", past.resources as f64 / read, "rows/s").print()?;
        }
        Figure::new(format!("history.compare.{name}"), compared, "s")
            .against(read, "reading the stream; aim: 1.5")
            .print()?;
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

/// Asks without a pause.
fn asking(access: &Access, past: &Past) -> Analyst<Vec<Vec<Duration>>> {
    let (access, questions) = (access.clone(), about(past));
    Analyst::begin(move |told| repeat(&access, &questions, || !told.load(Ordering::Relaxed)))
}

/// Thinks between two questions, and begins with another one than others do.
fn thinking(access: &Access, past: &Past, number: usize) -> Analyst<usize> {
    let (access, questions) = (access.clone(), about(past));
    Analyst::begin(move |told| {
        let source = access.connect()?;
        let mut answers = 0;
        for question in questions.iter().cycle().skip(number * questions.len() / ANALYSTS) {
            if told.load(Ordering::Relaxed) {
                break;
            }
            ask(&source, &question.sql)?;
            answers += 1;
            std::thread::sleep(THINKING);
        }
        Ok(answers)
    })
}
