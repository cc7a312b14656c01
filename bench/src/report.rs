//! What a benchmark prints: one JSON object a figure, on standard output.

use std::io::{self, Write};

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured: `pipeline.first_scan.rows`.
    pub bench: String,
    /// The figure.
    pub value: f64,
    /// Its unit: `rows/s`, `s`, `MB` (10^6 bytes), `bytes`, `%`.
    pub unit: &'static str,
    /// The figure divided by that of `against`.
    pub ratio: Option<f64>,
    /// What it is compared with.
    pub against: Option<String>,
}

impl Figure {
    /// A figure by itself.
    #[must_use]
    pub fn new(bench: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { bench: bench.into(), value: round(value), unit, ratio: None, against: None }
    }

    /// The same beside a reference in the same unit.
    #[must_use]
    pub fn against(mut self, reference: f64, what: impl Into<String>) -> Self {
        self.ratio = (reference > 0.0).then(|| round(self.value / reference));
        self.against = Some(what.into());
        self
    }

    /// Prints it as one line.
    pub fn print(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        io::stdout().lock().write_all(&line)
    }
}

/// Four significant digits: more would be noise.
fn round(value: f64) -> f64 {
    format!("{value:.3e}").parse().expect("a formatted number parses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let figure = Figure::new("a", 123_456.0, "rows/s").against(200_000.0, "raw");
        assert_eq!(
            serde_json::to_string(&figure).expect("serialises"),
            r#"{"bench":"a","value":123500.0,"unit":"rows/s","ratio":0.6175,"against":"raw"}"#
        );
    }
}
