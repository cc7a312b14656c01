//! Every statement of the cookbook runs and answers what the cookbook says.

use expect_test::expect_file;

use crate::story::Story;

const COOKBOOK: &str = include_str!("../../../docs/sql-cookbook.md");

/// As in the cookbook: columns under their names.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let longest =
        |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(longest).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[test]
fn every_statement_answers_what_the_cookbook_says() {
    check(&Story::open());
}

/// Asks every question of a history that has been told the story.
pub(crate) fn check(story: &Story) {
    let mut fresh = String::new();
    let mut rest = COOKBOOK;
    let mut questions = 0;
    while let Some((text, tail)) = rest.split_once("```sql\n") {
        let (sql, tail) = tail.split_once("```\n").expect("the statement ends");
        let (between, tail) = tail.split_once("```text\n").expect("an answer follows");
        assert_eq!(between.trim(), "", "the answer follows at once: {sql}");
        // an empty answer's fence follows at once
        let end = if tail.starts_with("```") { 0 } else { tail.find("\n```").expect("the answer ends") + 1 };
        let answer = story.rows(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        assert!(answer.len() > 1, "a question without an answer shows nothing: {sql}");
        fresh += &format!("{text}```sql\n{sql}```\n\n```text\n{}", table(&answer));
        rest = &tail[end..];
        questions += 1;
    }
    assert_eq!(questions, 26);
    expect_file!["../../../docs/sql-cookbook.md"].assert_eq(&(fresh + rest));
}
