//! Who takes part in what is to come, as `check` and a comparison ask: also before `migrate` has made the view.

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use super::{
    participants::{Participant, one_each, participant, start_digits, starts_in},
    tables::Platform,
    view,
};
use crate::{
    db::{self, Db, Lossy, schema::session_participants as participants},
    time::WallRange,
};

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

    /// The first session from `from` on that somebody takes part in, and its start in the platform's digits.
    pub fn session(&self, db: &mut Db, from: NaiveDateTime) -> QueryResult<Option<(i64, String)>> {
        let first = participants::table
            .filter(participants::scheduled_at.ge(from))
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
