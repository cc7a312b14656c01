//! Bars: how many in each stretch of time, one sort on another.

use chrono::TimeDelta;

use super::{BOTTOM, Chart, Scale, TOP, rectangle};
use crate::report::html::{Html, element};
use crate::report::time::stamp;

/// Draws them; each moment is when a bar's time begins, and it is `length` long.
pub(in crate::report) fn bars(chart: &Chart, length: TimeDelta) -> Html {
    let [first, .., last] = chart.moments else {
        return one(chart, length);
    };
    drawn(chart, length, Scale::new(chart, *first, *last + length), (*first, *last + length))
}

/// A time as long as one bar.
fn one(chart: &Chart, length: TimeDelta) -> Html {
    let Some(only) = chart.moments.first() else { return Html::default() };
    drawn(chart, length, Scale::new(chart, *only, *only + length), (*only, *only + length))
}

fn drawn(
    chart: &Chart,
    length: TimeDelta,
    scale: Scale,
    ends: (elava_schemas::Timestamp, elava_schemas::Timestamp),
) -> Html {
    let mut html = Html::default();
    for (index, begin) in chart.moments.iter().enumerate() {
        let (left, right) = (scale.x(*begin), scale.x(*begin + length));
        // a fifth is left between two, and one alone is not a wall
        let gap = ((right - left) * 0.1).max((right - left - 60.0) / 2.0);
        let mut bar = chart.told_at(index, &format!("{} UTC", stamp(*begin)));
        let mut base = 0.0;
        for series in chart.series {
            let value = series.at(index);
            if value > 0.0 {
                let (from, to) = ((left + gap, scale.y(base + value)), (right - gap, scale.y(base)));
                bar.push(rectangle(series.class, from, to));
                base += value;
            }
        }
        // where one points, whatever is drawn there
        bar.push(rectangle("touch", (left, TOP), (right, BOTTOM)));
        html.push(element("g", &[], bar));
    }
    chart.figure(scale, ends, length.num_seconds(), html)
}
