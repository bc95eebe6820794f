use std::fs;

use super::{testing::variables, *};

const WORKING: &str = "APP_NAME=\"Kursus Kita\"\nAPP_URL=https://kursus.id\nQUEUE_CONNECTION=database\n\
    MAIL_HOST=mail.kursus.id\nMAIL_FROM_ADDRESS=info@kursus.id\n";

fn load(env_file: &[u8], real: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), env_file).unwrap();
    Config::load(&[], &variables(real), folder.path())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_laravel_env_file_works_as_it_is() {
    let config = load(WORKING.as_bytes(), &[]).unwrap();
    assert_eq!(
        (config.app.name.as_str(), config.app.phone_region.as_str()),
        ("Kursus Kita", "ID")
    );
    assert!(
        matches!(config.mail, Channel::On(mail) if mail.from_name.as_deref() == Some("Kursus Kita"))
    );
    assert!(matches!(config.whatsapp, Channel::Off(_)));
    assert_eq!(
        config.database,
        Database::Sqlite(config.project.join("database/database.sqlite"))
    );
    assert_eq!(
        (
            config.zone,
            config.watch.metrics_file,
            config.watch.healthcheck_url
        ),
        (None, None, None)
    );
}

#[test]
fn nothing_at_all_breaks_mail_only() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(&[], &HashMap::new(), folder.path()).unwrap();
    assert_eq!(config.project, folder.path());
    assert!(matches!(config.mail, Channel::Broken(problems) if problems.len() == 1));
}

#[test]
fn one_channels_problem_leaves_the_other_alone() {
    let config = load(format!("{WORKING}TWILIO_SID=x").as_bytes(), &[]).unwrap();
    assert!(matches!(config.mail, Channel::On(_)));
    assert!(matches!(config.whatsapp, Channel::Broken(problems) if problems.len() == 3));
}

#[test]
fn all_problems_of_a_run_are_told_at_once() {
    let text = "DB_CONNECTION=pgsql\nAPP_TIMEZONE=WIB\nREMINDER_LEAD=0\nHEALTHCHECK_URL=hc\n\
        APP_URL=kursus\nPHONE_REGION=XX\nMAIL_PORT=x\nTWILIO_SID=x\nMAIL_FROM_ADDRESS=a@b.id";
    let lines = load(text.as_bytes(), &[]).unwrap_err();
    assert_eq!(lines.len(), 10, "{lines:#?}");
}

#[test]
fn an_app_password_with_blanks_gets_the_quoting_cure() {
    let lines = load(b"MAIL_PASSWORD=abcd efgh ijkl mnop", &[]).unwrap_err();
    assert!(
        lines[0].starts_with("MAIL_PASSWORD: line 1 of ")
            && lines[0].contains("put quotes around it"),
        "{lines:?}"
    );
    assert!(!lines[0].contains("ijkl"));
}

#[test]
fn paths_start_at_the_env_file() {
    let config = load(
        format!("{WORKING}METRICS_FILE=storage/reminders.prom").as_bytes(),
        &[],
    )
    .unwrap();
    assert_eq!(
        config.watch.metrics_file,
        Some(config.project.join("storage/reminders.prom"))
    );
}

#[test]
fn the_example_file_works_once_filled_in() {
    let example = include_str!("../../.env.example");
    let filled = example
        .replace("your_email@gmail.com", "kursus@gmail.com")
        .replace("your_app_password", "abcd efgh ijkl mnop");
    let config = load(filled.as_bytes(), &[]).unwrap();
    assert!(matches!(config.mail, Channel::On(_)), "{:?}", config.mail);
    assert!(
        matches!(config.whatsapp, Channel::Off(_)),
        "{:?}",
        config.whatsapp
    );
    assert!(config.zone.is_some());
}

/// A xorshift generator: the same bytes in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.next(40)).map(|_| self.next(256) as u8).collect()
    }

    /// Bytes that look like settings often enough to get past the parser.
    fn env_file(&mut self) -> Vec<u8> {
        let pieces: Vec<&[u8]> = NAMES
            .iter()
            .chain(&PIECES)
            .map(|piece| piece.as_bytes())
            .collect();
        let mut file = Vec::new();
        for _ in 0..self.next(30) {
            match self.next(8) {
                0 => file.extend(self.bytes()),
                _ => file.extend(pieces[self.next(pieces.len())]),
            }
        }
        file
    }
}

const NAMES: [&str; 30] = [
    "DATABASE_URL",
    "DB_CONNECTION",
    "DB_DATABASE",
    "DB_URL",
    "DB_HOST",
    "DB_PORT",
    "DB_PASSWORD",
    "DB_SSLMODE",
    "MYSQL_ATTR_SSL_CA",
    "MAIL_MAILER",
    "MAIL_HOST",
    "MAIL_PORT",
    "MAIL_URL",
    "MAIL_SCHEME",
    "MAIL_USERNAME",
    "MAIL_PASSWORD",
    "MAIL_PASSWORD_FILE",
    "MAIL_FROM_ADDRESS",
    "TWILIO_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_WHATSAPP_FROM",
    "TWILIO_API_BASE",
    "TWILIO_MAX_PER_SECOND",
    "APP_TIMEZONE",
    "APP_URL",
    "PHONE_REGION",
    "REMINDER_LEAD",
    "REMINDER_TOLERANCE",
    "REMINDER_REDIRECT_WHATSAPP",
    "HEALTHCHECK_URL",
];

const PIECES: [&str; 34] = [
    "=",
    "=",
    "=",
    "=",
    "\n",
    "\n",
    "\r\n",
    "\"",
    "'",
    "\\",
    "$",
    "${A}",
    "#",
    " ",
    "smtp://",
    "sqlite:",
    "mysql://",
    "pgsql",
    "?sslmode=",
    "/",
    "%",
    "%4",
    "é",
    "@",
    "[::1]",
    ":",
    "+",
    "whatsapp:",
    "60m",
    ",",
    "9999999999999d",
    "null",
    "\u{202e}",
    "=\"",
];

#[test]
fn no_bytes_make_the_parser_or_the_configuration_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = Noise(0x5EED_CAFE);
    for round in 0..4000 {
        let file = if round % 4 == 0 {
            noise.bytes()
        } else {
            noise.env_file()
        };
        let _ = dotenv::parse(&String::from_utf8_lossy(&file), &|_| None);
        fs::write(folder.path().join(".env"), &file).unwrap();
        let name = NAMES[noise.next(NAMES.len())];
        let value = String::from_utf8_lossy(&noise.bytes()).into_owned();
        if let Err(problems) = Config::load(&[], &variables(&[(name, &value)]), folder.path()) {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert!(
                lines.iter().all(|line| !line.contains(char::is_control)),
                "{lines:?}"
            );
        }
    }
}
