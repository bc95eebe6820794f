use super::*;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

/// The only problem of a folder that holds this one file.
fn problem(name: &str, text: &str) -> TemplateProblem {
    let folder = folder(&[(name, text)]);
    let [problem] = check_templates(folder.path()).try_into().unwrap();
    let reason = problem
        .reason
        .replace(&folder.path().display().to_string(), "FOLDER");
    TemplateProblem { reason, ..problem }
}

#[test]
fn the_built_in_templates_pass_their_own_check() {
    assert_eq!(check_templates(folder(&BUILT_IN).path()), []);
}

#[test]
fn an_empty_folder_and_hidden_files_are_no_problem() {
    assert_eq!(check_templates(folder(&[]).path()), []);
    assert_eq!(
        check_templates(folder(&[(".gitkeep", ""), ("id/.mail.html.swp", "")]).path()),
        []
    );
}

#[test]
fn what_an_editor_leaves_behind_and_a_readme_are_no_problem() {
    for name in [
        "id/mail.txt~",
        "id/mail.txt.bak",
        "id/mail.html.orig",
        "id/mail.txt.swp",
        "id/#mail.txt#",
        "README.md",
        "id/README",
    ] {
        assert_eq!(
            check_templates(folder(&[(name, "{{")]).path()),
            [],
            "{name}"
        );
    }
}

#[test]
fn a_syntax_error_names_file_and_line_and_stops_its_channel_only() {
    let problem = problem("id/mail.txt", "Halo {{ name }},\n\n{% if link %}x\n");
    assert!(
        problem
            .reason
            .starts_with("FOLDER/id/mail.txt:3: syntax error: "),
        "{}",
        problem.reason
    );
    assert_eq!((problem.mail, problem.whatsapp), (true, false));
}

#[test]
fn a_misspelt_variable_names_file_and_line() {
    let problem = problem("en/whatsapp.txt", "Hello\n{{ sesion }}");
    assert!(
        problem
            .reason
            .starts_with("FOLDER/en/whatsapp.txt:2: undefined value: there is no sesion: "),
        "{}",
        problem.reason
    );
    assert!(
        problem.reason.contains(" session, course, "),
        "{}",
        problem.reason
    );
    assert_eq!((problem.mail, problem.whatsapp), (false, true));
}

#[test]
fn a_mistake_that_only_one_mode_meets_is_found() {
    for condition in [
        "mode == 'online'",
        "mode == 'offline'",
        "not link and not place",
        "not name",
    ] {
        let text = format!("Hi{{% if {condition} %}}{{{{ oops }}}}{{% endif %}}");
        assert!(
            problem("en/mail.html", &text)
                .reason
                .contains("undefined value"),
            "{condition}"
        );
    }
}

#[test]
fn a_text_that_stands_in_html_unescaped_is_a_problem() {
    for text in [
        "<h1>\n{{ session|safe }}</h1>",
        "<p>\n{% autoescape false %}{{ name }}{% endautoescape %}",
    ] {
        let problem = problem("id/moved.mail.html", text);
        let place = "FOLDER/id/moved.mail.html:2: a text stands in the HTML unescaped";
        assert!(problem.reason.starts_with(place), "{}", problem.reason);
    }
    let safe = folder(&[("id/mail.html", "<p>{{ app_url|safe }}{{ session }}")]);
    assert_eq!(check_templates(safe.path()), []);
}

#[test]
fn a_template_that_says_nothing_is_a_problem() {
    let problem = problem("id/mail.subject.txt", "{# nothing #}\n");
    assert_eq!(problem.reason, "FOLDER/id/mail.subject.txt renders nothing");
}

#[test]
fn a_file_that_replaces_nothing_is_a_problem() {
    let cases = [
        ("id/mail.htm", true, false),
        ("whatsapp.txt", false, true),
        ("id/moved.mail.htm", true, false),
        ("fr/mail.txt", true, false),
        ("notes.md", true, true),
    ];
    for (name, mail, whatsapp) in cases {
        let problem = problem(name, "Hello");
        assert!(
            problem
                .reason
                .starts_with(&format!("FOLDER/{name} replaces no template")),
            "{}",
            problem.reason
        );
        assert_eq!((problem.mail, problem.whatsapp), (mail, whatsapp), "{name}");
    }
}

#[test]
fn a_language_that_cannot_be_read_is_a_problem_of_each_of_its_templates() {
    let folder = folder(&[("id", "a file where a folder should be")]);
    let problems = check_templates(folder.path());
    assert_eq!(problems.len(), 13, "{problems:?}");
    assert!(problems.iter().any(|p| p.whatsapp && !p.mail));
}

#[test]
fn a_missing_folder_stops_both_channels() {
    let [problem] = check_templates(Path::new("/no/such/folder"))
        .try_into()
        .unwrap();
    assert!(problem.mail && problem.whatsapp);
    assert!(
        problem.reason.contains("/no/such/folder"),
        "{}",
        problem.reason
    );
}

#[test]
fn a_file_that_is_no_utf8_is_a_problem() {
    let folder = folder(&[("id/mail.txt", "")]);
    fs::write(folder.path().join("id/mail.txt"), b"caf\xe9").unwrap();
    let [problem] = check_templates(folder.path()).try_into().unwrap();
    assert!(
        problem.reason.contains("id/mail.txt: "),
        "{}",
        problem.reason
    );
    assert!(
        problem.reason.contains("could not read"),
        "{}",
        problem.reason
    );
}
