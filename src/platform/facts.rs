//! What the platform's own tables say of one session, one user and the enrollment between them, for those who ask why.
//! The conditions are those of the view, and the database itself judges them, in its own way of comparing.

mod words;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    dsl::sql,
    sql_query,
    sql_types::{Integer, Nullable, Text},
};

pub(super) use self::words::words;
use super::{tables::Platform, view::Condition};
use crate::db::{Db, Lossy, schema::users};

/// What a condition of the view finds.
pub struct Fact {
    pub table: &'static str,
    pub column: &'static str,
    /// `None`: the platform has no such column, and the view asks for nothing.
    pub found: Option<Found>,
}

/// A column's value, and whether it lets somebody be told.
#[derive(QueryableByName)]
pub struct Found {
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub value: Option<String>,
    #[diesel(sql_type = Integer)]
    holds: i32,
}

impl Found {
    pub fn holds(&self) -> bool {
        self.holds != 0
    }
}

/// A session.
#[derive(QueryableByName)]
pub struct Session {
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub title: Option<String>,
    /// The course's title; `None` where there is no such course.
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub course: Option<String>,
    /// The platform's digits.
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub scheduled_at: Option<String>,
}

/// A user, with the profile that counts.
#[derive(QueryableByName)]
pub struct User {
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub name: Option<String>,
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub email: Option<String>,
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub phone: Option<String>,
    #[diesel(sql_type = Integer)]
    opted_in: i32,
    #[diesel(sql_type = Nullable<Text>, deserialize_as = Lossy)]
    pub timezone: Option<String>,
}

impl User {
    pub fn opted_in(&self) -> bool {
        self.opted_in != 0
    }
}

pub fn session(db: &mut Db, platform: &Platform, id: i64) -> QueryResult<Option<Session>> {
    let sql = &db.dialect().view_sql;
    let title = format!("c.{}", platform.title_column().unwrap_or("title"));
    let query = format!(
        "SELECT coalesce({own_title}, {title}) AS title, {course} AS course,
            CAST(s.scheduled_at AS CHAR(19)) AS scheduled_at FROM {} WHERE s.id = {id}",
        SESSIONS,
        own_title = platform.text(sql, "course_sessions", "s", "title"),
        course = (sql.text)(&title),
    );
    first(sql_query(query).load(db))
}

pub fn user(db: &mut Db, platform: &Platform, id: i64) -> QueryResult<Option<User>> {
    let sql = &db.dialect().view_sql;
    let opted_in = platform.column("user_profiles", "p", "whatsapp_opt_in");
    let query = format!(
        "SELECT {name} AS name, {email} AS email, {phone} AS phone,
            CASE WHEN {opted_in} THEN 1 ELSE 0 END AS opted_in, {timezone} AS timezone
        FROM users u LEFT JOIN user_profiles p ON p.user_id = u.id WHERE u.id = {id} ORDER BY p.id LIMIT 1",
        name = (sql.text)("u.name"),
        email = (sql.text)("u.email"),
        phone = (sql.text)("p.phone"),
        opted_in = (sql.flag)(&opted_in),
        timezone = platform.text(sql, "user_profiles", "p", "timezone"),
    );
    first(sql_query(query).load(db))
}

fn first<T>(rows: QueryResult<Vec<T>>) -> QueryResult<Option<T>> {
    Ok(rows?.into_iter().next())
}

const SESSIONS: &str = "course_sessions s LEFT JOIN courses c ON c.id = s.course_id";

/// Whether a session takes place; empty where there is none.
pub fn of_session(db: &mut Db, platform: &Platform, id: i64) -> QueryResult<Vec<Fact>> {
    let from = format!("{SESSIONS} WHERE s.id = {id}");
    let mut facts = facts(db, platform, "course_sessions", &from)?;
    facts.extend(self::facts(db, platform, "courses", &from)?);
    Ok(facts)
}

/// Whether a user is written to; empty where there is none.
pub fn of_user(db: &mut Db, platform: &Platform, id: i64) -> QueryResult<Vec<Fact>> {
    facts(db, platform, "users", &format!("users u WHERE u.id = {id}"))
}

/// Whether the user takes part in the session's course; empty where there is no enrollment. Of several the one that
/// lets the user take part.
pub fn of_enrollment(
    db: &mut Db,
    platform: &Platform,
    session: i64,
    user: i64,
) -> QueryResult<Vec<Fact>> {
    let active = platform.enrollment_conditions(&db.dialect().view_sql);
    let columns = ["status", "deleted_at", "expires_at"];
    let columns = columns
        .into_iter()
        .filter(|column| platform.has("enrollments", column));
    let columns: String = columns.map(|column| format!(", e.{column}")).collect();
    let from = format!(
        "course_sessions s JOIN enrollments e ON e.course_id = s.course_id
        WHERE s.id = {session} AND e.user_id = {user}
        ORDER BY CASE WHEN {} THEN 0 ELSE 1 END{columns} LIMIT 1",
        active.join(" AND ")
    );
    facts(db, platform, "enrollments", &from)
}

/// What the conditions on a table find in the one row that `from` names; none where there is no row.
fn facts(db: &mut Db, platform: &Platform, table: &str, from: &str) -> QueryResult<Vec<Fact>> {
    let sql = &db.dialect().view_sql;
    let mut facts = Vec::new();
    for condition in Condition::of(sql, table) {
        let (table, column) = (condition.table, condition.column);
        let query = match platform.has(table, column) {
            true => question(&condition, sql.text, from),
            false => format!("SELECT NULL AS value, 1 AS holds FROM {from}"),
        };
        let found: Option<Found> = first(sql_query(query).load(db))?;
        facts.extend(found.map(|found| Fact {
            table,
            column,
            found: platform.has(table, column).then_some(found),
        }));
    }
    Ok(facts)
}

fn question(condition: &Condition, text: fn(&str) -> String, from: &str) -> String {
    let column = format!("{}.{}", condition.alias, condition.column);
    let value = match condition.column.ends_with("_at") {
        true => format!("CAST({column} AS CHAR(19))"),
        false => text(&column),
    };
    format!(
        "SELECT {value} AS value, CASE WHEN {} THEN 1 ELSE 0 END AS holds FROM {from}",
        condition.sql
    )
}

/// The names of users, where the platform has a table of them.
pub fn names(db: &mut Db, ids: &[i64]) -> QueryResult<Vec<(i64, Option<String>)>> {
    let names: Vec<(i64, Lossy)> = users::table
        .filter(users::id.eq_any(ids.to_vec()))
        .select((users::id, sql::<Nullable<Text>>("name")))
        .load(db)?;
    Ok(names
        .into_iter()
        .map(|(id, name)| (id, name.into()))
        .collect())
}
