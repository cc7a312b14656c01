//! The page: its head, the big numbers, and a section for each thing.

use super::chart::{Chart, Series, areas, bars};
use super::costs::Costs;
use super::counts::{self, OverTime};
use super::coverage::coverage;
use super::html::{Html, element, labelled};
use super::number::{Unit, of};
use super::time::stamp;
use super::{Answers, Facts, tables};

/// The policy keeps a browser from loading or running anything, whatever were in the page.
const BEGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<title>Elava report</title>\n<style>\n";

/// All of it, as a file.
pub(crate) fn page(facts: &Facts, answers: &Answers) -> String {
    let changes = counts::changes(facts.span, &answers.changes);
    let violations = counts::violations(facts.span, &answers.violations, &answers.open);
    let costs = Costs::new(facts.span, &answers.costs, &answers.cost);
    let mut html = Html::markup(BEGIN) + include_str!("style.css") + "</style>\n</head>\n<body>\n";
    html.push(head(facts));
    html.push(tiles(&changes.1, &violations.1, &costs) + "\n<main>\n");
    for section in [
        changes_section(facts, &changes),
        costs_section(facts, &costs),
        violations_section(facts, &violations),
        coverage_section(facts, answers),
        flapping_section(answers),
        critical_section(answers),
        newest_section(answers),
    ] {
        html.push(section + "\n");
    }
    let footer = "Times are UTC. Costs are estimates from list prices of a month. Made by elava report.";
    html = html + "</main>\n";
    html.push(labelled("footer", &[], footer) + "\n</body>\n</html>\n");
    html.into_string()
}

fn head(facts: &Facts) -> Html {
    let bold = |text: &str| labelled("b", &[], text);
    let span = format!("{} to {} UTC", stamp(facts.span.since), stamp(facts.span.until));
    let mut line = bold(&span) + " · ";
    line.push(Html::text(&facts.source));
    for (name, pattern) in &facts.filters {
        line.push(Html::text(&format!(" · only {name} ")).and(bold(pattern)));
    }
    let title = labelled("h1", &[], "What changed, and what is there");
    element("header", &[("class", "head")], title.and(element("p", &[], line))) + "\n"
}

fn tiles(changes: &[Series], violations: &[Series], costs: &Costs) -> Html {
    let tile = |what: &str, value: &str, more: Html| {
        let [what, value] =
            [("what", what), ("value", value)].map(|(class, text)| labelled("div", &[("class", class)], text));
        element("div", &[("class", "tile")], what.and(value).and(element("div", &[("class", "more")], more))) + "\n"
    };
    let told = |series: &[Series]| series.iter().map(|series| series.told).sum::<f64>();
    let count = |value: f64| Unit::Count.full(value);
    let estimated = format!("{} with a cost estimate", count(costs.estimated));
    let severities = violations.iter().enumerate().map(|(index, series)| {
        let class = if series.told > 0.0 { series.name.as_str() } else { "" };
        let said = labelled("span", &[("class", class)], &format!("{} {}", count(series.told), series.name));
        if index == 0 { said } else { Html::markup(" · ").and(said) }
    });
    let html = tile("resources now", &count(costs.resources), Html::text(&estimated))
        .and(tile("changes", &count(told(changes)), Html::text(&said(changes))))
        .and(tile("open violations", &count(told(violations)), severities.collect()))
        .and(tile("estimated monthly cost", &Unit::Dollars.full(costs.now), Html::text(&cost_change(costs))));
    element("div", &[("class", "tiles")], html)
}

/// How the cost went.
fn cost_change(costs: &Costs) -> String {
    let Some((at, then)) = costs.then else { return "nothing is known of earlier".to_owned() };
    let change = costs.now - then;
    let percent = if then > 0.0 { format!(" ({:+.1} %)", change / then * 100.0) } else { String::new() };
    format!("{}{percent} since {}", Unit::Dollars.signed(change), stamp(at))
}

/// `3 appeared, 1 disappeared`.
fn said(series: &[Series]) -> String {
    let told = series.iter().rev().filter(|series| series.told > 0.0);
    let told: Vec<String> = told.map(|series| format!("{} {}", series.unit_told(), series.name)).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

impl Series {
    fn unit_told(&self) -> String {
        Unit::Count.full(self.told)
    }

    fn is_empty(&self) -> bool {
        self.values.iter().all(|value| *value == 0.0)
    }
}

fn section(id: &'static str, title: &str, content: Html) -> Html {
    element("section", &[("id", id)], labelled("h2", &[], title).and(content))
}

/// Where there is nothing to draw.
fn nothing(words: &str) -> Html {
    labelled("p", &[("class", "nothing")], words)
}

fn changes_section(facts: &Facts, (moments, series): &OverTime) -> Html {
    let step = facts.span.step();
    let title = format!("Changes per {}", step.name);
    if series.iter().all(Series::is_empty) {
        return section("changes", &title, nothing("Nothing changed in this time."));
    }
    let chart = Chart {
        id: "changes",
        description: format!("Stacked bars, one per {}: {}.", step.name, said(series)),
        title: title.clone(),
        values: format!("changes per {}", step.name),
        unit: Unit::Count,
        moments,
        series,
    };
    let note = labelled("p", &[("class", "note")], "The first look at a scope is left out.");
    section("changes", &title, note.and(bars(&chart, step.length())))
}

fn costs_section(facts: &Facts, costs: &Costs) -> Html {
    let title = format!("Estimated monthly cost by {}", facts.by);
    if costs.series.is_empty() {
        return section("cost", &title, nothing("No resource had a cost estimate in this time."));
    }
    let (now, change) = (Unit::Dollars.full(costs.now), cost_change(costs));
    let chart = Chart {
        id: "cost",
        description: format!("Stacked areas: {now} a month now, {change}."),
        title: title.clone(),
        values: "US dollars a month".to_owned(),
        unit: Unit::Dollars,
        moments: &costs.moments,
        series: &costs.series,
    };
    let begins = match (costs.then, costs.moments.first()) {
        (Some((at, _)), Some(first)) if at > *first => {
            labelled("p", &[("class", "note")], &format!("Nothing is known of the time before {}.", stamp(at)))
        }
        _ => Html::default(),
    };
    section("cost", &title, begins.and(areas(&chart)))
}

fn violations_section(facts: &Facts, (moments, series): &OverTime) -> Html {
    let title = "Open violations";
    if series.iter().all(Series::is_empty) {
        let words = "No violation of a policy was open in this time. They are recorded where the enforcer runs.";
        return section("violations", title, nothing(words));
    }
    let chart = Chart {
        id: "violations",
        description: format!("Stacked areas by severity; now {}.", said(series)),
        title: format!("Open violations since {}", stamp(facts.span.since)),
        values: "open violations".to_owned(),
        unit: Unit::Count,
        moments,
        series,
    };
    section("violations", title, areas(&chart))
}

fn coverage_section(facts: &Facts, answers: &Answers) -> Html {
    let content = match answers.coverage.as_slice() {
        [] => nothing("No scan of such scopes is recorded."),
        rows => coverage(rows, facts.unseen_since),
    };
    section("coverage", "Coverage: time since each scope was last seen whole", content)
}

fn flapping_section(answers: &Answers) -> Html {
    let content = match answers.flapping.as_slice() {
        [] => nothing("Nothing changed three times or more in this time."),
        rows => tables::flapping(rows),
    };
    section("flapping", "What changes most", content)
}

fn critical_section(answers: &Answers) -> Html {
    let critical = answers.open.iter().filter(|row| super::text(row, "severity") == "critical").count();
    let content = match critical {
        0 => nothing("No critical violation is open."),
        _ => tables::violations(&answers.open, "critical"),
    };
    section("critical", "Newest critical violations", content)
}

fn newest_section(answers: &Answers) -> Html {
    let content = match answers.newest.as_slice() {
        [] => nothing("Nothing disappeared or became dearer in this time."),
        rows => {
            let words = format!("The last {}.", of(rows.len(), "change of these sorts", "changes of these sorts"));
            labelled("p", &[("class", "note")], &words).and(tables::changes(rows))
        }
    };
    section("newest", "Newest disappearances and cost increases", content)
}
