//! Areas: how much there was at each moment, one sort on another.

use std::fmt::Write as _;

use super::{BOTTOM, Chart, LEFT, RIGHT, Scale, TOP, digits, rectangle};
use crate::report::html::{Html, element};
use crate::report::time::stamp;

/// Draws them.
pub(in crate::report) fn areas(chart: &Chart) -> Html {
    let (Some(first), Some(last)) = (chart.moments.first(), chart.moments.last()) else { return Html::default() };
    let scale = Scale::new(chart, *first, *last);
    let mut html = Html::default();
    let mut base = vec![0.0; chart.moments.len()];
    for series in chart.series {
        let top: Vec<f64> = base.iter().enumerate().map(|(index, base)| base + series.at(index)).collect();
        if top != base {
            let path = path(chart, scale, &base, &top);
            html.push(element("path", &[("class", series.class), ("d", &path)], Html::default()));
        }
        base = top;
    }
    for (index, at) in chart.moments.iter().enumerate() {
        // from half-way to the moment before until half-way to the next
        let x = scale.x(*at);
        let side = |other: Option<&elava_schemas::Timestamp>, end: f64| {
            other.map_or(end, |other| f64::midpoint(x, scale.x(*other)))
        };
        let left = side(index.checked_sub(1).and_then(|before| chart.moments.get(before)), LEFT);
        let right = side(chart.moments.get(index + 1), RIGHT);
        let told = chart.told_at(index, &format!("{} UTC", stamp(*at)));
        html.push(element("g", &[], told.and(rectangle("touch", (left, TOP), (right, BOTTOM)))));
    }
    chart.figure(scale, (*first, *last), 0, html)
}

/// Along the upper edge, and back along the lower one.
fn path(chart: &Chart, scale: Scale, base: &[f64], top: &[f64]) -> String {
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        chart.moments.iter().zip(values).map(|(at, value)| (scale.x(*at), scale.y(*value))).collect()
    };
    let mut path = String::new();
    for (index, (x, y)) in points(top).into_iter().chain(points(base).into_iter().rev()).enumerate() {
        write!(path, "{}{} {}", if index == 0 { "M" } else { "L" }, digits(x), digits(y)).expect("a string");
    }
    path + "Z"
}
