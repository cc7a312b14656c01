//! Rows of `staged_fields`, as Arrow: the one way to append lists.

use std::sync::Arc;

use duckdb::arrow::array::{
    ArrayRef, Float64Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder, UInt64Builder,
};

use crate::fields::Cells;
use crate::store::write::micros;
use crate::version::{Columns, Version};

/// Rows of one record batch: as many as DuckDB takes at once, since of a longer one it copies all lists each time.
const TOGETHER: usize = 2048;

/// Rows being made.
#[derive(Default)]
pub(super) struct Rows {
    /// `type` to `tags`.
    texts: [StringBuilder; 10],
    created_at: Int64Builder,
    monthly_cost_usd: Float64Builder,
    valid_from: Int64Builder,
    first_seen: Int64Builder,
    resource_id: UInt64Builder,
    cells: ListBuilder<StringBuilder>,
    length: usize,
    full: Vec<RecordBatch>,
}

const TEXTS: [&str; 10] = ["type", "key", "provider", "account", "region", "id", "name", "arn", "status", "tags"];

impl Rows {
    /// Adds a resource.
    pub(super) fn push(&mut self, version: &Version, cells: &Cells) {
        let Version { id, columns, valid_from, first_seen, .. } = version;
        let Columns { key, name, arn, status, tags, created_at, monthly_cost_usd, .. } = columns;
        let text = key.to_string();
        let parts = [&key.kind, &text, key.provider.as_str(), &key.account, &key.region, &key.id].map(Some);
        let optional = [name, arn, status, tags].map(Option::as_deref);
        for (builder, text) in self.texts.iter_mut().zip(parts.into_iter().chain(optional)) {
            builder.append_option(text);
        }
        self.created_at.append_option(created_at.map(micros));
        self.monthly_cost_usd.append_option(*monthly_cost_usd);
        self.valid_from.append_value(micros(*valid_from));
        self.first_seen.append_value(micros(*first_seen));
        self.resource_id.append_value(*id);
        self.cells.append_value(cells.iter().map(Option::as_deref));
        self.length += 1;
        if self.length == TOGETHER {
            self.close();
        }
    }

    /// All rows.
    pub(super) fn finish(mut self) -> Vec<RecordBatch> {
        if self.length > 0 {
            self.close();
        }
        self.full
    }

    fn close(&mut self) {
        let texts = TEXTS.iter().zip(&mut self.texts).map(|(name, text)| (*name, Arc::new(text.finish()) as ArrayRef));
        let others: [(&str, ArrayRef); 6] = [
            ("created_at", Arc::new(self.created_at.finish())),
            ("monthly_cost_usd", Arc::new(self.monthly_cost_usd.finish())),
            ("valid_from", Arc::new(self.valid_from.finish())),
            ("first_seen", Arc::new(self.first_seen.finish())),
            ("resource_id", Arc::new(self.resource_id.finish())),
            ("cells", Arc::new(self.cells.finish())),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(texts.chain(others).map(|(name, array)| (name, array, true)));
        self.full.push(batch.expect("columns of one length"));
        self.length = 0;
    }
}
