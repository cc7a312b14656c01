//! What the stages cost when nothing happens.

use std::time::Duration;

use crate::measure::Usage;
use crate::report::Figure;
use crate::session::{Programs, Session};

/// Lets every stage wait over NATS for so long.
pub async fn run(programs: &Programs, length: Duration) -> anyhow::Result<()> {
    eprintln!("idle: starting the stages");
    let mut session = Session::start(programs, &["detector", "enforcer", "decider", "notifier"]).await?;
    // what starting leaves behind is no idling
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before: Vec<Usage> = session.stages.iter().map(|stage| stage.usage()).collect::<anyhow::Result<_>>()?;
    eprintln!("idle: waiting {} s", length.as_secs());
    tokio::time::sleep(length).await;
    for (stage, before) in session.stages.iter().zip(before) {
        let after = stage.usage()?;
        let percent = (after.cpu - before.cpu) / length.as_secs_f64() * 100.0;
        let budget = if stage.name == "detector" { 150.0 } else { 30.0 };
        Figure::new(format!("idle.{}.cpu", stage.name), percent, "%").against(1.0, "budget: 1 % of a core").print()?;
        Figure::new(format!("idle.{}.memory", stage.name), after.resident as f64 / 1e6, "MB")
            .against(budget, format!("budget: {budget} MB"))
            .print()?;
    }
    for stage in &mut session.stages {
        stage.stop().await?;
    }
    Ok(())
}
