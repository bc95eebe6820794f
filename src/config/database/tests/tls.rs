use super::*;

/// A file that is there on every machine.
const CA: &str = file!();

fn ca() -> String {
    std::path::absolute(CA).unwrap().display().to_string()
}

fn tls(env_file: &str) -> Result<Tls, String> {
    match database(env_file, &[])? {
        Database::Postgres(server) | Database::Mysql(server) => Ok(server.tls),
        Database::Sqlite(_) => Ok(Tls::default()),
    }
}

fn mode(env_file: &str) -> TlsMode {
    tls(env_file).unwrap().mode
}

const POSTGRES: &str = "DB_CONNECTION=pgsql\nDB_DATABASE=lms";
const MYSQL: &str = "DB_CONNECTION=mysql\nDB_DATABASE=lms";

#[test]
fn postgresql_says_its_modes_as_libpq() {
    let modes = [
        ("disable", TlsMode::Disable),
        ("allow", TlsMode::Prefer),
        ("prefer", TlsMode::Prefer),
        ("require", TlsMode::Require),
        ("verify-ca", TlsMode::VerifyCa),
        ("verify-full", TlsMode::VerifyFull),
    ];
    for (word, expected) in modes {
        let url = format!("DB_URL=postgres://db/lms?sslmode={word}&connect_timeout=5");
        assert_eq!(mode(&url), expected);
        assert_eq!(mode(&format!("{POSTGRES}\nDB_SSLMODE={word}")), expected);
        let both = format!("DB_URL=postgres://db/lms?sslmode={word}\nDB_SSLMODE=allow");
        assert_eq!(mode(&both), expected);
    }
    assert_eq!(mode(POSTGRES), TlsMode::Prefer);
}

#[test]
fn mysql_says_its_modes_in_any_case() {
    let modes = [
        ("DISABLED", TlsMode::Disable),
        ("Preferred", TlsMode::VerifyCa),
        ("required", TlsMode::Require),
        ("require", TlsMode::Require),
        ("verify_ca", TlsMode::VerifyCa),
        ("Verify-CA", TlsMode::VerifyCa),
    ];
    for (word, expected) in modes {
        for name in ["ssl_mode", "ssl-mode", "sslmode"] {
            let url = format!("DB_URL=mysql://db/lms?{name}={word}&ssl_ca={}", ca());
            assert_eq!(mode(&url), expected, "{url}");
        }
        let variables = format!("{MYSQL}\nDB_SSLMODE={word}\nMYSQL_ATTR_SSL_CA={}", ca());
        assert_eq!(mode(&variables), expected, "{word}");
    }
    assert_eq!(mode(MYSQL), TlsMode::Prefer);
    assert_eq!(
        mode("DB_URL=mysql://db/lms?ssl_mode=preferred"),
        TlsMode::Prefer
    );
}

#[test]
fn a_ca_alone_means_for_mysql_that_it_is_verified() {
    for text in [
        format!("{MYSQL}\nMYSQL_ATTR_SSL_CA={}", ca()),
        format!("DB_URL=mysql://db/lms?ssl_ca={}", ca()),
        format!("DB_URL=mysql://db/lms\nMYSQL_ATTR_SSL_CA={}", ca()),
    ] {
        let tls = tls(&text).unwrap();
        assert_eq!(tls.mode, TlsMode::VerifyCa, "{text}");
        assert_eq!(tls.ca, Some(ca().into()), "{text}");
    }
}

#[test]
fn mysql_cannot_require_tls_without_a_ca() {
    for word in ["required", "verify_ca"] {
        let line = error(&format!("DB_URL=mysql://u:hunter2@db/lms?ssl_mode={word}"));
        assert!(
            line.starts_with(
                "DB_URL: TLS can be required only with the root certificate: set MYSQL_ATTR_SSL_CA"
            ),
            "{line}"
        );
    }
    let line = error(&format!("{MYSQL}\nDB_SSLMODE=require"));
    assert!(
        line.starts_with("DB_SSLMODE: TLS can be required only"),
        "{line}"
    );
    assert_eq!(
        mode("DB_URL=postgres://db/lms?sslmode=verify-full"),
        TlsMode::VerifyFull
    );
}

#[test]
fn mysql_is_not_asked_for_what_its_library_does_not_do() {
    for word in ["VERIFY_IDENTITY", "verify-full", "verify_full"] {
        let line = error(&format!(
            "DB_URL=mysql://u:hunter2@db/lms?ssl_mode={word}&ssl_ca={}",
            ca()
        ));
        let start = "DB_URL: the client library cannot compare the certificate with the host's name: give verify_ca";
        assert!(line.starts_with(start), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn files_are_read_from_urls_and_variables() {
    let path = ca();
    let all = Tls {
        mode: TlsMode::VerifyCa,
        ca: Some(path.clone().into()),
        certificate: Some(path.clone().into()),
        key: Some(path.clone().into()),
    };
    for text in [
        format!(
            "DB_URL=postgres://db/lms?sslmode=verify-ca&sslrootcert={path}&sslcert={path}&sslkey={path}"
        ),
        format!(
            "DB_URL=mysql://db/lms?ssl_mode=verify_ca&ssl_ca={path}&ssl_cert={path}&ssl_key={path}"
        ),
        format!(
            "{POSTGRES}\nDB_SSLMODE=verify-ca\nDB_SSLROOTCERT={path}\nDB_SSLCERT={path}\nDB_SSLKEY={path}"
        ),
    ] {
        assert_eq!(tls(&text).as_ref(), Ok(&all), "{text}");
    }
}

#[test]
fn without_tls_its_files_are_none() {
    let off = Tls {
        mode: TlsMode::Disable,
        ..Tls::default()
    };
    let mysql = "DB_URL=mysql://db/lms?ssl_mode=disabled\nMYSQL_ATTR_SSL_CA=gone.pem";
    assert_eq!(tls(mysql).as_ref(), Ok(&off));
    let postgres = format!("{POSTGRES}\nDB_SSLMODE=disable\nDB_SSLROOTCERT={}", ca());
    assert_eq!(tls(&postgres).as_ref(), Ok(&off));
}

#[test]
fn a_relative_file_starts_at_the_env_file() {
    let (folder, environment) = environment(&format!("{MYSQL}\nMYSQL_ATTR_SSL_CA=ca.pem"), &[]);
    std::fs::write(folder.path().join("ca.pem"), "").unwrap();
    let mut reader = Reader::new(&environment);
    let Some(Database::Mysql(server)) = read(&mut reader) else {
        panic!("{:?}", reader.into_problems());
    };
    assert_eq!(server.tls.ca, Some(folder.path().join("ca.pem")));
}

#[test]
fn the_variables_of_the_other_kind_are_not_looked_at() {
    let gone = "MYSQL_ATTR_SSL_CA=gone.pem";
    assert_eq!(tls(&format!("{POSTGRES}\n{gone}")), Ok(Tls::default()));
    assert_eq!(
        tls(&format!(
            "DB_CONNECTION=sqlite\n{gone}\nDB_SSLMODE=x\nDB_PORT=x"
        )),
        Ok(Tls::default())
    );
    let gone = "DB_SSLROOTCERT=gone.pem\nDB_SSLKEY=gone.pem";
    assert_eq!(tls(&format!("{MYSQL}\n{gone}")), Ok(Tls::default()));
}

#[test]
fn slips_are_refused() {
    let cases = [
        (
            "DB_URL=postgres://u:hunter2@db/lms?sslmode=required",
            "DB_URL: sslmode=required: give disable, prefer, require, verify-ca or verify-full",
        ),
        (
            "DB_URL=mysql://u:hunter2@db/lms?ssl_mode=on",
            "DB_URL: ssl_mode=on: give disabled, preferred, required or verify_ca",
        ),
        (
            "DB_URL=postgres://db/lms?sslmodus=require&SSL=true",
            "DB_URL: sslmodus is not known: of TLS there are sslmode, sslrootcert, sslcert, sslkey\nDB_URL: SSL is not known",
        ),
        (
            "DB_URL=mysql://db/lms?sslrootcert=x",
            "DB_URL: sslrootcert is not known: of TLS there are ssl_mode, ssl_ca, ssl_cert, ssl_key",
        ),
        (
            "DB_CONNECTION=pgsql\nDB_DATABASE=lms\nDB_SSLMODE=on",
            "DB_SSLMODE is \"on\": give disable, prefer",
        ),
        (
            "DB_CONNECTION=mysql\nDB_DATABASE=lms\nMYSQL_ATTR_SSL_CA=/gone/ca.pem",
            "MYSQL_ATTR_SSL_CA: the file /gone/ca.pem cannot be read: No such file or directory",
        ),
        (
            "DB_URL=postgres://u:hunter2@db/lms?sslrootcert=/",
            "DB_URL: the file / cannot be read: is a directory",
        ),
    ];
    for (env_file, start) in cases {
        let lines = error(env_file);
        assert!(lines.starts_with(start), "{env_file}: {lines}");
        assert!(!lines.contains("hunter2"), "{lines}");
    }
}
