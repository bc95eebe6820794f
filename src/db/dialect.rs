//! What the back ends say differently.

/// The texts of one back end. Names put into them are our own constants.
pub struct Dialect {
    /// The tables and views there are, as `name`.
    pub relations: &'static str,
    /// The columns of a table or view, as `name`.
    pub columns: fn(&str) -> String,
    /// The text of a view, as `name`.
    pub view: fn(&str) -> String,
    /// The first column of every index of a table, as `name`.
    pub indexes: fn(&str) -> String,
    /// The server's UTC clock, `YYYY-MM-DD HH:MM:SS`, as `name`; `None` where the database runs on this host.
    pub now: Option<&'static str>,
    /// After a `SELECT`: locks its rows for the transaction, without those that somebody else has locked.
    pub skip_locked: &'static str,
    /// After the ledger's name: it is to be looked up by its unique key.
    pub by_unique_key: &'static str,
    /// What an operator's own view gives in a type that cannot be read, as `name`; `None` where any type can.
    pub mistyped: Option<fn(&str) -> String>,
    /// How to make an index without stopping those who write.
    pub create_index: &'static str,
    /// Whether a transaction undoes the making of tables.
    pub undoes_tables: bool,
    /// Before everything else in a new database of our own.
    pub new_database: Option<&'static str>,
    /// The platform's own tables.
    pub platform: &'static str,
    /// The ledger and Laravel's log.
    pub reminders: &'static str,
    /// What Laravel's own migration of the opt-in adds.
    pub opt_in_column: &'static str,
    /// After a view has been made: lets those read it who may write the ledger, where a new view is nobody's else.
    pub share_view: Option<fn(&str) -> String>,
    pub view_sql: ViewSql,
}

impl Dialect {
    /// Whether others share the database, and the connection may be lost; else it is a file of this host.
    pub fn is_server(&self) -> bool {
        self.now.is_some()
    }
}

/// The words of the two views that differ.
pub struct ViewSql {
    /// `CREATE VIEW`, with what makes it ask with the reader's own rights.
    pub create: &'static str,
    /// Joins a table that is read after those before it.
    pub join: &'static str,
    /// Joins the enrollments `e` that meet conditions, to be read course by course, and never all of them.
    pub enrollments: fn(&str) -> String,
    /// A whole number of the common size, whatever its column is.
    pub integer: fn(&str) -> String,
    /// An id as a large whole number.
    pub id: fn(&str) -> String,
    /// A text, also where the column is of a type that only looks like one.
    pub text: fn(&str) -> String,
    /// A flag that is true, false or NULL, as true or false.
    pub flag: fn(&str) -> String,
}
