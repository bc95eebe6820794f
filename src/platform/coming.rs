//! Who takes part in what is to come, as `check` and a comparison ask: also before `migrate` has made the view.

use chrono::NaiveDateTime;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    dsl::sql, sql_types::Bool,
};

use super::{
    participants::{Participant, one_each, participant, start_digits, starts_in},
    tables::Platform,
    view,
};
use crate::{
    db::{self, Db, Lossy, schema::session_participants as participants},
    time::{WallRange, Zone},
};

/// Begins with no day, in SQLite's words.
const NO_DAY: &str =
    "session_participants.scheduled_at NOT GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'";

/// Where the participants are read.
pub struct Coming {
    /// What the view will be, where there is none yet.
    unmade: Option<String>,
}

/// How somebody can be reached.
#[derive(Queryable)]
pub struct Contact {
    pub user_id: i64,
    #[diesel(deserialize_as = Lossy)]
    pub email: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub phone: Option<String>,
    pub whatsapp_opt_in: Option<bool>,
}

impl Coming {
    /// `unmade`: the platform, where there is no view yet.
    pub fn new(db: &Db, unmade: Option<&Platform>) -> Self {
        let query = |platform: &Platform| platform.participants(&db.dialect().view_sql);
        Self {
            unmade: unmade.map(query),
        }
    }

    fn view(&self) -> Option<(&'static str, &str)> {
        self.unmade.as_deref().map(|query| (view::NAME, query))
    }

    /// The sessions of this time, or of a day that nobody can tell, whose start is no time, and that start: no pass finds
    /// them when they are due. SQLite alone lets a start be anything.
    pub fn unreadable(
        &self,
        db: &mut Db,
        zone: Zone,
        (from, to): WallRange,
    ) -> QueryResult<Vec<(i64, String)>> {
        if db.dialect().is_server() {
            return Ok(Vec::new());
        }
        let starts = participants::table
            .filter(
                participants::scheduled_at
                    .between(from, to)
                    .or(sql::<Bool>(NO_DAY)),
            )
            .order(participants::session_id)
            .select((participants::session_id, start_digits()))
            .distinct();
        let all = db::with(self.view(), starts).load::<(i64, Lossy)>(db)?;
        let all = all.into_iter().map(|(id, start)| (id, String::from(start)));
        Ok(all
            .filter(|(_, start)| zone.parse(start).is_none())
            .collect())
    }

    /// The first session from `from` on that somebody takes part in, without these, and its start in the platform's digits.
    pub fn session(
        &self,
        db: &mut Db,
        from: NaiveDateTime,
        without: &[i64],
    ) -> QueryResult<Option<(i64, String)>> {
        let first = participants::table
            .filter(participants::scheduled_at.ge(from))
            .filter(participants::session_id.ne_all(without.to_vec()))
            .order((participants::scheduled_at, participants::session_id))
            .limit(1)
            .select((participants::session_id, start_digits()));
        let found = db::with(self.view(), first).load::<(i64, Lossy)>(db)?;
        Ok(found
            .into_iter()
            .next()
            .map(|(id, start)| (id, start.into())))
    }

    /// The sessions that start in the ranges and that somebody takes part in.
    pub fn sessions(&self, db: &mut Db, walls: &[WallRange]) -> QueryResult<Vec<i64>> {
        let sessions = participants::table
            .filter(starts_in(walls))
            .select(participants::session_id)
            .distinct();
        db::with(self.view(), sessions).load(db)
    }

    /// Who takes part in a session.
    pub fn participants(&self, db: &mut Db, session: i64) -> QueryResult<Vec<Participant>> {
        let all = participants::table
            .filter(participants::session_id.eq(session))
            .order(participants::user_id)
            .select(participant!(participants));
        db::with(self.view(), all).load(db).map(one_each)
    }

    /// Everybody who takes part in a session that starts between these.
    pub fn contacts(
        &self,
        db: &mut Db,
        from: NaiveDateTime,
        to: NaiveDateTime,
    ) -> QueryResult<Vec<Contact>> {
        let all = participants::table
            .filter(participants::scheduled_at.between(from, to))
            .order(participants::user_id)
            .select((
                participants::user_id,
                participants::email,
                participants::phone,
                participants::whatsapp_opt_in,
            ))
            .distinct();
        db::with(self.view(), all).load(db)
    }
}
