//! Reads the scalars out of attributes, without making values of what is between them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::layout::{Layout, Scalar};

/// Objects within objects are opened so deep.
const DEEPEST: usize = 8;

/// What one resource has in the columns of its type, as texts; those after the last are absent.
pub(crate) type Cells = Vec<Option<String>>;

impl Layout {
    /// Reads the attributes of one resource, a JSON object, into `cells`. What has no column gets one,
    /// and what does not fit into its column widens it. Arrays and nulls are no scalars.
    pub(crate) fn read(&mut self, attributes: &str, cells: &mut Cells) -> serde_json::Result<()> {
        cells.clear();
        let mut json = serde_json::Deserializer::from_str(attributes);
        json.deserialize_any(Reader { layout: self, cells, place: 0, depth: 0 })
    }
}

/// A value at a place.
struct Reader<'a> {
    layout: &'a mut Layout,
    cells: &'a mut Cells,
    place: usize,
    depth: usize,
}

impl Reader<'_> {
    fn put(self, scalar: Scalar, text: impl ToString) {
        let Some(column) = self.layout.column(self.place, scalar) else { return };
        if self.cells.len() <= column {
            self.cells.resize(column + 1, None);
        }
        self.cells[column] = Some(text.to_string());
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(Scalar::Boolean, value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put(Scalar::Bigint, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put(if i64::try_from(value).is_ok() { Scalar::Bigint } else { Scalar::Double }, value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        // as JSON writes it
        self.put(Scalar::Double, serde_json::Value::from(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.put(Scalar::Varchar, value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self { layout, cells, place, depth } = self;
        if depth == DEEPEST {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(place) = fields.next_key_seed(Key { layout: &mut *layout, parent: place })? {
            fields.next_value_seed(Reader { layout: &mut *layout, cells: &mut *cells, place, depth: depth + 1 })?;
        }
        Ok(())
    }
}

/// A key of an object, which names a place.
struct Key<'a> {
    layout: &'a mut Layout,
    parent: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<usize, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        Ok(self.layout.child(self.parent, key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fields::Column;

    fn read(layout: &mut Layout, attributes: &Value) -> Cells {
        let mut cells = vec![Some("of the row before".to_owned())];
        layout.read(&attributes.to_string(), &mut cells).expect("attributes");
        cells
    }

    /// Columns as `path name TYPE`.
    fn columns(layout: &Layout) -> Vec<String> {
        let line = |Column { path, name, scalar }: &Column| format!("{path} {name} {}", scalar.as_str());
        layout.columns().iter().map(line).collect()
    }

    #[test]
    fn scalars_become_columns() {
        let nine_deep = json!({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1, "i": {"j": 2}}}}}}}}});
        for (rows, expected_columns, expected_cells) in [
            (vec![json!({})], vec![], vec![]),
            (
                vec![json!({"b": true, "d": 1.5, "i": -1, "s": "x\u{0}\"ü"})],
                vec!["/b b BOOLEAN", "/d d DOUBLE", "/i i BIGINT", "/s s VARCHAR"],
                vec![Some("true"), Some("1.5"), Some("-1"), Some("x\u{0}\"ü")],
            ),
            // objects are opened, arrays and nulls are not
            (
                vec![json!({"State": {"Code": 16, "Name": "running"}, "l": [{"a": 1}, 2], "n": null, "o": {}})],
                vec!["/State/Code State_Code BIGINT", "/State/Name State_Name VARCHAR"],
                vec![Some("16"), Some("running")],
            ),
            // what a row lacks
            (vec![json!({"a": 1, "b": 2}), json!({"b": 3})], vec!["/a a BIGINT", "/b b BIGINT"], vec![None, Some("3")]),
            (vec![json!({"a": 1}), json!({"a": null})], vec!["/a a BIGINT"], vec![]),
            // widened
            (vec![json!({"a": 1}), json!({"a": 1.5})], vec!["/a a DOUBLE"], vec![Some("1.5")]),
            (vec![json!({"a": 1.5}), json!({"a": 1})], vec!["/a a DOUBLE"], vec![Some("1")]),
            (vec![json!({"a": u64::MAX})], vec!["/a a DOUBLE"], vec![Some("18446744073709551615")]),
            (vec![json!({"a": true}), json!({"a": 1})], vec!["/a a VARCHAR"], vec![Some("1")]),
            (vec![json!({"a": 1.0}), json!({"a": "x"}), json!({"a": 2.0})], vec!["/a a VARCHAR"], vec![Some("2.0")]),
            // an object here, a scalar there
            (
                vec![json!({"a": {"b": 1}}), json!({"a": 2})],
                vec!["/a/b a_b BIGINT", "/a a BIGINT"],
                vec![None, Some("2")],
            ),
            // names that clash: with what all types have, in another case, once joined
            (
                vec![json!({"A": {"b": 1}, "Status": "x", "a": {"B": 2}, "a_b": 3, "ä/~": 4, "": 5})],
                vec![
                    "/A/b A_b BIGINT",
                    "/Status Status_2 VARCHAR",
                    "/a/B a_B_2 BIGINT",
                    "/a_b a_b_3 BIGINT",
                    "/ä~1~0 ___ BIGINT",
                    "/ _ BIGINT",
                ],
                vec![Some("1"), Some("x"), Some("2"), Some("3"), Some("4"), Some("5")],
            ),
            (vec![nine_deep], vec!["/a/b/c/d/e/f/g/h a_b_c_d_e_f_g_h BIGINT"], vec![Some("1")]),
        ] {
            let mut layout = Layout::new(Vec::new());
            let read_all = |layout: &mut Layout| -> Option<Cells> {
                let mut all: Vec<Cells> = rows.iter().map(|row| read(layout, row)).collect();
                all.pop()
            };
            let cells = read_all(&mut layout).expect("a row");
            assert_eq!(columns(&layout), expected_columns, "{rows:?}");
            assert_eq!(cells.iter().map(Option::as_deref).collect::<Vec<_>>(), expected_cells, "{rows:?}");
            // stored and read again it is the same
            let mut again = Layout::new(layout.columns().to_vec());
            assert_eq!(read_all(&mut again), Some(cells), "{rows:?}");
            assert!(!again.has_changed(), "{rows:?}");
        }
    }

    #[test]
    fn what_is_new_is_told() {
        let mut layout = Layout::new(Vec::new());
        read(&mut layout, &json!({"a": 1, "b": 1}));
        let mut layout = Layout::new(layout.columns().to_vec());
        read(&mut layout, &json!({"b": "x", "c": {"d": 1}}));
        let added = layout.added().map(|(number, column)| (number, column.path.as_str()));
        assert_eq!(added.collect::<Vec<_>>(), [(2, "/c/d")]);
        let widened = layout.widened().map(|(column, before)| (column.path.as_str(), before, column.scalar));
        assert_eq!(widened.collect::<Vec<_>>(), [("/b", Scalar::Bigint, Scalar::Varchar)]);
    }

    #[test]
    fn columns_are_bounded() {
        let mut layout = Layout::new(Vec::new());
        let many: serde_json::Map<String, Value> = (0..400).map(|n| (format!("f{n:03}"), json!(n))).collect();
        let cells = read(&mut layout, &Value::Object(many));
        assert_eq!((layout.columns().len(), cells.len()), (300, 300));
        assert_eq!(cells.last(), Some(&Some("299".to_owned())));
    }
}
