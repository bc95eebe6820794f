//! Whether this user may do what a pass does.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result};
use diesel::{RunQueryDsl, sql_query};
use rustix::fs::{Access, access};

use super::chain::Chain;
use crate::{
    config::{Config, Database},
    db::Db,
    exit::Exit,
    ledger, legacy, lock,
    platform::{cancellations, standing::has_cancellations, view},
};

pub fn look(chain: &mut Chain, db: &mut Db, config: &Config) {
    if let Database::Sqlite(path) = &config.database
        && let Err(text) = of_file(path)
    {
        chain.fail("rights", Exit::Config, text);
        return;
    }
    // Where a table is missing there is nothing to have a right to.
    let is_complete = !chain.has_failed(&["tables", "view", "ledger", "corrects"]);
    if is_complete && let Err(error) = of_tables(db, config) {
        chain.error("rights", &error);
        return;
    }
    let stranger = match &config.database {
        Database::Sqlite(file) => stranger(file),
        _ => None,
    };
    match stranger {
        Some(text) => chain.warn("rights", text),
        None if is_complete => chain.ok("rights", "this user may do what a pass does"),
        None => {}
    }
}

/// Whether this user may write a file and the journal beside it; why not.
fn of_file(file: &Path) -> Result<(), String> {
    let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let cure = "run this, and cron's line, as the platform's user";
    if access(file, Access::WRITE_OK).is_err() {
        return Err(format!(
            "this user may not write {}: {cure}",
            file.display()
        ));
    }
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err(format!(
            "this user may not write into {}, where SQLite keeps its journal: {cure}",
            folder.display()
        ));
    }
    Ok(())
}

/// Whose the files are that are made beside a file of somebody else's.
fn stranger(file: &Path) -> Option<String> {
    let owner = fs::metadata(file).ok()?.uid();
    let user = lock::user().ok()?;
    let (place, owner_name, user_name) = (file.display(), name(owner), name(user));
    (owner != user).then(|| {
        format!(
            "{place} belongs to {owner_name}, and this is {user_name}: what {user_name} makes beside it may lock the platform \
             out; run this, and cron's line, as {owner_name}"
        )
    })
}

/// A user by name, else by number.
fn name(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    };
    let name = users.lines().find_map(of_line);
    name.unwrap_or_else(|| format!("user {id}"))
}

/// What a pass does, with no row to do it to: a server refuses it all the same to a user who may not.
const USES: [(&str, &str); 5] = [
    (view::NAME, "SELECT session_id FROM session_participants WHERE 1 = 0"),
    (
        ledger::TABLE,
        "INSERT INTO session_reminder_deliveries (course_session_id, user_id, channel, lead_minutes, scheduled_at, created_at, updated_at)
         SELECT course_session_id, user_id, channel, lead_minutes, scheduled_at, created_at, updated_at
         FROM session_reminder_deliveries WHERE 1 = 0",
    ),
    (
        ledger::TABLE,
        "UPDATE session_reminder_deliveries SET status = 'sent' WHERE 1 = 0",
    ),
    (
        legacy::TABLE,
        "INSERT INTO session_reminder_logs (course_session_id, sent_at, recipients_count)
         SELECT course_session_id, sent_at, recipients_count FROM session_reminder_logs WHERE 1 = 0",
    ),
    (
        legacy::TABLE,
        "UPDATE session_reminder_logs SET recipients_count = 0 WHERE 1 = 0",
    ),
];

/// What a pass does besides that makes corrections.
const CORRECTS: (&str, &str) = (
    cancellations::NAME,
    "SELECT session_id FROM session_cancellations WHERE 1 = 0",
);

/// The statements themselves: what a server's user may not, or nobody with a file that is read-only by itself.
fn of_tables(db: &mut Db, config: &Config) -> Result<()> {
    let corrects = config.reminder.corrections && has_cancellations(db).unwrap_or_default();
    for (what, statement) in USES.into_iter().chain(corrects.then_some(CORRECTS)) {
        sql_query(statement).execute(db).context(what)?;
    }
    Ok(())
}
