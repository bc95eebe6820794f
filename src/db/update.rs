//! An UPDATE that stays prepared from one execution to the next. (Diesel prepares its own anew each time, as it does
//! every statement whose text depends on how many values it has: in a burst that was a tenth of the ledger's time.)

use diesel::{
    AppearsOnTable, Expression, QueryResult, QuerySource, RunQueryDsl, SelectableExpression,
    expression::{ValidGrouping, is_aggregate},
    query_builder::{AsChangeset, AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Bool},
};

use super::{Backend, Db};

/// The largest batch whose statements are kept: each size has texts of its own, and on a server each text is a
/// statement of which all its clients together may have so many. With larger ones a statement serves many rows anyway.
pub(super) const KEPT: usize = 32;

/// `UPDATE table SET changes WHERE condition`.
pub struct Update<T, V, C> {
    table: T,
    changes: V,
    condition: C,
}

/// Only for statements of a few texts, such as one for each size of a batch ([`KEPT`]): each is kept until the
/// connection closes. `condition`: with [`AnyOf`] in place of `eq_any`, which Diesel lets nothing keep.
pub fn update<T, V, C>(table: T, changes: V, condition: C) -> Update<T::FromClause, V::Changeset, C>
where
    T: QuerySource,
    V: AsChangeset<Target = T>,
    C: AppearsOnTable<T> + Expression<SqlType = Bool>,
{
    Update {
        table: table.from_clause(),
        changes: changes.as_changeset(),
        condition,
    }
}

impl<T, V, C> QueryFragment<Backend> for Update<T, V, C>
where
    T: QueryFragment<Backend>,
    V: QueryFragment<Backend>,
    C: QueryFragment<Backend>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        self.table.walk_ast(out.reborrow())?;
        out.push_sql(" SET ");
        self.changes.walk_ast(out.reborrow())?;
        out.push_sql(" WHERE ");
        self.condition.walk_ast(out)
    }
}

impl<T, V, C> QueryId for Update<T, V, C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T, V, C> RunQueryDsl<Db> for Update<T, V, C> {}

/// Whether a row's `id` is one of these, of which there is one at least.
pub struct AnyOf(pub Vec<i64>);

impl QueryFragment<Backend> for AnyOf {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        if self.0.len() > KEPT {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("id IN");
        for (index, id) in self.0.iter().enumerate() {
            out.push_sql(if index == 0 { " (" } else { ", " });
            out.push_bind_param::<BigInt, _>(id)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl Expression for AnyOf {
    type SqlType = Bool;
}

impl QueryId for AnyOf {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Table> AppearsOnTable<Table> for AnyOf {}
impl<Table> SelectableExpression<Table> for AnyOf {}
impl ValidGrouping<()> for AnyOf {
    type IsAggregate = is_aggregate::No;
}
