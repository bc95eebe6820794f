//! `SELECT … FOR UPDATE SKIP LOCKED`: rows that another host is just claiming are passed over, so that no host waits
//! for another. (Diesel offers it, but not on a connection that may be any of three back ends.)

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

use super::{Backend, Db, update::KEPT};

/// A query whose rows are locked until the transaction ends; without those that another transaction has locked.
pub struct Locked<Q> {
    query: Q,
    limit: Option<usize>,
    clause: &'static str,
}

/// Locks the rows of a query where the back end locks rows; SQLite's writers come one after the other anyway.
pub fn locked<Q>(db: &Db, query: Q) -> Locked<Q> {
    Locked {
        query,
        limit: None,
        clause: db.dialect().skip_locked,
    }
}

/// The same of the first rows. Stays prepared, once for each limit up to [`KEPT`]: for a query of a single text.
pub fn first_locked<Q>(db: &Db, query: Q, limit: usize) -> Locked<Q> {
    let limit = Some(limit);
    Locked {
        limit,
        ..locked(db, query)
    }
}

impl<Q: QueryFragment<Backend>> QueryFragment<Backend> for Locked<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        if let Some(limit) = self.limit {
            // Not a value: SQLite would plan for it, and prepare the statement anew for each.
            out.push_sql(&format!(" LIMIT {limit}"));
        }
        out.push_sql(self.clause);
        Ok(())
    }

    fn is_safe_to_cache_prepared(&self, backend: &Backend) -> QueryResult<bool> {
        Ok(self.limit.is_some_and(|limit| limit <= KEPT)
            || self.query.is_safe_to_cache_prepared(backend)?)
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
