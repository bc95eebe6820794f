use super::*;

/// `user:password` on what `describe` says.
pub fn told(env_file: &str, real: &[(&str, &str)]) -> Result<String, String> {
    let database = database(env_file, real)?;
    let server = match &database {
        Database::Sqlite(_) => return Ok(database.describe()),
        Database::Postgres(server) | Database::Mysql(server) => server,
    };
    let password = server.password.as_ref().map_or("-", Secret::expose);
    let schema = server.search_path.as_ref();
    let schema = schema.map(|path| format!(" in {path}")).unwrap_or_default();
    let place = database.describe();
    Ok(format!("{}:{password} on {place}{schema}", server.username))
}

#[track_caller]
pub fn reads(cases: &[(&str, &str)]) {
    for (env_file, expected) in cases {
        assert_eq!(told(env_file, &[]).as_deref(), Ok(*expected), "{env_file}");
    }
}

#[track_caller]
pub fn refuses(cases: &[(&str, &str)]) {
    for (env_file, start) in cases {
        let lines = told(env_file, &[]).unwrap_err();
        assert!(lines.starts_with(start), "{env_file}: {lines}");
        assert!(!lines.contains("hunter2"), "{lines}");
    }
}

#[test]
fn laravels_variables_name_a_server() {
    reads(&[
        (
            "DB_CONNECTION=pgsql\nDB_DATABASE=lms",
            "root:- on PostgreSQL lms at 127.0.0.1:5432",
        ),
        (
            "DB_CONNECTION=mysql\nDB_DATABASE=lms\nDB_PASSWORD=null",
            "root:- on MySQL lms at 127.0.0.1:3306",
        ),
        (
            "DB_CONNECTION=mariadb\nDB_HOST=db.example.org\nDB_PORT=3307\nDB_DATABASE=lms\nDB_USERNAME=lms\nDB_PASSWORD=x",
            "lms:x on MySQL lms at db.example.org:3307",
        ),
        (
            "DB_CONNECTION=mysql\nDB_HOST=db\nDB_DATABASE=lms\nDB_SOCKET=/run/mysqld/mysqld.sock",
            "root:- on MySQL lms at /run/mysqld/mysqld.sock",
        ),
        (
            "DB_CONNECTION=pgsql\nDB_HOST=/run/postgresql\nDB_DATABASE=lms\nDB_SOCKET=/ignored",
            "root:- on PostgreSQL lms at /run/postgresql:5432",
        ),
        (
            "DB_CONNECTION=pgsql\nDB_HOST=[::1]\nDB_DATABASE=lms",
            "root:- on PostgreSQL lms at [::1]:5432",
        ),
    ]);
}

#[test]
fn any_password_stands_verbatim_in_its_variable() {
    for password in ["p@s:s/w?o#r%64&=+ d", "%zz", "'\"\\$x", "é", " ", "p{}[]"] {
        let database = database(
            "DB_CONNECTION=pgsql\nDB_DATABASE=lms",
            &[("DB_PASSWORD", password)],
        );
        let Ok(Database::Postgres(server)) = database else {
            panic!("{database:?}");
        };
        assert_eq!(server.password.unwrap().expose(), password);
    }
}

#[test]
fn a_url_names_a_server() {
    reads(&[
        (
            "DATABASE_URL=postgres://lms:x@db.example.org/lms",
            "lms:x on PostgreSQL lms at db.example.org:5432",
        ),
        (
            "DB_URL=postgresql://lms:x@[::1]:6543/lms",
            "lms:x on PostgreSQL lms at [::1]:6543",
        ),
        (
            "DB_URL=pgsql://db/lms",
            "root:- on PostgreSQL lms at db:5432",
        ),
        (
            "DB_URL=MariaDB://lms@db:3307/lms?charset=utf8mb4&serverVersion=11.4",
            "lms:- on MySQL lms at db:3307",
        ),
        (
            "DB_URL=mysql2://db:/l%2Fms",
            "root:- on MySQL l/ms at db:3306",
        ),
        (
            "DB_URL=mysql:///lms?unix_socket=/run/my.sock",
            "root:- on MySQL lms at /run/my.sock",
        ),
        (
            "DB_URL=mysql://ignored/lms?unix_socket=/run/my.sock&search_path=a",
            "root:- on MySQL lms at /run/my.sock",
        ),
        (
            "DB_URL=postgres:///lms?host=/run/postgresql&user=me&password=p%26w",
            "me:p&w on PostgreSQL lms at /run/postgresql:5432",
        ),
        (
            "DB_URL=postgres://%2Frun%2Fpostgresql/lms?search_path=a,%22B%22",
            "root:- on PostgreSQL lms at /run/postgresql:5432 in a,\"B\"",
        ),
        (
            "DB_URL=postgres://db/lms?schema=lms",
            "root:- on PostgreSQL lms at db:5432 in lms",
        ),
    ]);
}

#[test]
fn a_relative_socket_starts_at_the_env_file() {
    for text in [
        "DB_URL=mysql:///lms?unix_socket=my.sock",
        "DB_CONNECTION=mysql\nDB_DATABASE=lms\nDB_SOCKET=my.sock",
    ] {
        let Ok(Database::Mysql(server)) = database(text, &[]) else {
            panic!("{text}");
        };
        let socket = server.socket.unwrap();
        assert!(
            socket.is_absolute() && socket.ends_with("my.sock"),
            "{socket:?}"
        );
    }
}

#[test]
fn the_variables_complete_a_url() {
    let login = "DB_USERNAME=lms\nDB_PASSWORD=x";
    reads(&[
        (
            &format!("DB_URL=mysql://db/lms\n{login}"),
            "lms:x on MySQL lms at db:3306",
        ),
        (
            &format!(
                "DB_CONNECTION=mariadb\nDB_URL=mysql://db\nDB_DATABASE=lms\nDB_PORT=3307\n{login}"
            ),
            "lms:x on MySQL lms at db:3307",
        ),
        (
            &format!("DATABASE_URL=mysql://me:@db/lms\n{login}"),
            "me:- on MySQL lms at db:3306",
        ),
        (
            &format!("DATABASE_URL=postgres://me@db/lms\n{login}"),
            "me:x on PostgreSQL lms at db:5432",
        ),
        (
            "DB_URL=mysql:///lms\nDB_HOST=db\nDB_PORT=3307",
            "root:- on MySQL lms at db:3307",
        ),
        (
            "DB_URL=mysql://localhost/lms\nDB_SOCKET=/run/my.sock\nDB_HOST=127.0.0.1\nDB_PORT=3306\nDB_DATABASE=lms",
            "root:- on MySQL lms at /run/my.sock",
        ),
    ]);
}

#[test]
fn what_is_wrong_is_told_at_once() {
    refuses(&[
        (
            "DB_CONNECTION=mysql\nDB_HOST=tcp://db\nDB_PORT=many\nDB_PASSWORD=hunter2",
            "DB_HOST is \"tcp://db\": give the server's name or IP address alone; \
            the file of its Unix socket goes into DB_SOCKET\n\
            DB_PORT is \"many\": give a port number from 1 to 65535\n\
            DB_DATABASE is not set: name the database on the server",
        ),
        (
            "DB_CONNECTION=mysql\nDB_DATABASE=lms\nDB_HOST=/run/my.sock",
            "DB_HOST is \"/run/my.sock\"",
        ),
        (
            "DB_CONNECTION=pgsql\nDB_DATABASE=\"l\\nms\"\nDB_USERNAME=\"r\\too\"",
            "DB_DATABASE is \"l\\nms\": give a name without line breaks and other control characters\nDB_USERNAME is",
        ),
        (
            "DB_URL=postgres://u:hunter2@db",
            "DB_URL: name the database: postgres://user:password@host/database",
        ),
        (
            "DB_URL=mysql://u:hunter2@%2Frun%2Fmy.sock/lms",
            "DB_URL: give the file of a Unix socket as mysql:///database?unix_socket=",
        ),
        (
            "DB_CONNECTION=mysql\nDB_DATABASE=lms\nDB_PASSWORD=hunter2\nDB_PASSWORD_FILE=x",
            "DB_PASSWORD_FILE: DB_PASSWORD is set too: keep one of the two",
        ),
    ]);
}

#[test]
fn secrets_stand_in_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let password = in_folder("password", "p@s#s\n");
    let url = in_folder("url", "mysql://lms@db/lms\n");
    let file = format!("DATABASE_URL_FILE={url}\nDB_PASSWORD_FILE={password}");
    reads(&[(&file, "lms:p@s#s on MySQL lms at db:3306")]);
    let url = in_folder("no-url", "mysql://lms:hunter2@db:x/lms");
    refuses(&[(
        &format!("DATABASE_URL_FILE={url}"),
        "DATABASE_URL: give mysql://user",
    )]);
}

#[test]
fn the_debug_form_of_the_settings_hides_the_password() {
    let database = database("DB_URL=mysql://lms:hunter2@db/lms", &[]).unwrap();
    assert!(!format!("{database:?}").contains("hunter2"));
}
