//! `opt-in` and `opt-out`: who wants WhatsApp messages, and at which number.

use std::fs;

use crate::support::{BackEnd, Platform, Run, START, wall_in};

/// Budi (1) has a profile with a number, Siti (2) one without, Ani (3) none.
fn platform() -> Platform {
    let platform = Platform::seed();
    for (id, name) in [(1, "Budi"), (2, "Siti"), (3, "Ani")] {
        platform.participant(id, name, &format!("{}@example.org", name.to_lowercase()));
    }
    platform.sql(
        "INSERT INTO user_profiles (user_id, phone, address, updated_at) VALUES
         (1, '0812-3456-7890', 'Jalan Mawar 1', '2020-01-01 00:00:00'),
         (2, NULL, NULL, '2020-01-01 00:00:00')",
    );
    platform
}

fn profiles(platform: &Platform) -> Vec<String> {
    platform.rows(
        "user_id, phone, whatsapp_opt_in",
        "user_profiles ORDER BY id",
    )
}

fn everything(platform: &Platform) -> Vec<String> {
    platform.rows(
        "id, user_id, phone, whatsapp_opt_in, address, created_at, updated_at",
        "user_profiles ORDER BY id",
    )
}

#[test]
fn by_id_the_number_in_the_profile_is_brought_into_e164() {
    let platform = platform();
    let before = wall_in(0);
    let run = platform.run(&["opt-in", "1"]).succeeds();
    assert!(run.stdout.contains("+6281234567890"), "{}", run.stdout);
    assert_eq!(profiles(&platform), ["1|+6281234567890|1", "2|NULL|0"]);
    let of_budi = platform.rows("address, updated_at", "user_profiles WHERE user_id = 1");
    let (address, updated) = of_budi[0].split_once('|').unwrap();
    assert_eq!(address, "Jalan Mawar 1");
    // In the platform's zone and digits, as Laravel writes it.
    assert!(
        (before.as_str()..=wall_in(0).as_str()).contains(&updated),
        "{updated}"
    );
}

#[test]
fn a_user_is_found_by_email_in_any_case_and_gets_a_number() {
    let platform = platform();
    platform
        .run(&["opt-in", " SITI@Example.org ", "--phone", "0899 1234 567"])
        .succeeds();
    assert_eq!(
        profiles(&platform),
        ["1|0812-3456-7890|0", "2|+628991234567|1"]
    );
}

#[test]
fn an_address_with_letters_beyond_ascii_is_found() {
    let platform = platform();
    platform.participant(4, "Élodie", "Élodie@example.org");
    platform
        .run(&["opt-in", "Élodie@example.org", "--phone", "081234567890"])
        .succeeds();
}

#[test]
fn a_user_without_a_profile_gets_one() {
    let platform = platform();
    platform
        .run(&["opt-in", "3", "--phone", "+6591234567"])
        .succeeds();
    assert_eq!(profiles(&platform)[2], "3|+6591234567|1");
    for column in ["created_at", "updated_at"] {
        let time = platform.rows(column, "user_profiles WHERE user_id = 3");
        assert_eq!(time[0].len(), START.len(), "{time:?}");
    }
}

#[test]
fn of_several_profiles_the_first_counts() {
    let platform = platform();
    platform.sql("INSERT INTO user_profiles (user_id, phone) VALUES (1, '0899999')");
    platform.run(&["opt-in", "1"]).succeeds();
    assert_eq!(
        profiles(&platform),
        ["1|+6281234567890|1", "2|NULL|0", "1|0899999|0"]
    );
    platform.run(&["opt-out", "1"]).succeeds();
    assert_eq!(profiles(&platform)[0], "1|+6281234567890|0");
}

#[test]
fn what_is_so_already_is_not_touched() {
    let platform = platform();
    platform.run(&["opt-in", "1"]).succeeds();
    platform.sql("UPDATE user_profiles SET updated_at = '2020-01-01 00:00:00'");
    let before = everything(&platform);
    platform.run(&["opt-in", "1"]).succeeds();
    platform
        .run(&["opt-in", "1", "--phone", "0812 3456 7890"])
        .succeeds();
    platform.run(&["opt-out", "2"]).succeeds();
    platform.run(&["opt-out", "3"]).succeeds();
    assert_eq!(everything(&platform), before);
}

#[test]
fn without_a_valid_number_nothing_is_changed() {
    let platform = platform();
    let before = everything(&platform);
    for (arguments, reason) in [
        (&["opt-in", "2"][..], "give one with --phone"),
        (&["opt-in", "3"], "give one with --phone"),
        (&["opt-in", "1", "--phone", "12"], "nothing was changed"),
        (&["opt-in", "3", "--phone", "rumah"], "nothing was changed"),
        (
            &["opt-in", "99", "--phone", "081234567890"],
            "there is no user \"99\"",
        ),
        (
            &["opt-in", "budi", "--phone", "081234567890"],
            "there is no user \"budi\"",
        ),
        (&["opt-out", "nobody@example.org"], "there is no user"),
    ] {
        let run = platform.run(arguments).exits(1);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert_eq!(everything(&platform), before);
}

#[test]
fn opting_out_keeps_the_number() {
    let platform = platform();
    platform.run(&["opt-in", "1"]).succeeds();
    let run = platform.run(&["opt-out", "budi@example.org"]).succeeds();
    assert_eq!(
        run.stdout,
        "user 1 gets no WhatsApp messages (+62812****890)\n"
    );
    assert_eq!(profiles(&platform)[0], "1|+6281234567890|0");
    let run = platform.run(&["opt-out", "1", "--format", "json"]);
    assert!(
        run.succeeds()
            .stdout
            .contains("\"phone\":\"+62812****890\""),
        "the number is shown as elsewhere"
    );
}

#[test]
fn a_file_does_its_good_lines_and_names_its_bad_ones() {
    let platform = platform();
    let lines: &[&[u8]] = &[
        b"\xEF\xBB\xBFuser,phone",
        b"budi@example.org,",
        b"",
        b"2, 0899-1234-567",
        b"nobody@example.org,081234567890",
        b"caf\xE9@example.org,081234567890",
        b"3,rumah",
        b"3,\"+65 9123 4567\",a remark",
    ];
    fs::write(platform.path("wishes.csv"), lines.join(&b"\r\n"[..])).unwrap();
    let run = platform.run(&["opt-in", "--file", "wishes.csv"]).exits(1);
    assert_eq!(
        profiles(&platform),
        ["1|+6281234567890|1", "2|+628991234567|1", "3|+6591234567|1"]
    );
    assert_eq!(run.stdout.lines().count(), 3);
    let told: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(told.len(), 3, "{}", run.stderr);
    assert!(told[0].contains("line 5: there is no user"), "{}", told[0]);
    assert!(told[1].contains("line 6: "), "{}", told[1]);
    assert!(told[2].contains("line 7: user 3: "), "{}", told[2]);
}

#[test]
fn a_file_may_have_semicolons_and_come_from_stdin() {
    let platform = platform();
    let lines = "user;phone\nbudi@example.org;\n2;0899-1234-567\n3;\n";
    fs::write(platform.path("wishes.csv"), lines).unwrap();
    for (name, input) in [("wishes.csv", None), ("-", Some("wishes.csv"))] {
        platform.sql("DELETE FROM user_profiles WHERE user_id = 2");
        let mut command = platform.command(&["opt-in", "--file", name]);
        if let Some(input) = input {
            command.stdin(fs::File::open(platform.path(input)).unwrap());
        }
        let run = Run::of(&["opt-in"], command.output().unwrap()).exits(1);
        assert_eq!(run.stdout.lines().count(), 2, "{}", run.stderr);
        let line = "line 4: user 3 has no phone number: give one with --phone, or after the user in a file's line";
        assert!(run.stderr.contains(line), "{}", run.stderr);
        let of_siti = platform.rows("phone, whatsapp_opt_in", "user_profiles WHERE user_id = 2");
        assert_eq!(of_siti, ["+628991234567|1"]);
    }
}

#[test]
fn a_file_of_a_spreadsheet_that_writes_semicolons_is_read_too() {
    let platform = platform();
    let lines = "user;phone;remark\r\nsiti@example.org;0899-1234-567;\r\nbudi@example.org;;x\r\n";
    fs::write(platform.path("wishes.csv"), lines).unwrap();
    platform.run(&["opt-in", "--file", "wishes.csv"]).succeeds();
    assert_eq!(
        profiles(&platform),
        ["1|+6281234567890|1", "2|+628991234567|1"]
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let run = platform()
        .run(&["opt-in", "--file", "nowhere.csv"])
        .exits(1);
    assert!(run.stderr.contains("could not read nowhere.csv"));
}

#[test]
fn answers_come_as_json_on_request() {
    let platform = platform();
    let answer = platform
        .run(&["opt-in", "1", "--format", "json"])
        .succeeds()
        .json();
    let expected = |phone: &str, opted_in: bool| serde_json::json!({"user_id": 1, "phone": phone, "whatsapp_opt_in": opted_in});
    assert_eq!(answer, expected("+6281234567890", true));
    let answer = platform
        .run(&["opt-out", "1", "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(answer, expected("+62812****890", false));
}

#[test]
fn a_platform_that_keeps_no_time_of_change_is_served_too() {
    let platform = platform();
    platform.run(&["migrate", "--drop-view"]).succeeds();
    platform.sql(
        "ALTER TABLE user_profiles DROP COLUMN updated_at;
         ALTER TABLE user_profiles DROP COLUMN created_at",
    );
    platform.run(&["migrate"]).succeeds();
    platform.run(&["opt-in", "1"]).succeeds();
    platform
        .run(&["opt-in", "3", "--phone", "081234567890"])
        .succeeds();
    platform.run(&["opt-out", "1"]).succeeds();
    assert_eq!(
        profiles(&platform),
        ["1|+6281234567890|0", "2|NULL|0", "3|+6281234567890|1"]
    );
}

#[test]
fn a_database_without_the_column_or_the_tables_wants_migrate() {
    let platform = Platform::untouched();
    platform.sql("INSERT INTO users (id, name, email) VALUES (1, 'Budi', 'budi@example.org')");
    platform.sql("ALTER TABLE user_profiles DROP COLUMN whatsapp_opt_in");
    for arguments in [
        &["opt-in", "1", "--phone", "081234567890"][..],
        &["opt-out", "1"],
    ] {
        let run = platform.run(arguments).exits(78);
        assert!(
            run.stderr.contains("run `reminders migrate`"),
            "{}",
            run.stderr
        );
    }
    let empty = Platform::empty();
    empty.sql("CREATE TABLE other (id integer)");
    empty.run(&["opt-out", "1"]).exits(78);
}

#[test]
fn a_user_or_a_file_is_asked_for_and_not_both() {
    let platform = platform();
    for arguments in [
        &["opt-in"][..],
        &["opt-in", "1", "--file", "a.csv"],
        &["opt-in", "--file", "a.csv", "--phone", "081234567890"],
        &["opt-out"],
    ] {
        platform.run(arguments).exits(2);
    }
    for (arguments, required) in [
        (&["opt-in"][..], "<USER|--file <CSV>>"),
        (&["retry"], "<ID|--failed>"),
    ] {
        let run = platform.run(arguments).exits(2);
        assert!(run.stderr.contains(required), "{}", run.stderr);
    }
}

#[test]
fn an_address_written_exactly_so_comes_before_one_that_only_looks_alike() {
    let platform = Platform::seed();
    if platform.back_end() == BackEnd::Mysql {
        // Where the two can be told apart at all.
        platform.sql("ALTER TABLE users MODIFY email varchar(255) COLLATE utf8mb4_bin NOT NULL");
    }
    platform.participant(1, "Budi", "Budi@example.org");
    platform.participant(2, "Budi", "budi@example.org");
    let answer = platform
        .run(&[
            "opt-in",
            "budi@example.org",
            "--phone",
            "081234567890",
            "--format",
            "json",
        ])
        .succeeds();
    assert_eq!(answer.json()["user_id"], 2);
}
