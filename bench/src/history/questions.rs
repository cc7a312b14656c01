//! What is asked, and how long it may take.

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) name: &'static str,
    /// In the first round, in the second, and so on; then again from the first.
    sql: Vec<String>,
    /// The aim, in milliseconds.
    pub(super) aim: Option<f64>,
    /// Asked once in so many rounds.
    every: usize,
}

impl Question {
    pub(super) fn in_round(&self, round: usize) -> &str {
        &self.sql[round % self.sql.len()]
    }

    pub(super) fn is_asked_in(&self, round: usize) -> bool {
        round.is_multiple_of(self.every)
    }
}

/// All columns of all rows are made, and a number of them sent: what the statement costs, without what its rows
/// cost on their way.
fn made(statement: &str) -> String {
    format!("SELECT count(*) AS n, bit_xor(hash(COLUMNS(*))) FROM ({statement})")
}

/// The questions about some resources, one of which changes all the time, about one account and all. `now` is what
/// relative times are seen from.
pub(super) fn questions(keys: &[String], changing: &str, account: &str, now: &str) -> Vec<Question> {
    let ago = |hours: u32| format!("TIMESTAMPTZ '{now}' - INTERVAL {hours} HOUR");
    let (day, week, month) = (ago(24), ago(24 * 7), ago(24 * 45));
    let ask = |name, aim, sql: String| Question { name, sql: vec![sql], aim: Some(aim), every: 1 };
    let look = |name, sql: String| Question { name, sql: vec![sql], aim: None, every: 1 };
    let history = |key: &str| format!("FROM history('{key}')");
    vec![
        Question { name: "history", sql: keys.iter().map(|key| history(key)).collect(), aim: Some(25.0), every: 1 },
        look("history.changing", history(changing)),
        ask("at.count", 25.0, format!("SELECT count(*) AS n FROM resources_at({month})")),
        ask("at.group", 25.0, format!("SELECT account, type, count(*) AS n FROM resources_at({month}) GROUP BY ALL")),
        ask("at.keys", 120.0, made(&format!("SELECT key, version FROM resources_at({month})"))),
        ask("changes", 60.0, format!("SELECT change, type, count(*) AS n FROM changes_since({day}) GROUP BY ALL")),
        ask("disappeared", 60.0, made(&format!("SELECT key, detected_at, details FROM disappeared_since({day})"))),
        ask("tags", 60.0, made(&format!("SELECT key, tag_keys, details FROM tag_changes_since({day}, ['Team'])"))),
        ask(
            "difference",
            200.0,
            format!("SELECT change, type, count(*) AS n FROM changed_between({week}, {day}) GROUP BY ALL"),
        ),
        ask("difference.fields", 200.0, made(&format!("FROM diff_between({}, {})", ago(5), ago(4)))),
        ask("field", 50.0, "SELECT InstanceType, count(*) AS n FROM ec2_instance GROUP BY 1".to_owned()),
        // takes longer than all others together
        Question {
            every: 5,
            ..look(
                "field.json",
                "SELECT attributes->>'$.InstanceType' AS field, count(*) AS n FROM resources GROUP BY 1".to_owned(),
            )
        },
        ask("account", 1000.0, made(&format!("FROM resources_at({week}) WHERE account = '{account}'"))),
        look("changes.rows", made(&format!("SELECT key, change, diff, details FROM changes_since({day})"))),
        // what any statement takes
        look("nothing", "SELECT 1 AS n".to_owned()),
        look("cost", format!("SELECT type, sum(monthly_cost_usd) AS usd FROM resources_at({week}) GROUP BY ALL")),
    ]
}
