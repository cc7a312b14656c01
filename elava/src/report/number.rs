//! Numbers as people read them, and the marks of an axis of values.

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things.
    Count,
    /// US dollars.
    Dollars,
}

impl Unit {
    /// In full.
    pub(super) fn full(self, value: f64) -> String {
        let sign = if value < 0.0 { "−" } else { "" };
        match self {
            Self::Count => format!("{sign}{}", grouped(value.abs(), 0)),
            Self::Dollars => format!("{sign}${}", grouped(value.abs(), 2)),
        }
    }

    /// With its sign.
    pub(super) fn signed(self, value: f64) -> String {
        if value > 0.0 { format!("+{}", self.full(value)) } else { self.full(value) }
    }

    /// In short, for an axis.
    fn short(self, value: f64) -> String {
        let (value, suffix) = match value {
            1e9.. => (value / 1e9, "G"),
            1e6.. => (value / 1e6, "M"),
            1e3.. => (value / 1e3, "k"),
            _ => (value, ""),
        };
        let is_whole = |value: f64| (value - value.round()).abs() < 1e-6;
        let digits = match (self, suffix) {
            _ if is_whole(value) => 0,
            (Self::Dollars, "") => 2,
            _ if is_whole(value * 10.0) => 1,
            _ => 2,
        };
        match self {
            Self::Count => format!("{value:.digits$}{suffix}"),
            Self::Dollars => format!("${value:.digits$}{suffix}"),
        }
    }

    /// The marks from zero to at least `most`: four to six, at round values.
    pub(super) fn marks(self, most: f64) -> Vec<(f64, String)> {
        // things are counted whole
        let least = if self == Self::Count { 1.0 } else { 0.01 };
        let rough = (most / 5.0).max(least);
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0].map(|times| times * power).into_iter().find(|step| *step >= rough - 1e-9);
        let step = step.unwrap_or(10.0 * power);
        let marks = (0..=6).map(|index| f64::from(index) * step);
        let mut marks: Vec<f64> = marks.take_while(|value| *value < most + step - 1e-9).collect();
        if marks.len() < 2 {
            marks = vec![0.0, step];
        }
        marks.into_iter().map(|value| (value, self.short(value))).collect()
    }
}

/// With commas between thousands.
pub(crate) fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

/// `1 change`, `2 changes`.
pub(super) fn of(count: usize, one: &str, several: &str) -> String {
    format!("{} {}", grouped(count as f64, 0), if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn numbers_read_well() {
        for (unit, value, expected) in [
            (Unit::Count, 0.0, "0"),
            (Unit::Count, 999.0, "999"),
            (Unit::Count, 1_234_567.0, "1,234,567"),
            (Unit::Dollars, 0.5, "$0.50"),
            (Unit::Dollars, 12_345.678, "$12,345.68"),
            (Unit::Dollars, -1234.0, "−$1,234.00"),
        ] {
            assert_eq!(unit.full(value), expected);
        }
        assert_eq!(Unit::Dollars.signed(3.0), "+$3.00");
        assert_eq!(of(1, "change", "changes"), "1 change");
    }

    #[test]
    fn axes_have_round_marks_up_to_what_is_drawn() {
        let mut lines = String::new();
        for (unit, most) in [
            (Unit::Count, 0.0),
            (Unit::Count, 1.0),
            (Unit::Count, 7.0),
            (Unit::Count, 10.0),
            (Unit::Count, 1_234.0),
            (Unit::Dollars, 0.03),
            (Unit::Dollars, 0.9),
            (Unit::Dollars, 23.4),
            (Unit::Dollars, 8_765_432.1),
        ] {
            let marks = unit.marks(most);
            assert!(marks.last().is_some_and(|(last, _)| *last >= most), "{most}");
            let texts: Vec<String> = marks.into_iter().map(|(_, text)| text).collect();
            lines += &format!("{most}: {}\n", texts.join(" "));
        }
        expect![[r#"
            0: 0 1
            1: 0 1
            7: 0 2 4 6 8
            10: 0 2 4 6 8 10
            1234: 0 500 1k 1.5k
            0.03: $0 $0.01 $0.02 $0.03
            0.9: $0 $0.20 $0.40 $0.60 $0.80 $1
            23.4: $0 $5 $10 $15 $20 $25
            8765432.1: $0 $2M $4M $6M $8M $10M
        "#]]
        .assert_eq(&lines);
    }
}
