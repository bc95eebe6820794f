//! `SELECT … FOR UPDATE SKIP LOCKED`: rows that another host is just claiming are passed over, so that no host waits for
//! another. (Diesel offers it, but not on a connection that may be any of three back ends.)

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

use super::{Backend, Db};

/// A query whose rows are locked until the transaction ends; without those that another transaction has locked.
pub struct Locked<Q> {
    query: Q,
    clause: &'static str,
}

/// Locks the rows of a query where the back end locks rows; SQLite's writers come one after the other anyway.
pub fn locked<Q>(db: &Db, query: Q) -> Locked<Q> {
    let clause = db.dialect().skip_locked;
    Locked { query, clause }
}

impl<Q: QueryFragment<Backend>> QueryFragment<Backend> for Locked<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(self.clause);
        Ok(())
    }
}

impl<Q> QueryId for Locked<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Locked<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<Db> for Locked<Q> {}
