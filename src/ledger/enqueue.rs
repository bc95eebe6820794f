//! What is due and has no row yet gets one, in a few set-based statements however many participants there are.
//!
//! "No row" is asked for as `coalesce((SELECT id … LIMIT 1), 0) < 1`: of a `NOT EXISTS`, planners make a read of the
//! whole ledger, and of `IS NULL` the guess that hardly any row is left.

mod find;
mod insert;

use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, IntoSql,
    NullableExpressionMethods,
    dsl::sql,
    sql_types::{Bool, Integer, Text},
};

pub use self::{
    find::{any, may_find, nearest, sessions_without_rows},
    insert::{insert, insert_missed},
};
use super::{CORRECTED, Channel, REMINDER, status};
use crate::{
    db::{Backend, Db, schema::session_participants as participants},
    platform::{self, of_session},
    time::WallRange,
};

type Condition = Box<dyn BoxableExpression<participants::table, Backend, SqlType = Bool>>;

/// The reminders of one lead whose window is open.
#[derive(Debug, Clone)]
pub struct Due {
    pub lead_minutes: i32,
    /// A row of another lead this near stands for this one too: a changed lead tells nobody twice.
    pub near_minutes: i32,
    /// The starts in the window.
    pub walls: Vec<WallRange>,
    pub session: Option<i64>,
    /// Where not all are to be looked at: the sessions that are.
    pub only: Option<Vec<i64>>,
    /// Sessions that Laravel has reminded of.
    pub skip: Vec<i64>,
    /// Users who have told WhatsApp to stop, where the platform does not know.
    pub opted_out: Vec<i64>,
}

impl Due {
    /// The same, but for these sessions.
    pub fn without(&self, sessions: &[i64]) -> Self {
        let skip = [&self.skip, sessions].concat();
        Self {
            skip,
            ..self.clone()
        }
    }

    /// The shortest and the longest lead whose rows stand for this one.
    fn leads(&self) -> (i32, i32) {
        let (lead, near) = (self.lead_minutes, self.near_minutes);
        (lead.saturating_sub(near), lead.saturating_add(near))
    }
}

/// Anybody who can be told on one of the channels.
fn somebody(channels: &[Channel]) -> Condition {
    any_of(channels, |channel| reachable(channel, &[]))
}

/// Anybody who is owed a reminder on one of the channels.
fn owed(db: &Db, due: &Due, channels: &[Channel]) -> Condition {
    any_of(channels, |channel| {
        Box::new(reachable(channel, &due.opted_out).and(untold(db, channel, due)))
    })
}

fn any_of(channels: &[Channel], condition: impl Fn(Channel) -> Condition) -> Condition {
    let nobody: Condition = Box::new(false.into_sql::<Bool>());
    let or =
        |any: Condition, channel: &Channel| -> Condition { Box::new(any.or(condition(*channel))) };
    channels.iter().fold(nobody, or)
}

/// Whatever an operator's own view lists beside: it must not keep the others from their rows.
fn is_whole() -> Condition {
    let ids = participants::session_id
        .is_not_null()
        .and(participants::user_id.is_not_null());
    Box::new(ids.and(participants::scheduled_at.is_not_null()))
}

fn in_window(due: &Due) -> Condition {
    let starts = platform::starts_in(&due.walls).and(of_session(due.session));
    let mut condition: Condition = Box::new(starts);
    if let Some(only) = &due.only {
        condition = Box::new(condition.and(participants::session_id.eq_any(only.clone())));
    }
    if !due.skip.is_empty() {
        condition = Box::new(condition.and(participants::session_id.ne_all(due.skip.clone())));
    }
    condition
}

/// Everybody by mail; by WhatsApp those who said yes, and not no since.
fn reachable(channel: Channel, opted_out: &[i64]) -> Condition {
    let opted_in = participants::whatsapp_opt_in.assume_not_null().eq(true);
    match channel {
        Channel::Mail => Box::new(true.into_sql::<Bool>()),
        Channel::Whatsapp if opted_out.is_empty() => Box::new(opted_in),
        Channel::Whatsapp => {
            Box::new(opted_in.and(participants::user_id.ne_all(opted_out.to_vec())))
        }
    }
}

/// No row stands for this participant, channel, start and lead. (In words of its own, for the hint.)
fn untold(db: &Db, channel: Channel, due: &Due) -> Condition {
    let (shortest, longest) = due.leads();
    let standing = format!(
        "coalesce((SELECT d.id FROM session_reminder_deliveries d {}
            WHERE d.course_session_id = session_participants.session_id
            AND d.user_id = session_participants.user_id
            AND d.scheduled_at = session_participants.scheduled_at AND d.channel = ",
        db.dialect().by_unique_key
    );
    let condition = sql::<Bool>(&standing)
        .bind::<Text, _>(channel.name())
        .sql(" AND d.kind = ")
        .bind::<Text, _>(REMINDER)
        .sql(" AND d.lead_minutes BETWEEN ")
        .bind::<Integer, _>(shortest)
        .sql(" AND ")
        .bind::<Integer, _>(longest)
        .sql(" AND (d.status <> ")
        .bind::<Text, _>(status::CANCELLED)
        .sql(" OR d.error_code = ")
        .bind::<Text, _>(CORRECTED)
        .sql(") LIMIT 1), 0) < 1");
    Box::new(condition)
}
