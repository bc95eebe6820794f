use super::server::{reads, refuses, told};

#[test]
fn a_nearer_url_decides_where_and_the_file_only_adds() {
    let file = "DB_CONNECTION=mysql\nDB_HOST=live\nDB_PORT=3307\nDB_SOCKET=/run/live.sock\nDB_DATABASE=lms\nDB_USERNAME=lms\nDB_PASSWORD=x";
    let cases = [
        (
            "mysql://staging/copy",
            "lms:x on MySQL copy at staging:3306",
        ),
        ("mysql://me:y@staging", "me:y on MySQL lms at staging:3306"),
        (
            "mysql://127.0.0.1/copy",
            "lms:x on MySQL copy at 127.0.0.1:3306",
        ),
        // The file's are for another kind of database.
        (
            "postgres://staging/copy",
            "root:- on PostgreSQL copy at staging:5432",
        ),
    ];
    for (url, expected) in cases {
        let told = told(file, &[("DATABASE_URL", url)]);
        assert_eq!(told.as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn nearer_variables_decide_alone_where_they_name_all_and_else_must_not_contradict() {
    let file = "DB_URL=mysql://lms:x@live/lms";
    let all = [("DB_CONNECTION", "mysql"), ("DB_DATABASE", "copy")];
    assert_eq!(
        told(file, &all).as_deref(),
        Ok("root:- on MySQL copy at 127.0.0.1:3306")
    );
    let same = "lms:x on MySQL lms at live:3306";
    assert_eq!(
        told(file, &[("DB_CONNECTION", "mariadb")]).as_deref(),
        Ok(same)
    );
    assert_eq!(told(file, &[("DB_HOST", "LIVE")]).as_deref(), Ok(same));
    assert_eq!(told(file, &[("DB_PASSWORD", "y")]).as_deref(), Ok(same));
    for (variable, value) in [
        ("DB_DATABASE", "copy"),
        ("DB_HOST", "staging"),
        ("DB_SOCKET", "/run/my.sock"),
    ] {
        let expected =
            format!("{variable}: names another database than DB_URL does: keep one of the two");
        assert_eq!(told(file, &[(variable, value)]), Err(expected));
    }
    let line = told(file, &[("DB_CONNECTION", "pgsql")]).unwrap_err();
    assert_eq!(
        line,
        "DB_DATABASE is not set: name the database on the server"
    );
}

#[test]
fn two_servers_in_one_file_are_a_conflict() {
    refuses(&[
        (
            "DATABASE_URL=mysql://u:hunter2@a/lms\nDB_URL=mysql://u:hunter2@b/lms",
            "DB_URL: names another database than DATABASE_URL does: keep one of the two",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_URL=mysql://a:3307/lms",
            "DB_URL: names another",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_URL=mysql://a/copy",
            "DB_URL: names another",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_URL=postgres://a/lms",
            "DB_URL: names another",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_CONNECTION=sqlite",
            "DB_CONNECTION: names another",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_CONNECTION=pgsql",
            "DB_CONNECTION: names another",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_DATABASE=lms.db",
            "DB_DATABASE: names another",
        ),
        (
            "DATABASE_URL=mysql://a:3306/lms\nDB_HOST=b\nDB_PORT=3307\nDB_PASSWORD=hunter2",
            "DB_HOST: names another database than DATABASE_URL does: keep one of the two\nDB_PORT: names another",
        ),
        (
            "DATABASE_URL=mysql://a/lms\nDB_CONNECTION=mysql\nDB_SOCKET=/run/my.sock",
            "DB_SOCKET: names another",
        ),
    ]);
    reads(&[(
        "DATABASE_URL=mysql://u:x@LOCALHOST/lms\nDB_URL=mariadb://127.0.0.1:3306/lms",
        "u:x on MySQL lms at LOCALHOST:3306",
    )]);
}
