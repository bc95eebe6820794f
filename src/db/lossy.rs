//! Texts of the platform as they stand in the database: SQLite checks no encoding, and one bad byte in one title must
//! not hide every other row of the query.

use diesel::{
    backend::Backend,
    deserialize::{FromSql, FromSqlRow, Result},
    sql_types::{Binary, Nullable, Text},
};

/// A text or none; what is not UTF-8 in it has become `\u{fffd}`.
#[derive(Debug, FromSqlRow)]
pub struct Lossy(Option<String>);

impl<DB> FromSql<Text, DB> for Lossy
where
    DB: Backend,
    Vec<u8>: FromSql<Binary, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> Result<Self> {
        let bytes = Vec::<u8>::from_sql(value)?;
        Ok(Self(Some(String::from_utf8_lossy(&bytes).into_owned())))
    }
}

impl<DB> FromSql<Nullable<Text>, DB> for Lossy
where
    DB: Backend,
    Lossy: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> Result<Self> {
        <Self as FromSql<Text, DB>>::from_sql(value)
    }

    fn from_nullable_sql(value: Option<DB::RawValue<'_>>) -> Result<Self> {
        value.map_or(Ok(Self(None)), <Self as FromSql<Text, DB>>::from_sql)
    }
}

impl From<Lossy> for Option<String> {
    fn from(text: Lossy) -> Self {
        text.0
    }
}

impl From<Lossy> for String {
    fn from(text: Lossy) -> Self {
        text.0.unwrap_or_default()
    }
}
