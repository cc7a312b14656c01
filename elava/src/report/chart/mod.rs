//! Charts: values in, SVG out. Each says what it shows in words too, and in a table below it.

mod areas;
mod bars;

use elava_schemas::Timestamp;

use super::html::{Html, element, labelled, table};
use super::number::Unit;
use super::time::{marks, stamp};

pub(super) use areas::areas;
pub(super) use bars::bars;

/// The drawing, in units of its own: it is as wide as the page lets it be.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
/// Where values are drawn.
const LEFT: f64 = 60.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = HEIGHT - 42.0;

/// What is drawn.
#[derive(Clone, Debug)]
pub(super) struct Chart<'a> {
    /// Its name within the page.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) title: String,
    /// What it says, for who does not see it.
    pub(super) description: String,
    /// What its values are, with their unit.
    pub(super) values: String,
    /// In which unit.
    pub(super) unit: Unit,
    /// When each value was, or when the time began that it is of.
    pub(super) moments: &'a [Timestamp],
    /// From the lowest to the uppermost.
    pub(super) series: &'a [Series],
}

/// What has a value at each moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// What people call it.
    pub(super) name: String,
    /// Its colour, as the style has it.
    pub(super) class: &'static str,
    /// As many as there are moments.
    pub(super) values: Vec<f64>,
    /// What of it stands in the legend.
    pub(super) told: f64,
}

impl Series {
    /// Its value at a moment, by its number.
    fn at(&self, index: usize) -> f64 {
        self.values.get(index).copied().unwrap_or(0.0)
    }
}

impl Chart<'_> {
    /// The sum of all at one moment.
    fn total(&self, index: usize) -> f64 {
        self.series.iter().map(|series| series.at(index)).sum()
    }

    /// What is shown where one points: the numbers of one moment.
    fn told_at(&self, index: usize, when: &str) -> Html {
        let said = self.series.iter().filter(|series| series.at(index) != 0.0);
        let mut lines: Vec<String> =
            said.rev().map(|series| format!("{}: {}", series.name, self.unit.full(series.at(index)))).collect();
        lines.insert(0, format!("{when}, in all {}", self.unit.full(self.total(index))));
        labelled("title", &[], &lines.join(" · "))
    }

    /// All of it: drawing, legend, numbers.
    fn figure(&self, scale: Scale, ends: (Timestamp, Timestamp), apart: i64, drawn: Html) -> Html {
        let (title, description) = (format!("{}-title", self.id), format!("{}-description", self.id));
        let described = labelled("title", &[("id", &title)], &self.title).and(labelled(
            "desc",
            &[("id", &description)],
            &self.description,
        ));
        let axes = self.axes(scale, ends, apart);
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let by = format!("{title} {description}");
        let attributes = [("viewBox", view.as_str()), ("role", "img"), ("aria-labelledby", &by)];
        let svg = element("svg", &attributes, described.and(axes).and(drawn));
        let svg = element("div", &[("class", "wide")], svg);
        element("figure", &[], svg.and(self.legend()).and(self.numbers()))
    }

    fn axes(&self, scale: Scale, ends: (Timestamp, Timestamp), apart: i64) -> Html {
        let mut html = Html::default();
        let values = self.unit.marks(scale.most);
        for (value, text) in values {
            let y = scale.y(value);
            let class = if value == 0.0 { "axis" } else { "grid" };
            html.push(line(class, (LEFT, y), (RIGHT, y)));
            html.push(label("end", (LEFT - 8.0, y + 4.0), &text));
        }
        let half = scale.x(ends.0 + chrono::TimeDelta::seconds(apart)) - scale.x(ends.0);
        for (at, text) in marks(ends.0, ends.1, apart) {
            let x = scale.x(at) + half / 2.0;
            if (LEFT..=RIGHT).contains(&x) {
                html.push(line("axis", (x, BOTTOM), (x, BOTTOM + 5.0)));
                html.push(label("middle", (x.clamp(LEFT + 12.0, RIGHT - 20.0), BOTTOM + 20.0), &text));
            }
        }
        html.push(label("start", (8.0, 14.0), &self.values));
        html.push(label("end", (RIGHT, HEIGHT - 4.0), "time (UTC)"));
        html
    }

    fn legend(&self) -> Html {
        let entry = |series: &Series| {
            let class = format!("swatch {}", series.class);
            let swatch = element("span", &[("class", &class)], Html::default());
            let told = labelled("b", &[], &self.unit.full(series.told));
            element("li", &[], (swatch.and(Html::text(&series.name)) + " ").and(told))
        };
        element("ul", &[("class", "legend")], self.series.iter().rev().map(entry).collect())
    }

    fn numbers(&self) -> Html {
        let mut columns = vec![("time (UTC)", "text")];
        columns.extend(self.series.iter().rev().map(|series| (series.name.as_str(), "number")));
        columns.push(("in all", "number"));
        let row = |(index, at): (usize, &Timestamp)| {
            let mut cells = vec![Html::text(&stamp(*at))];
            cells.extend(self.series.iter().rev().map(|series| Html::text(&self.unit.full(series.at(index)))));
            cells.push(Html::text(&self.unit.full(self.total(index))));
            cells
        };
        let summary = labelled("summary", &[], "The numbers");
        element("details", &[], summary.and(table(&columns, self.moments.iter().enumerate().map(row))))
    }
}

/// Where on the drawing a time and a value are.
#[derive(Clone, Copy, Debug)]
struct Scale {
    from: f64,
    to: f64,
    most: f64,
    top: f64,
}

impl Scale {
    fn new(chart: &Chart, from: Timestamp, to: Timestamp) -> Self {
        let most = (0..chart.moments.len()).map(|index| chart.total(index)).fold(0.0, f64::max);
        let top = chart.unit.marks(most).last().map_or(1.0, |(value, _)| *value);
        Self { from: seconds(from), to: seconds(to), most, top }
    }

    fn x(&self, at: Timestamp) -> f64 {
        let length = (self.to - self.from).max(1e-3);
        LEFT + (seconds(at) - self.from) / length * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - value / self.top * (BOTTOM - TOP)
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

/// To a tenth: less is not seen.
fn digits(value: f64) -> String {
    format!("{value:.1}")
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Html {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(digits);
    element("line", &[("class", class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)], Html::default())
}

fn label(anchor: &str, at: (f64, f64), text: &str) -> Html {
    labelled("text", &[("x", &digits(at.0)), ("y", &digits(at.1)), ("text-anchor", anchor)], text)
}

fn rectangle(class: &str, from: (f64, f64), to: (f64, f64)) -> Html {
    let [x, y, width, height] = [from.0, from.1, to.0 - from.0, to.1 - from.1].map(|value| digits(value.max(0.0)));
    let attributes = [("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
    element("rect", &attributes, Html::default())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use expect_test::{Expect, expect};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// What is drawn, an element a line, without the frame that all have.
    fn shown(html: Html) -> String {
        let svg = html.into_string().split("</svg>").next().expect("one").replace("><", ">\n<");
        let drawn = ["<rect", "<path", "<title>", "<g"];
        let lines = svg.lines().filter(|line| drawn.iter().any(|begin| line.starts_with(begin)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn check(draw: impl Fn(&Chart) -> Html, values: &[&[f64]], expected: &Expect) {
        let moments = [at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z"), at("2026-11-22T00:00:00Z")];
        let names = ["gone", "<b>new</b>"];
        let series = |(name, values): (&str, &&[f64])| Series {
            name: name.to_owned(),
            class: "s0",
            values: values.to_vec(),
            told: values.iter().sum(),
        };
        let series: Vec<Series> = names.into_iter().zip(values).map(series).collect();
        let chart = Chart {
            id: "changes",
            title: "Changes".to_owned(),
            description: "two sorts".to_owned(),
            values: "changes per day".to_owned(),
            unit: Unit::Count,
            moments: &moments,
            series: &series,
        };
        let drawn = draw(&chart);
        let text = drawn.clone().into_string();
        assert!(text.contains("changes per day") && text.contains("time (UTC)") && text.contains("<desc"), "{text}");
        assert!(!text.contains("<b>new"), "{text}");
        expected.assert_eq(&shown(drawn));
    }

    #[test]
    fn bars_are_stacked() {
        let draw = |chart: &Chart| bars(chart, TimeDelta::days(1));
        for (values, expected) in [
            (
                &[&[1.0, 0.0, 3.0][..], &[2.0, 0.0, 0.0]][..],
                expect![[r#"
                <g>
                <title>2026-11-20 00:00 UTC, in all 3 · &lt;b&gt;new&lt;/b&gt;: 2 · gone: 1</title>
                <rect class="s0" x="178.0" y="182.0" width="60.0" height="76.0">
                <rect class="s0" x="178.0" y="30.0" width="60.0" height="152.0">
                <rect class="touch" x="60.0" y="30.0" width="296.0" height="228.0">
                <g>
                <title>2026-11-21 00:00 UTC, in all 0</title>
                <rect class="touch" x="356.0" y="30.0" width="296.0" height="228.0">
                <g>
                <title>2026-11-22 00:00 UTC, in all 3 · gone: 3</title>
                <rect class="s0" x="770.0" y="30.0" width="60.0" height="228.0">
                <rect class="touch" x="652.0" y="30.0" width="296.0" height="228.0">"#]],
            ),
            (
                &[&[0.0, 0.0, 0.0][..]],
                expect![[r#"
                <g>
                <title>2026-11-20 00:00 UTC, in all 0</title>
                <rect class="touch" x="60.0" y="30.0" width="296.0" height="228.0">
                <g>
                <title>2026-11-21 00:00 UTC, in all 0</title>
                <rect class="touch" x="356.0" y="30.0" width="296.0" height="228.0">
                <g>
                <title>2026-11-22 00:00 UTC, in all 0</title>
                <rect class="touch" x="652.0" y="30.0" width="296.0" height="228.0">"#]],
            ),
        ] {
            check(draw, values, &expected);
        }
    }

    #[test]
    fn areas_are_stacked() {
        for (values, expected) in [
            (
                &[&[1.0, 1.0, 3.0][..], &[2.0, 0.0, 0.0]][..],
                expect![[r#"
                <path class="s0" d="M60.0 182.0L504.0 182.0L948.0 30.0L948.0 258.0L504.0 258.0L60.0 258.0Z">
                <path class="s0" d="M60.0 30.0L504.0 182.0L948.0 30.0L948.0 30.0L504.0 182.0L60.0 182.0Z">
                <g>
                <title>2026-11-20 00:00 UTC, in all 3 · &lt;b&gt;new&lt;/b&gt;: 2 · gone: 1</title>
                <rect class="touch" x="60.0" y="30.0" width="222.0" height="228.0">
                <g>
                <title>2026-11-21 00:00 UTC, in all 1 · gone: 1</title>
                <rect class="touch" x="282.0" y="30.0" width="444.0" height="228.0">
                <g>
                <title>2026-11-22 00:00 UTC, in all 3 · gone: 3</title>
                <rect class="touch" x="726.0" y="30.0" width="222.0" height="228.0">"#]],
            ),
            (
                &[&[0.0, 0.0, 0.0][..]],
                expect![[r#"
                <g>
                <title>2026-11-20 00:00 UTC, in all 0</title>
                <rect class="touch" x="60.0" y="30.0" width="222.0" height="228.0">
                <g>
                <title>2026-11-21 00:00 UTC, in all 0</title>
                <rect class="touch" x="282.0" y="30.0" width="444.0" height="228.0">
                <g>
                <title>2026-11-22 00:00 UTC, in all 0</title>
                <rect class="touch" x="726.0" y="30.0" width="222.0" height="228.0">"#]],
            ),
        ] {
            check(areas, values, &expected);
        }
    }
}
