//! `WITH name AS (…) SELECT …`: a query on a view that is not made yet. (Diesel has no words for it.)

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

use super::{Backend, Db};

/// A query that brings the view along that it reads, where it needs to.
pub struct With<'a, Q> {
    view: Option<(&'static str, &'a str)>,
    query: Q,
}

/// `view`: a view's name and the query that it stands for; `None` where it is in the database.
pub fn with<'a, Q>(view: Option<(&'static str, &'a str)>, query: Q) -> With<'a, Q> {
    With { view, query }
}

impl<Q: QueryFragment<Backend>> QueryFragment<Backend> for With<'_, Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        if let Some((name, text)) = self.view {
            out.push_sql(&format!("WITH {name} AS ({text}) "));
        }
        self.query.walk_ast(out.reborrow())
    }
}

impl<Q> QueryId for With<'_, Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for With<'_, Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<Db> for With<'_, Q> {}
