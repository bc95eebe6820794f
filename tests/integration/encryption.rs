//! Connections to a database server under TLS: taken where it is asked for, never silently in clear.

use std::{fs, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::{
    servers::{Extra, Server},
    support::{BackEnd, NOW, Platform},
};

/// One that nobody knows, of this name.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for `host` that `ca` has signed.
fn secured(back_end: BackEnd, ca: &CertifiedIssuer<'_, KeyPair>, host: &str) -> Arc<Server> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, ca).unwrap();
    let files = [
        ("server.pem", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ];
    let settings = back_end.pick(
        [""; 3],
        [
            "ssl=on",
            "ssl_cert_file=../server.pem",
            "ssl_key_file=../server.key",
        ],
        ["ssl", "ssl-cert=../server.pem", "ssl-key=../server.key"],
    );
    let extra = Extra {
        files: &files,
        settings: &settings,
    };
    Server::start_with(back_end, &extra)
}

/// The database of such a server, with the files `ca.pem` and `other.pem` beside its `.env`.
fn platform_of(server: &Arc<Server>, ca: &CertifiedIssuer<'_, KeyPair>) -> Platform {
    with_files(Platform::untouched_at(server).migrated(), &ca.pem())
}

fn with_files(platform: Platform, ca: &str) -> Platform {
    fs::write(platform.path("ca.pem"), ca).unwrap();
    fs::write(platform.path("other.pem"), authority("Another CA").pem()).unwrap();
    platform
}

/// How a pass ends with these settings, and what it says of it.
fn ends(platform: &Platform, settings: &[(&str, &str)]) -> (i32, String) {
    let run = platform.run_with(settings, &["send", "--now", NOW]);
    assert!(run.complaints().len() <= 1, "{}", run.stderr);
    (run.code, run.complaints().concat())
}

#[track_caller]
fn works(platform: &Platform, settings: &[(&str, &str)]) {
    assert_eq!(ends(platform, settings), (0, String::new()), "{settings:?}");
}

#[track_caller]
fn is_refused(platform: &Platform, settings: &[(&str, &str)], words: &str) {
    let (code, said) = ends(platform, settings);
    assert_eq!(code, 78, "{settings:?}: {said}");
    assert!(said.contains(words), "{settings:?}: {said}");
}

#[test]
fn postgresql_is_reached_under_tls_and_its_certificate_is_checked_as_far_as_is_asked() {
    if BackEnd::chosen() != BackEnd::Postgres {
        return;
    }
    let ca = authority("Database CA");
    let server = secured(BackEnd::Postgres, &ca, "localhost");
    let platform = platform_of(&server, &ca);
    // From here on the server takes nobody in clear.
    server.admin(
        "COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; sed -i s/^host/hostssl/ pg_hba.conf';
         SELECT pg_reload_conf()",
    );
    let mode = |mode| ("DB_SSLMODE", mode);
    let (own, other) = (
        ("DB_SSLROOTCERT", "ca.pem"),
        ("DB_SSLROOTCERT", "other.pem"),
    );
    let by_name = ("DB_HOST", "localhost");
    is_refused(&platform, &[mode("disable")], "no encryption");
    works(&platform, &[]);
    works(&platform, &[mode("require")]);
    works(&platform, &[mode("verify-ca"), own]);
    works(&platform, &[mode("verify-full"), own, by_name]);
    is_refused(&platform, &[mode("verify-full"), own], "does not match");
    is_refused(&platform, &[mode("verify-full"), by_name], "DB_SSLROOTCERT");
    for checking in ["require", "verify-ca", "verify-full"] {
        let settings = [mode(checking), other, by_name];
        is_refused(&platform, &settings, "certificate verify failed");
    }
}

#[test]
fn postgresql_in_clear_is_refused_where_tls_is_required() {
    if BackEnd::chosen() != BackEnd::Postgres {
        return;
    }
    let platform = with_files(Platform::seed(), &authority("Database CA").pem());
    works(&platform, &[("DB_SSLMODE", "prefer")]);
    for mode in ["require", "verify-ca", "verify-full"] {
        let settings = [("DB_SSLMODE", mode), ("DB_SSLROOTCERT", "ca.pem")];
        is_refused(&platform, &settings, "server does not support SSL");
    }
}

const OWN_CA: (&str, &str) = ("MYSQL_ATTR_SSL_CA", "ca.pem");

#[test]
fn mysql_is_reached_under_tls_where_a_ca_is_given_and_no_other_ca_will_do() {
    if BackEnd::chosen() != BackEnd::Mysql {
        return;
    }
    let ca = authority("Database CA");
    let server = secured(BackEnd::Mysql, &ca, "127.0.0.1");
    let platform = platform_of(&server, &ca);
    // From here on the server takes nobody in clear.
    server.admin(&format!("ALTER USER {} REQUIRE SSL", server.user()));
    is_refused(&platform, &[], "MYSQL_ATTR_SSL_CA");
    works(&platform, &[OWN_CA]);
    for mode in ["required", "verify_ca"] {
        works(&platform, &[OWN_CA, ("DB_SSLMODE", mode)]);
    }
    let other = ("MYSQL_ATTR_SSL_CA", "other.pem");
    is_refused(&platform, &[other], "certificate");
    is_refused(&platform, &[OWN_CA, ("DB_SSLMODE", "disabled")], "denied");
}

#[test]
fn mysql_in_clear_is_refused_where_tls_is_asked_for() {
    if BackEnd::chosen() != BackEnd::Mysql {
        return;
    }
    let platform = with_files(Platform::seed(), &authority("Database CA").pem());
    works(&platform, &[]);
    is_refused(&platform, &[OWN_CA], "not encrypted");
    is_refused(
        &platform,
        &[OWN_CA, ("DB_SSLMODE", "required")],
        "not encrypted",
    );
    let required = [("DB_SSLMODE", "required")];
    is_refused(&platform, &required, "only with the root certificate");
}

/// The library takes the certificate of any host that the authority has signed.
#[test]
fn what_mysqls_library_does_not_check_is_not_promised() {
    if BackEnd::chosen() != BackEnd::Mysql {
        return;
    }
    let ca = authority("Database CA");
    let server = secured(BackEnd::Mysql, &ca, "another.example.org");
    let platform = platform_of(&server, &ca);
    let settings = [OWN_CA, ("DB_SSLMODE", "verify_identity")];
    is_refused(&platform, &settings, "cannot compare");
}
