//! Values that differ from row to row, in one statement for all of them: however many rows a batch has, claiming or
//! recording them is one round trip.

use diesel::{
    AppearsOnTable, Expression, QueryResult, SelectableExpression,
    expression::{ValidGrouping, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{BigInt, HasSqlType, SingleValue},
};

use std::marker::PhantomData;

use super::Backend;

/// `CASE id WHEN … THEN … END`: each row's own value, by the row's id. For the rows listed, and no others: where all of them
/// have the same value it is just that.
#[derive(Debug, Clone)]
pub struct ByRow<ST, T> {
    values: Vec<(i64, T)>,
    sql_type: PhantomData<ST>,
}

impl<ST, T> ByRow<ST, T> {
    pub fn new(values: impl IntoIterator<Item = (i64, T)>) -> Self {
        Self {
            values: values.into_iter().collect(),
            sql_type: PhantomData,
        }
    }
}

impl<ST, T> QueryFragment<Backend> for ByRow<ST, T>
where
    ST: SingleValue,
    T: ToSql<ST, Backend> + PartialEq,
    Backend: HasSqlType<ST>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        if let Some((_, first)) = self.values.first()
            && self.values.iter().all(|(_, value)| value == first)
        {
            return out.push_bind_param::<ST, _>(first);
        }
        out.push_sql("CASE id");
        for (id, value) in &self.values {
            out.push_sql(" WHEN ");
            out.push_bind_param::<BigInt, _>(id)?;
            out.push_sql(" THEN ");
            out.push_bind_param::<ST, _>(value)?;
        }
        out.push_sql(" END");
        Ok(())
    }
}

impl<ST: SingleValue, T> Expression for ByRow<ST, T> {
    type SqlType = ST;
}

impl<ST, T> QueryId for ByRow<ST, T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST, T, Table> AppearsOnTable<Table> for ByRow<ST, T> where Self: Expression {}
impl<ST, T, Table> SelectableExpression<Table> for ByRow<ST, T> where Self: Expression {}
impl<ST, T> ValidGrouping<()> for ByRow<ST, T> {
    type IsAggregate = is_aggregate::No;
}
