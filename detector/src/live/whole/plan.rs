//! How a statement over a history in several files is taken apart. Pure.
//!
//! Every view and macro of the history is about one resource or one scope, and all of a scope is in one shard: so the
//! rows of a relation are those of all shards together. Each shard is asked for the relation, with the columns and
//! conditions of the statement that are about it alone; the statement itself then runs over what they gave.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::REPEATED;
use crate::live::judge::Refusal;

/// A statement, and what it needs of every shard. Statements are as `json_serialize_sql` gives them.
#[derive(Debug)]
pub(super) struct Plan {
    /// Over the tables of the parts.
    pub(super) statement: Value,
    pub(super) parts: Vec<Part>,
}

/// The rows of one relation.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// Its name.
    pub(super) relation: String,
    /// What every shard is asked.
    pub(super) query: Value,
    /// Whether this shard knows the relation: a resource type may be another's alone.
    pub(super) is_known: bool,
}

/// What is known of relations.
pub(super) trait Catalog {
    /// The columns of a query's result; `None` where this shard does not know it.
    fn columns(&self, query: &Value) -> Option<Vec<String>>;
    /// Whether it is a table macro of the history.
    fn is_macro(&self, name: &str) -> bool;
    /// The order that a table macro gives its rows.
    fn order_of(&self, name: &str) -> Option<Value>;
}

/// Takes a statement apart; `table` names the table of a part.
pub(super) fn plan(
    parsed: &Value,
    catalog: &dyn Catalog,
    table: &dyn Fn(usize) -> [String; 3],
) -> Result<Plan, Refusal> {
    let mut words = Words::default();
    words.read(parsed);
    let mut statement = parsed.clone();
    let mut planner = Planner { catalog, table, words, parts: Vec::new() };
    planner.walk(&mut statement, &[])?;
    Ok(Plan { statement, parts: planner.parts })
}

/// What a statement says, wherever it says it.
#[derive(Debug, Default)]
struct Words {
    /// Every text in lower case: what names no column here is not needed of any relation.
    all: HashSet<String>,
    /// What stands alone where a value is: a column, or a whole row by the name of its relation.
    alone: HashSet<String>,
    /// Whether columns are meant that are not named.
    unnamed: bool,
}

impl Words {
    fn read(&mut self, node: &Value) {
        match node {
            Value::String(text) => drop(self.all.insert(text.to_lowercase())),
            Value::Array(nodes) => nodes.iter().for_each(|node| self.read(node)),
            Value::Object(fields) => {
                let kind = text(node, "type");
                self.unnamed |= matches!(kind, "STAR" | "POSITIONAL_REFERENCE") || text(node, "ref_type") == "NATURAL";
                if kind == "COLUMN_REF"
                    && let Some([Value::String(name)]) = node["column_names"].as_array().map(Vec::as_slice)
                {
                    self.alone.insert(name.to_lowercase());
                }
                fields.values().for_each(|node| self.read(node));
            }
            _ => {}
        }
    }
}

struct Planner<'a> {
    catalog: &'a dyn Catalog,
    table: &'a dyn Fn(usize) -> [String; 3],
    words: Words,
    parts: Vec<Part>,
}

impl Planner<'_> {
    /// `known` are the common table expressions that can be meant here.
    fn walk(&mut self, node: &mut Value, known: &[String]) -> Result<(), Refusal> {
        match node {
            Value::Array(nodes) => nodes.iter_mut().try_for_each(|node| self.walk(node, known)),
            Value::Object(_) => match text(node, "type") {
                // what columns there are, every shard knows
                "SHOW_REF" if text(node, "show_type") != "SUMMARY" => Ok(()),
                "BASE_TABLE" | "TABLE_FUNCTION" => self.relation(node, known, &Value::Null),
                kind if kind.ends_with("_NODE") => self.query(node, known),
                _ => self.fields(node, known, &[]),
            },
            _ => Ok(()),
        }
    }

    fn fields(&mut self, node: &mut Value, known: &[String], but: &[&str]) -> Result<(), Refusal> {
        let Value::Object(fields) = node else { return Ok(()) };
        let others = fields.iter_mut().filter(|(name, _)| !but.contains(&name.as_str()));
        others.into_iter().try_for_each(|(_, node)| self.walk(node, known))
    }

    fn query(&mut self, node: &mut Value, known: &[String]) -> Result<(), Refusal> {
        let mut known = known.to_vec();
        known.extend(node["cte_name"].as_str().map(str::to_lowercase));
        for expression in node["cte_map"]["map"].as_array_mut().into_iter().flatten() {
            self.walk(&mut expression["value"], &known)?;
            known.extend(expression["key"].as_str().map(str::to_lowercase));
        }
        let condition = node["where_clause"].clone();
        let mut from = node["from_table"].take();
        match text(&from, "type") {
            "BASE_TABLE" | "TABLE_FUNCTION" => self.relation(&mut from, &known, &condition)?,
            _ => self.walk(&mut from, &known)?,
        }
        if !from.is_null() {
            node["from_table"] = from;
        }
        self.fields(node, &known, &["cte_map", "from_table"])
    }

    /// Puts the table of a part where a relation is.
    fn relation(&mut self, node: &mut Value, known: &[String], condition: &Value) -> Result<(), Refusal> {
        let name = match text(node, "type") {
            "BASE_TABLE" => text(node, "table_name").to_lowercase(),
            _ => text(&node["function"], "function_name").to_lowercase(),
        };
        let is_macro = text(node, "type") == "TABLE_FUNCTION";
        if is_macro && !self.catalog.is_macro(&name) {
            return self.fields(node, known, &[]);
        }
        if is_macro {
            check_arguments(node, &name)?;
        } else if is_local(node, &name) || (text(node, "schema_name").is_empty() && known.contains(&name)) {
            return Ok(());
        }
        let alias = Some(text(node, "alias")).filter(|alias| !alias.is_empty()).unwrap_or(&name).to_owned();
        let order = if is_macro { self.catalog.order_of(&name) } else { None };
        let mut source = node.clone();
        source["alias"] = json!(alias);
        source["sample"] = Value::Null;
        source["column_name_alias"] = json!([]);
        if !is_macro {
            // each shard's file has a name of its own
            source["catalog_name"] = json!("");
        }
        let available = self.catalog.columns(&select(json!([star()]), source.clone(), Value::Null));
        let wanted = if REPEATED.contains(&name.as_str()) {
            // equal rows of several shards are one: what tells rows of one shard apart is needed
            json!([star()])
        } else {
            self.wanted(node, &alias, available.as_deref(), order.as_ref())
        };
        let is_known = available.is_some();
        let pushed = available.map_or(Value::Null, |columns| pushed(condition, &alias, &columns));
        let query = select(wanted, source, pushed);
        let part = Part { relation: name, query, is_known };
        let number = self.parts.iter().position(|known| *known == part).unwrap_or(self.parts.len());
        if number == self.parts.len() {
            self.parts.push(part);
        }
        *node = self.reference(number, node, &alias, order);
        Ok(())
    }

    /// What is selected of a relation.
    fn wanted(&self, node: &Value, alias: &str, available: Option<&[String]>, order: Option<&Value>) -> Value {
        let is_renamed = node["column_name_alias"].as_array().is_some_and(|names| !names.is_empty());
        let Some(available) = available.filter(|_| !self.words.unnamed && !is_renamed) else {
            return json!([star()]);
        };
        let alias = alias.to_lowercase();
        let is_column = |name: &str| available.iter().any(|column| column.to_lowercase() == name);
        if self.words.alone.contains(&alias) && !is_column(&alias) {
            return json!([star()]);
        }
        let mut ordering = Words::default();
        order.into_iter().for_each(|order| ordering.read(order));
        if ordering.unnamed {
            return json!([star()]);
        }
        let is_said = |name: &String| {
            let name = name.to_lowercase();
            self.words.all.contains(&name) || ordering.all.contains(&name)
        };
        let named: Vec<Value> = available.iter().filter(|name| is_said(name)).map(|name| column(name)).collect();
        // only how many there are
        if named.is_empty() { json!([one()]) } else { Value::Array(named) }
    }

    /// The table of a part, in place of `node`.
    fn reference(&self, number: usize, node: &Value, alias: &str, order: Option<Value>) -> Value {
        let [catalog, schema, table] = (self.table)(number);
        let mut reference = json!({
            "type": "BASE_TABLE", "alias": alias, "sample": node["sample"], "query_location": NOWHERE,
            "schema_name": schema, "table_name": table, "column_name_alias": node["column_name_alias"],
            "catalog_name": catalog, "at_clause": null,
        });
        let Some(order) = order else { return reference };
        reference["column_name_alias"] = json!([]);
        reference["sample"] = Value::Null;
        let mut ordered = select_node(json!([star()]), reference, Value::Null);
        ordered["modifiers"] = json!([order]);
        json!({
            "type": "SUBQUERY", "alias": alias, "sample": node["sample"], "query_location": NOWHERE,
            "subquery": { "node": ordered, "named_param_map": [] }, "column_name_alias": node["column_name_alias"],
        })
    }
}

/// No place in a text, as DuckDB has it.
const NOWHERE: u64 = u64::MAX;

/// Which shard is asked must not depend on what another one answers.
fn check_arguments(node: &Value, name: &str) -> Result<(), Refusal> {
    let is_ordered = text(node, "with_ordinality") == "WITH_ORDINALITY";
    if is_ordered || node["function"]["children"].as_array().is_some_and(|arguments| arguments.iter().any(depends)) {
        return Err(Refusal::Scattered(format!("{name}()")));
    }
    Ok(())
}

/// Whether a value is of rows.
fn depends(node: &Value) -> bool {
    match node {
        Value::Array(nodes) => nodes.iter().any(depends),
        Value::Object(fields) => {
            text(node, "type") == "COLUMN_REF" || text(node, "class") == "SUBQUERY" || fields.values().any(depends)
        }
        _ => false,
    }
}

/// Whether it is what DuckDB says of itself: each shard its own.
fn is_local(node: &Value, name: &str) -> bool {
    ["information_schema", "pg_catalog"].iter().any(|schema| text(node, "schema_name").eq_ignore_ascii_case(schema))
        || ["duckdb_", "pragma_", "sqlite_", "pg_"].iter().any(|prefix| name.starts_with(prefix))
}

/// The conditions, of those that all must hold, that are about this relation alone.
fn pushed(condition: &Value, alias: &str, columns: &[String]) -> Value {
    let conditions = match text(condition, "type") {
        "" => return Value::Null,
        "CONJUNCTION_AND" => condition["children"].as_array().map(Vec::as_slice).unwrap_or_default(),
        _ => std::slice::from_ref(condition),
    };
    let own: Vec<&Value> = conditions.iter().filter(|condition| is_about(condition, alias, columns)).collect();
    match own.as_slice() {
        [] => Value::Null,
        [only] => (*only).clone(),
        _ => json!({
            "class": "CONJUNCTION", "type": "CONJUNCTION_AND", "alias": "", "query_location": NOWHERE, "children": own,
        }),
    }
}

fn is_about(node: &Value, alias: &str, columns: &[String]) -> bool {
    let is_column =
        |name: &Value| name.as_str().is_some_and(|name| columns.iter().any(|column| column.eq_ignore_ascii_case(name)));
    match node {
        Value::Array(nodes) => nodes.iter().all(|node| is_about(node, alias, columns)),
        Value::Object(fields) => match (text(node, "class"), text(node, "type")) {
            ("SUBQUERY" | "WINDOW" | "PARAMETER", _) | (_, "STAR" | "POSITIONAL_REFERENCE") => false,
            (_, "COLUMN_REF") => match node["column_names"].as_array().map(Vec::as_slice) {
                Some([name]) => is_column(name),
                // of the relation, or a field of a column
                Some([first, second, ..]) => {
                    let is_ours = first.as_str().is_some_and(|first| first.eq_ignore_ascii_case(alias));
                    (is_ours && is_column(second)) || (!is_ours && is_column(first))
                }
                _ => false,
            },
            _ => {
                let function = text(node, "function_name");
                !is_chance(function) && fields.values().all(|node| is_about(node, alias, columns))
            }
        },
        _ => true,
    }
}

/// Whether each shard would find something else.
fn is_chance(function: &str) -> bool {
    function.contains("random") || function.contains("uuid") || function == "setseed"
}

fn select(what: Value, from: Value, condition: Value) -> Value {
    let node = select_node(what, from, condition);
    json!({ "error": false, "statements": [{ "node": node, "named_param_map": [] }] })
}

fn select_node(what: Value, from: Value, condition: Value) -> Value {
    json!({
        "type": "SELECT_NODE", "modifiers": [], "cte_map": { "map": [] }, "select_list": what, "from_table": from,
        "where_clause": condition, "group_expressions": [], "group_sets": [],
        "aggregate_handling": "STANDARD_HANDLING", "having": null, "sample": null, "qualify": null,
    })
}

fn star() -> Value {
    json!({
        "class": "STAR", "type": "STAR", "alias": "", "query_location": NOWHERE, "relation_name": "", "exclude_list": [],
        "replace_list": [], "columns": false, "expr": null, "qualified_exclude_list": [], "rename_list": [],
    })
}

fn column(name: &str) -> Value {
    json!({
        "class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": NOWHERE, "column_names": [name],
    })
}

fn one() -> Value {
    let value = json!({ "type": { "id": "INTEGER", "type_info": null }, "is_null": false, "value": 1 });
    json!({
        "class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "one", "query_location": NOWHERE, "value": value,
    })
}

fn text<'a>(node: &'a Value, name: &str) -> &'a str {
    node.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use duckdb::Connection;
    use expect_test::{Expect, expect};

    use super::*;

    struct Known(Connection);

    impl Known {
        fn open() -> Self {
            let connection = Connection::open_in_memory().expect("a database");
            let schema =
                "CREATE TABLE versions (key VARCHAR, account VARCHAR, tags MAP(VARCHAR, VARCHAR), valid_from INT);
                CREATE TABLE deliveries (delivery_id VARCHAR, outcome VARCHAR);
                CREATE MACRO at_time(t) AS TABLE SELECT * FROM versions WHERE valid_from <= t;
                CREATE MACRO sorted(t) AS TABLE SELECT * FROM versions ORDER BY valid_from DESC, key;";
            connection.execute_batch(schema).expect("relations");
            Self(connection)
        }

        fn text(&self, parsed: &Value) -> String {
            let text =
                self.0.query_row("SELECT json_deserialize_sql(?::VARCHAR)", [parsed.to_string()], |row| row.get(0));
            text.expect("a statement")
        }

        fn parse(&self, sql: &str) -> Value {
            let parsed: String =
                self.0.query_row("SELECT json_serialize_sql(?::VARCHAR)", [sql], |row| row.get(0)).expect("a tree");
            serde_json::from_str(&parsed).expect("JSON")
        }
    }

    impl Catalog for Known {
        fn columns(&self, query: &Value) -> Option<Vec<String>> {
            let mut statement = self.0.prepare(&self.text(query)).ok()?;
            drop(statement.query([]).ok()?);
            Some(statement.column_names())
        }

        fn is_macro(&self, name: &str) -> bool {
            ["at_time", "sorted"].contains(&name)
        }

        fn order_of(&self, name: &str) -> Option<Value> {
            let sorted = self.parse("SELECT 1 ORDER BY valid_from DESC, key");
            (name == "sorted").then(|| sorted["statements"][0]["node"]["modifiers"][0].clone())
        }
    }

    fn check(sql: &str, expected: &Expect) {
        let known = Known::open();
        let parts = |number: usize| ["r".to_owned(), "main".to_owned(), format!("part_{number}")];
        let said = match plan(&known.parse(sql), &known, &parts) {
            Ok(plan) => {
                let asked = plan.parts.iter().map(|part| format!("{}: {}\n", part.relation, known.text(&part.query)));
                asked.collect::<String>() + &known.text(&plan.statement)
            }
            Err(refusal) => refusal.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn statements_are_taken_apart() {
        for (sql, expected) in [
            ("SELECT 1", expect!["SELECT 1"]),
            ("FROM range(3)", expect![[r#"SELECT * FROM "range"(3)"#]]),
            ("FROM duckdb_tables", expect!["SELECT * FROM duckdb_tables"]),
            ("DESCRIBE versions", expect!["DESCRIBE (SELECT * FROM versions)"]),
            (
                "FROM versions",
                expect![[r#"
                versions: SELECT * FROM versions AS versions
                SELECT * FROM r.main.part_0 AS versions"#]],
            ),
            (
                "SUMMARIZE versions",
                expect![[r#"
                versions: SELECT * FROM versions AS versions
                SUMMARIZE (SELECT * FROM r.main.part_0 AS versions)"#]],
            ),
            (
                "SELECT count(*) FROM versions v",
                expect![[r#"
                versions: SELECT 1 AS one FROM versions AS v
                SELECT count_star() FROM r.main.part_0 AS v"#]],
            ),
            (
                "SELECT outcome, count(*) FROM deliveries GROUP BY ALL",
                expect![[r#"
                deliveries: SELECT * FROM deliveries AS deliveries
                SELECT outcome, count_star() FROM r.main.part_0 AS deliveries GROUP BY ALL"#]],
            ),
            (
                "SELECT account, count(*) FROM at_time(3) GROUP BY ALL",
                expect![[r#"
                at_time: SELECT account FROM at_time(3) AS at_time
                SELECT account, count_star() FROM r.main.part_0 AS at_time GROUP BY ALL"#]],
            ),
            (
                "SELECT key FROM versions WHERE tags['a'] = 'b' AND random() > 0.5 AND v > 1",
                expect![[r#"
                versions: SELECT "key", tags FROM versions AS versions WHERE (tags['a'] = 'b')
                SELECT "key" FROM r.main.part_0 AS versions WHERE ((tags['a'] = 'b') AND (random() > 0.5) AND (v > 1))"#]],
            ),
            (
                "SELECT v.key FROM versions v, versions w WHERE v.key = w.key",
                expect![[r#"
                versions: SELECT "key" FROM versions AS v
                versions: SELECT "key" FROM versions AS w
                SELECT v."key" FROM r.main.part_0 AS v , r.main.part_1 AS w WHERE (v."key" = w."key")"#]],
            ),
            (
                "SELECT v FROM versions v",
                expect![[r#"
                versions: SELECT * FROM versions AS v
                SELECT v FROM r.main.part_0 AS v"#]],
            ),
            (
                "SELECT a FROM versions v(a)",
                expect![[r#"
                versions: SELECT * FROM versions AS v
                SELECT a FROM r.main.part_0 AS v(a)"#]],
            ),
            (
                "SELECT key FROM sorted(1) WHERE account = 'x'",
                expect![[r#"
                sorted: SELECT "key", account, valid_from FROM "sorted"(1) AS "sorted" WHERE (account = 'x')
                SELECT "key" FROM (SELECT * FROM r.main.part_0 AS "sorted" ORDER BY valid_from DESC, "key") AS "sorted" WHERE (account = 'x')"#]],
            ),
            (
                "WITH versions AS (FROM versions WHERE key = 'a') SELECT account FROM versions",
                expect![[r#"
                versions: SELECT * FROM versions AS versions WHERE ("key" = 'a')
                WITH versions AS (SELECT * FROM r.main.part_0 AS versions WHERE ("key" = 'a'))SELECT account FROM versions"#]],
            ),
            (
                "SELECT key FROM versions WHERE EXISTS (FROM at_time(1) o WHERE o.key = versions.key)",
                expect![[r#"
                versions: SELECT * FROM versions AS versions
                at_time: SELECT * FROM at_time(1) AS o
                SELECT "key" FROM r.main.part_0 AS versions WHERE EXISTS(SELECT * FROM r.main.part_1 AS o WHERE (o."key" = versions."key"))"#]],
            ),
            (
                "SELECT key FROM versions UNION SELECT account FROM versions ORDER BY 1 LIMIT 3",
                expect![[r#"
                versions: SELECT "key", account FROM versions AS versions
                versions: SELECT "key", account FROM versions AS versions
                (SELECT "key" FROM r.main.part_0 AS versions) UNION (SELECT account FROM r.main.part_1 AS versions) ORDER BY 1 LIMIT 3"#]],
            ),
            (
                "FROM range(3) r(n), at_time(n)",
                expect!["the history is in several shards: the arguments of at_time() must be constants there"],
            ),
            (
                "FROM at_time((SELECT max(valid_from) FROM versions))",
                expect!["the history is in several shards: the arguments of at_time() must be constants there"],
            ),
        ] {
            check(sql, &expected);
        }
    }
}
