//! The tables of an export, and how each of them grows.

/// A table as it is exported.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) growth: Growth,
}

/// What a later export adds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Growth {
    /// All of it again: rows change.
    Whole,
    /// New rows only, by the day of this column.
    Appended {
        time: &'static str,
        /// Grows with every row.
        mark: Mark,
    },
}

/// By what new rows are known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// The transaction that closed the version.
    ClosedIn,
    /// The row's own number: nothing is ever deleted from these tables.
    Row,
}

impl Mark {
    /// The rows after `mark`; all where there is none. A number in the text, so that DuckDB skips what lies before.
    pub(super) fn after(self, mark: Option<u64>) -> String {
        match (self, mark) {
            (_, None) => "true".to_owned(),
            (Self::ClosedIn, Some(mark)) => format!("closed_in > {mark}"),
            (Self::Row, Some(mark)) => format!("rowid > {mark}"),
        }
    }

    /// The greatest mark there is.
    pub(super) fn last(self) -> &'static str {
        match self {
            Self::ClosedIn => "max(closed_in)",
            Self::Row => "max(rowid)",
        }
    }
}

const fn whole(name: &'static str) -> Table {
    Table { name, growth: Growth::Whole }
}

const fn appended(name: &'static str, time: &'static str) -> Table {
    Table { name, growth: Growth::Appended { time, mark: Mark::Row } }
}

/// Everything but what the detector keeps for itself (`positions`, `outbox`, `rejections`, `commits`, `migrations`).
pub(super) const TABLES: &[Table] = &[
    whole("about"),
    whole("keys"),
    whole("current"),
    Table { name: "closed", growth: Growth::Appended { time: "valid_to", mark: Mark::ClosedIn } },
    appended("changes", "detected_at"),
    appended("scans", "finished_at"),
    whole("violations"),
    whole("thinned"),
    appended("policy_errors", "evaluated_at"),
    appended("decisions", "decided_at"),
    appended("approvals", "given_at"),
    appended("executions", "executed_at"),
    appended("deliveries", "delivered_at"),
];
