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

/// `CASE id WHEN … THEN … END`: each row's own value, by the row's id. For the rows listed, and no others: where all of
/// them have the same value it is just that. Many values are halved again and again, so that no row is compared with
/// all ids.
#[derive(Debug, Clone)]
pub struct ByRow<ST, T> {
    values: Vec<(i64, T)>,
    sql_type: PhantomData<ST>,
}

/// So many values are gone through one by one.
const FEW: usize = 4;

impl<ST, T> ByRow<ST, T> {
    pub fn new(values: impl IntoIterator<Item = (i64, T)>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by_key(|(id, _)| *id);
        Self {
            values,
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
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        match self.values.first() {
            Some((_, first)) if self.values.iter().all(|(_, value)| value == first) => {
                same::<ST, T>(first, out)
            }
            _ => walk::<ST, T>(&self.values, out),
        }
    }
}

fn same<'b, ST, T>(value: &'b T, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()>
where
    T: ToSql<ST, Backend>,
    Backend: HasSqlType<ST>,
{
    out.push_bind_param::<ST, _>(value)
}

fn walk<'b, ST, T>(values: &'b [(i64, T)], mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()>
where
    T: ToSql<ST, Backend>,
    Backend: HasSqlType<ST>,
{
    let (lower, upper) = values.split_at(values.len() / 2);
    if values.len() > FEW
        && let Some((first, _)) = upper.first()
    {
        out.push_sql("CASE WHEN id < ");
        out.push_bind_param::<BigInt, _>(first)?;
        out.push_sql(" THEN ");
        walk::<ST, T>(lower, out.reborrow())?;
        out.push_sql(" ELSE ");
        walk::<ST, T>(upper, out.reborrow())?;
    } else {
        out.push_sql("CASE id");
        for (id, value) in values {
            out.push_sql(" WHEN ");
            out.push_bind_param::<BigInt, _>(id)?;
            out.push_sql(" THEN ");
            out.push_bind_param::<ST, _>(value)?;
        }
    }
    out.push_sql(" END");
    Ok(())
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
