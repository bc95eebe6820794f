//! Whom an enrollment alone would have told of a session, and a pass would not: where Laravel's log counts others than
//! we do.

use chrono::NaiveDateTime;
use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use super::{facts::words, tables::Platform, view::Condition};
use crate::{
    db::{Db, Lossy, ViewSql},
    time::DIGITS,
};

/// Why the count of active enrollments is another one than ours.
#[derive(Debug, PartialEq, Eq)]
pub enum Why {
    /// Enrolled, and barred by a condition of the view: what it says, and its column.
    Barred(&'static str, String),
    /// No longer enrolled since the log was written.
    Left,
    /// Enrolled since then.
    Joined,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text, deserialize_as = Lossy)]
    why: String,
    #[diesel(sql_type = Text, deserialize_as = Lossy)]
    people: String,
}

const LEFT: &str = "left";
const JOINED: &str = "joined";
const NOBODY: &str = "users.id";
const STATUS: &str = "enrollments.status";

/// How many people there are of each kind; `since`: when the log was written. (In SQL of its own, since the tables'
/// columns are known only when it runs.)
pub fn differences(
    db: &mut Db,
    platform: &Platform,
    session: i64,
    since: NaiveDateTime,
) -> QueryResult<Vec<(Why, usize)>> {
    let cases = cases(platform, &db.dialect().view_sql, since);
    let query = format!(
        "SELECT why AS why, CAST(count(DISTINCT user_id) AS CHAR(20)) AS people
        FROM (SELECT e.user_id AS user_id, CASE {} END AS why
            FROM course_sessions s JOIN enrollments e ON e.course_id = s.course_id LEFT JOIN users u ON u.id = e.user_id
            WHERE s.id = {session}) enrolled
        WHERE why IS NOT NULL GROUP BY why ORDER BY why",
        cases.join(" ")
    );
    let rows: Vec<Row> = sql_query(query).load(db)?;
    let count = |row: Row| Some((why(&row.why)?, row.people.trim().parse().ok()?));
    Ok(rows.into_iter().filter_map(count).collect())
}

/// The first that holds says why; for whom none does, both count alike.
fn cases(platform: &Platform, sql: &ViewSql, since: NaiveDateTime) -> Vec<String> {
    let since = since.format(DIGITS).to_string();
    let of = |table| {
        let conditions = Condition::of(sql, table).into_iter();
        conditions.filter_map(|condition| barred(platform, &condition, &since))
    };
    let nobody = format!("WHEN u.id IS NULL THEN '{NOBODY}'");
    let joined = format!("WHEN e.created_at > '{since}' THEN '{JOINED}'");
    of("enrollments")
        .chain([nobody])
        .chain(of("users"))
        .chain(has_times(platform).then_some(joined))
        .collect()
}

/// Whom a condition bars; `None` where the platform has no such column.
fn barred(platform: &Platform, condition: &Condition, since: &str) -> Option<String> {
    let column = format!("{}.{}", condition.table, condition.column);
    let fails = format!("NOT coalesce({}, false)", condition.sql);
    if column != STATUS {
        let has = platform.has(condition.table, condition.column);
        return has.then(|| format!("WHEN {fails} THEN '{column}'"));
    }
    // Laravel has counted the active ones: those who are not so any more are only missing where they were so then.
    let left = match has_times(platform) {
        true => format!("e.created_at <= '{since}' AND e.updated_at > '{since}'"),
        false => "1 = 0".to_owned(),
    };
    Some(format!(
        "WHEN {fails} THEN CASE WHEN {left} THEN '{LEFT}' END"
    ))
}

fn has_times(platform: &Platform) -> bool {
    let has = |column| platform.has("enrollments", column);
    has("created_at") && has("updated_at")
}

fn why(code: &str) -> Option<Why> {
    match code.trim() {
        LEFT => Some(Why::Left),
        JOINED => Some(Why::Joined),
        NOBODY => Some(Why::Barred("there is no such user", NOBODY.to_owned())),
        column => {
            let (table, name) = column.split_once('.')?;
            Some(Why::Barred(words(table, name).no, column.to_owned()))
        }
    }
}
