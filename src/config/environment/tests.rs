use super::*;

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn told(result: Result<Environment, Vec<Problem>>) -> Vec<String> {
    result
        .err()
        .unwrap()
        .iter()
        .map(Problem::to_string)
        .collect()
}

#[test]
fn laravels_words_and_quotes_mean_what_env_makes_of_them() {
    for raw in ["", "null", "(NULL)", "Empty", "(empty)", "\"\""] {
        assert_eq!(meaning(raw), None, "{raw}");
    }
    let cases = [
        ("TRUE", "true"),
        ("(false)", "false"),
        ("\"null\"", "null"),
        ("'\"a\"'", "\"a\""),
        ("\"", "\""),
    ];
    for (raw, expected) in cases {
        assert_eq!(meaning(raw).as_deref(), Some(expected), "{raw}");
    }
}

#[test]
fn the_real_environment_wins_and_then_the_first_file() {
    let folder = folder(&[
        ("a/.env", b"A=a\nB=a\nREF=${R}"),
        ("b/.env", b"A=b\nB=b\nC=${B}\nE=b"),
    ]);
    let files = ["a/.env".into(), "b/.env".into()];
    let read = Environment::read(
        &files,
        &map(&[("A", "real"), ("E", ""), ("R", "r")]),
        folder.path(),
    )
    .unwrap();
    let get = |name: &str| read.get(name).unwrap_or_default();
    assert_eq!(
        ["A", "B", "C", "E", "REF"].map(get),
        ["real", "a", "a", "", "r"]
    );
    assert_eq!(
        ["A", "B", "C", "E", "F"].map(|n| read.nearness(n)),
        [Some(0), Some(1), Some(2), None, None]
    );
    assert_eq!(read.project, folder.path().join("a"));
    assert_eq!(read.resolve("C", "x"), folder.path().join("b/x"));
    assert_eq!(read.resolve("A", "x"), folder.path().join("a/x"));
    assert_eq!(read.resolve("A", "/x"), Path::new("/x"));
    let here = read.resolve("C", "./x/.");
    assert_eq!(here.to_str(), folder.path().join("b/x").to_str());
}

#[test]
fn the_default_file_may_be_missing_and_follows_app_env() {
    let folder = folder(&[("p/.env", b"A=plain"), ("p/.env.testing", b"A=testing")]);
    let a = |environment: &[(&str, &str)], cwd: &str| {
        Environment::read(&[], &map(environment), &folder.path().join(cwd))
            .unwrap()
            .get("A")
    };
    assert_eq!(a(&[], ""), None);
    assert_eq!(a(&[], "p").as_deref(), Some("plain"));
    assert_eq!(
        a(&[("APP_ENV", "testing")], "p").as_deref(),
        Some("testing")
    );
    assert_eq!(
        a(&[("APP_ENV", "production")], "p").as_deref(),
        Some("plain")
    );
    assert_eq!(
        a(&[(ENV_FILE, "p/.env.testing")], "").as_deref(),
        Some("testing")
    );
}

#[test]
fn a_file_may_name_that_of_the_platform_which_comes_after_it() {
    let folder = folder(&[
        (
            "etc/env",
            b"REMINDERS_ENV_FILE=../lms/.env\nA=etc\nB=etc\nE=",
        ),
        (
            "lms/.env",
            b"A=lms\nC=lms\nD=lms\nE=lms\nREMINDERS_ENV_FILE=../etc/env",
        ),
        ("more", b"C=more\nF=more"),
    ]);
    let files = ["etc/env".into(), "more".into()];
    let read = Environment::read(&files, &map(&[("D", "real")]), folder.path()).unwrap();
    let get = |name: &str| read.get(name).unwrap_or_default();
    assert_eq!(
        ["A", "B", "C", "D", "E", "F"].map(get),
        ["etc", "etc", "lms", "real", "", "more"]
    );
    let lms = folder.path().join("etc/../lms");
    assert_eq!(read.project, lms);
    assert_eq!(read.resolve("C", "x"), lms.join("x"));
    assert_eq!(read.resolve("D", "x"), lms.join("x"));
    assert_eq!(read.resolve("A", "x"), folder.path().join("etc/x"));
}

#[test]
fn the_project_is_where_the_platforms_configuration_lies() {
    let folder = folder(&[
        ("etc/one", b"A=1"),
        ("etc/naming", b"REMINDERS_ENV_FILE=../lms/.env"),
        ("other/.env", b""),
        ("lms/.env", b"B=2"),
        ("lms/config/app.php", b"<?php return [];"),
    ]);
    let project = |files: &[&str]| {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let read = Environment::read(&files, &map(&[]), folder.path()).unwrap();
        read.project.strip_prefix(folder.path()).unwrap().to_owned()
    };
    assert_eq!(project(&["etc/one", "lms/.env"]), Path::new("lms"));
    assert_eq!(
        project(&["etc/one", "other/.env", "lms/.env"]),
        Path::new("lms")
    );
    assert_eq!(project(&["etc/one", "etc/naming"]), Path::new("etc/../lms"));
    assert_eq!(project(&["etc/one", "other/.env"]), Path::new("etc"));
}

#[test]
fn the_files_are_known_in_their_order_and_what_the_real_environment_sets_otherwise() {
    let folder = folder(&[
        ("own/env", b"REMINDERS_ENV_FILE=../lms/.env\nA=1\nB=1"),
        ("lms/.env", b"B=2\nC=1\nD=1"),
    ]);
    let named = folder.path().join("own/env");
    let real = map(&[("A", "1"), ("B", "2"), ("C", ""), ("E", "5")]);
    let read = Environment::read(std::slice::from_ref(&named), &real, folder.path()).unwrap();
    let sources = read.sources();
    let second = folder.path().join("own/../lms/.env");
    assert_eq!(sources.files, [named, second]);
    assert_eq!(sources.overruled, ["B", "C"]);
}

#[test]
fn a_file_that_a_file_names_must_exist() {
    let folder = folder(&[("env", b"REMINDERS_ENV_FILE=gone/.env")]);
    let lines = told(Environment::read(&["env".into()], &map(&[]), folder.path()));
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains("gone/.env: there is no such"),
        "{lines:?}"
    );
}

#[test]
fn a_named_file_must_exist() {
    let folder = folder(&[]);
    let lines = told(Environment::read(
        &["x.env".into()],
        &map(&[]),
        folder.path(),
    ));
    assert!(
        lines[0].ends_with("x.env: there is no such env file: correct the path"),
        "{lines:?}"
    );
}

#[test]
fn mistakes_of_all_files_name_line_and_cure_but_never_the_value() {
    let folder = folder(&[("a", b"\nMAIL_PASSWORD=abcd efgh"), ("b", b"SECRET-KEY=x")]);
    let lines = told(Environment::read(
        &["a".into(), "b".into()],
        &map(&[]),
        folder.path(),
    ));
    assert!(
        lines[0].starts_with("MAIL_PASSWORD: line 2 of /")
            && lines[0].contains("put quotes around it"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("b: line 1: the name before ="),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("efgh\n") && !lines.concat().contains("SECRET-KEY"));
}

#[test]
fn a_byte_order_mark_and_stray_latin_1_are_read_as_laravel_does() {
    let folder = folder(&[(".env", b"\xEF\xBB\xBFA=1 # caf\xE9\nB=\xE9!")]);
    let read = Environment::read(&[], &map(&[]), folder.path()).unwrap();
    assert_eq!(
        (read.get("A").as_deref(), read.get("B").as_deref()),
        (Some("1"), Some("?!"))
    );
}
