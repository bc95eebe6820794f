//! What there is in a platform's database, in the words of each.

use super::{BackEnd, Platform, home::FILE};

impl Platform {
    /// The tables and views, by name, but those of the database itself and of migration tools.
    pub fn relations(&self) -> Vec<String> {
        let (column, from) = self.back_end().pick(
            (
                "name",
                "sqlite_master WHERE type <> 'index' AND name NOT LIKE 'sqlite%'",
            ),
            (
                "table_name",
                "information_schema.tables WHERE table_schema = current_schema()",
            ),
            (
                "table_name",
                "information_schema.tables WHERE table_schema = database()",
            ),
        );
        let mut names = self.rows(column, from);
        names.retain(|name| !name.starts_with("__"));
        names.sort();
        names
    }

    /// The names of a table's columns, in their order.
    pub fn columns(&self, table: &str) -> Vec<String> {
        match self.back_end() {
            BackEnd::Sqlite => self.rows("name", &format!("pragma_table_info('{table}')")),
            other => {
                let schema = other.pick("", "current_schema()", "database()");
                let from = format!(
                    "information_schema.columns WHERE table_schema = {schema} AND table_name = '{table}'
                     ORDER BY ordinal_position"
                );
                self.rows("column_name", &from)
            }
        }
    }

    /// A table's columns with their types, and whether they may be NULL, by name.
    pub fn shape(&self, table: &str) -> Vec<String> {
        let (columns, from) = self.back_end().pick(
            ("name, lower(type), \"notnull\"", "pragma_table_info("),
            (
                "column_name, data_type, character_maximum_length, datetime_precision, is_nullable",
                "information_schema.columns WHERE table_schema = current_schema() AND table_name = (",
            ),
            (
                "column_name, column_type, is_nullable",
                "information_schema.columns WHERE table_schema = database() AND table_name = (",
            ),
        );
        self.rows(columns, &format!("{from}'{table}') ORDER BY 1"))
    }

    /// Everything there is in the database but its data.
    pub fn schema(&self) -> Vec<String> {
        let parts = self.back_end().pick(&SQLITE[..], &POSTGRES, &MYSQL);
        let rows = |(columns, from): &(&str, &str)| self.rows(columns, from);
        // MySQL keeps a view with the database's name before each table.
        let own = format!("`{}`.", self.database_name());
        let mut all: Vec<String> = parts
            .iter()
            .flat_map(rows)
            .map(|line| line.replace(&own, ""))
            .collect();
        all.sort();
        all
    }

    /// Everything there is in the database; on SQLite to the last byte of its file, if there is one.
    pub fn contents(&self) -> Vec<u8> {
        if self.back_end() == BackEnd::Sqlite {
            return std::fs::read(self.path(FILE)).unwrap_or_default();
        }
        let mut all = self.schema();
        for table in self.relations() {
            let columns = self.columns(&table).join(", ");
            all.push(table.clone());
            all.extend(self.rows(&columns, &format!("{table} ORDER BY 1")));
        }
        all.join("\n").into_bytes()
    }
}

/// Columns and where they come from.
type Part = (&'static str, &'static str);

const SQLITE: [Part; 1] = [("type, name, sql", "sqlite_master")];

const POSTGRES: [Part; 5] = [
    (
        "relkind, relname",
        "pg_class WHERE relnamespace = current_schema()::regnamespace",
    ),
    (
        "table_name, column_name, ordinal_position, data_type, character_maximum_length, datetime_precision, \
         is_nullable, column_default",
        "information_schema.columns WHERE table_schema = current_schema()",
    ),
    ("indexdef", "pg_indexes WHERE schemaname = current_schema()"),
    (
        "conrelid::regclass, conname, pg_get_constraintdef(oid)",
        "pg_constraint WHERE connamespace = current_schema()::regnamespace",
    ),
    (
        "viewname, definition",
        "pg_views WHERE schemaname = current_schema()",
    ),
];

const MYSQL: [Part; 5] = [
    (
        "table_type, table_name, engine, table_collation",
        "information_schema.tables WHERE table_schema = database()",
    ),
    (
        "table_name, column_name, ordinal_position, column_type, collation_name, is_nullable, column_default, extra",
        "information_schema.columns WHERE table_schema = database()",
    ),
    (
        "table_name, index_name, seq_in_index, column_name, non_unique",
        "information_schema.statistics WHERE table_schema = database()",
    ),
    (
        "table_name, constraint_name, referenced_table_name, delete_rule",
        "information_schema.referential_constraints WHERE constraint_schema = database()",
    ),
    (
        "table_name, view_definition, security_type",
        "information_schema.views WHERE table_schema = database()",
    ),
];
