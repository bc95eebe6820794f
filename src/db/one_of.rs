//! The rows of a batch, by their ids.

use diesel::{
    AppearsOnTable, Expression, QueryResult, SelectableExpression,
    expression::{ValidGrouping, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Bool},
};

use super::Backend;

/// `id IN (…)`. As `eq_any`, but the statement stays prepared: batches are small and of few sizes, and come by the hundred.
#[derive(Debug, Clone)]
pub struct OneOf(pub Vec<i64>);

impl QueryFragment<Backend> for OneOf {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        // No database takes an empty list.
        if self.0.is_empty() {
            out.push_sql("1 = 0");
            return Ok(());
        }
        for (number, id) in self.0.iter().enumerate() {
            out.push_sql(if number == 0 { "id IN (" } else { ", " });
            out.push_bind_param::<BigInt, _>(id)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl Expression for OneOf {
    type SqlType = Bool;
}

impl QueryId for OneOf {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Table> AppearsOnTable<Table> for OneOf {}
impl<Table> SelectableExpression<Table> for OneOf {}
impl ValidGrouping<()> for OneOf {
    type IsAggregate = is_aggregate::No;
}
