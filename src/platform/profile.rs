//! The profile of a user: the only thing of the platform that is ever written beside its log of reminders, and of it
//! only the phone number, the opt-in and the time of the change.

use anyhow::{Result, anyhow};
use chrono::NaiveDateTime;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, dsl::insert_into,
    dsl::sql, sql_types::Bool, sql_types::Text, update,
};

use crate::{
    db::{
        self, Db, Lossy,
        schema::{user_profiles as profiles, users},
    },
    exit::{self, Exit},
    text::one_line,
};

/// A user's profile, as far as reminders go.
pub struct Profile {
    pub user_id: i64,
    /// `None`: the user has no profile yet.
    id: Option<i64>,
    pub phone: Option<String>,
    pub opted_in: bool,
}

/// Finds the user that `who` names: a numeric id or an email address.
///
/// # Errors
/// When there is no such user, or the platform has no such tables.
pub fn find(db: &mut Db, who: &str) -> Result<Profile> {
    check_tables(db)?;
    let user_id = user_id(db, who.trim())?.ok_or_else(|| unknown(who))?;
    // Of several profiles the one with the lowest id counts, as in Laravel's `hasOne`.
    let found = profiles::table
        .filter(profiles::user_id.eq(user_id))
        .order(profiles::id)
        .select((profiles::id, profiles::phone, profiles::whatsapp_opt_in))
        .first::<(i64, Lossy, Option<bool>)>(db)
        .optional()?;
    let (id, phone, opted_in) = match found {
        Some((id, phone, opted_in)) => (Some(id), phone.into(), opted_in.unwrap_or(false)),
        None => (None, None, false),
    };
    Ok(Profile {
        user_id,
        id,
        phone,
        opted_in,
    })
}

/// That `who` names nobody.
pub fn unknown(who: &str) -> anyhow::Error {
    let who = one_line(who, 100);
    anyhow!("there is no user {who:?}: give a user's numeric id or email address")
}

fn check_tables(db: &mut Db) -> Result<()> {
    let columns = db::columns(db, "user_profiles")?;
    if columns.is_empty() || db::columns(db, "users")?.is_empty() {
        let text = "this database has no tables users and user_profiles: record the opt-in where your own \
                    session_participants view reads it";
        return Err(exit::error(Exit::Config, text));
    }
    if !columns.iter().any(|column| column == "whatsapp_opt_in") {
        return Err(exit::error(
            Exit::Config,
            "user_profiles has no column whatsapp_opt_in: run `reminders migrate`",
        ));
    }
    Ok(())
}

/// Whether the platform has any user at all.
pub fn has_users(db: &mut Db) -> QueryResult<bool> {
    let first = users::table.select(users::id).limit(1);
    Ok(!first.load::<i64>(db)?.is_empty())
}

/// The id of the user that `who` names, where the platform has a table of users.
pub fn user_id(db: &mut Db, who: &str) -> QueryResult<Option<i64>> {
    if let Ok(id) = who.parse::<i64>() {
        return users::table.find(id).select(users::id).first(db).optional();
    }
    let exactly = users::table.filter(users::email.eq(who)).select(users::id);
    if let Some(id) = exactly.first(db).optional()? {
        return Ok(Some(id));
    }
    // Both sides in the database's own way, which leaves letters beyond ASCII alone.
    let same_address = sql::<Bool>("lower(email) = lower(")
        .bind::<Text, _>(who)
        .sql(")");
    users::table
        .filter(same_address)
        .order(users::id)
        .select(users::id)
        .first(db)
        .optional()
}

/// Stores the number and the opt-in; makes the profile if the user has none. Writes nothing that is so already.
pub fn opt_in(db: &mut Db, profile: &Profile, phone: &str, now: NaiveDateTime) -> QueryResult<()> {
    if profile.opted_in && profile.phone.as_deref() == Some(phone) {
        return Ok(());
    }
    match profile.id {
        Some(id) => {
            let row = profiles::table.find(id);
            update(row)
                .set((
                    profiles::phone.eq(phone),
                    profiles::whatsapp_opt_in.eq(true),
                ))
                .execute(db)?;
            touch(db, id, now)
        }
        None => {
            let row = (
                profiles::user_id.eq(profile.user_id),
                profiles::phone.eq(phone),
                profiles::whatsapp_opt_in.eq(true),
            );
            insert_into(profiles::table).values(row).execute(db)?;
            let id = profiles::table
                .filter(profiles::user_id.eq(profile.user_id))
                .order(profiles::id);
            let id = id.select(profiles::id).first(db)?;
            touch(db, id, now)?;
            created(db, id, now)
        }
    }
}

/// Clears the opt-in and keeps the number.
pub fn opt_out(db: &mut Db, profile: &Profile, now: NaiveDateTime) -> QueryResult<()> {
    match profile.id {
        Some(id) if profile.opted_in => {
            update(profiles::table.find(id))
                .set(profiles::whatsapp_opt_in.eq(false))
                .execute(db)?;
            touch(db, id, now)
        }
        _ => Ok(()),
    }
}

/// Laravel's time of change, where the platform keeps one.
fn touch(db: &mut Db, id: i64, now: NaiveDateTime) -> QueryResult<()> {
    if has(db, "updated_at")? {
        update(profiles::table.find(id))
            .set(profiles::updated_at.eq(now))
            .execute(db)?;
    }
    Ok(())
}

fn created(db: &mut Db, id: i64, now: NaiveDateTime) -> QueryResult<()> {
    if has(db, "created_at")? {
        update(profiles::table.find(id))
            .set(profiles::created_at.eq(now))
            .execute(db)?;
    }
    Ok(())
}

fn has(db: &mut Db, column: &str) -> QueryResult<bool> {
    Ok(db::columns(db, "user_profiles")?
        .iter()
        .any(|name| name == column))
}
