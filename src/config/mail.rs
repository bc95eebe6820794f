use std::path::PathBuf;

use super::{Channel, app::App, environment::Environment, reader::Reader};

pub use smtp::{Smtp, Tls};

mod smtp;
mod url;

/// Laravel's default is `/usr/sbin/sendmail -bs -i`; how we talk to the program is not a setting.
const SENDMAIL: &str = "/usr/sbin/sendmail";
/// A free Gmail account may send 500 mails in 24 hours; the rest is left to the people who use it.
const GMAIL_PER_DAY: u32 = 450;

/// How mail goes out and from whom.
#[derive(Debug)]
pub struct Mail {
    pub transport: MailTransport,
    /// `MAIL_FROM_ADDRESS`
    pub from_address: String,
    /// `MAIL_FROM_NAME`, else `APP_NAME`.
    pub from_name: Option<String>,
    /// `MAIL_REPLY_TO`
    pub reply_to: Option<String>,
    /// `MAIL_MAX_PER_DAY`: the most mails in any 24 hours.
    pub max_per_day: Option<u32>,
}

/// `MAIL_MAILER`
#[derive(Debug)]
pub enum MailTransport {
    Smtp(Smtp),
    /// The program.
    Sendmail(PathBuf),
    /// The folder for `.eml` files.
    File(PathBuf),
}

/// Reads everything that concerns mail; its problems stop this channel only.
pub fn channel(environment: &Environment, app: &App) -> Channel<Mail> {
    let mut reader = Reader::new(environment);
    let mailer = reader
        .text("MAIL_MAILER")
        .unwrap_or_else(|| "smtp".to_owned());
    if matches!(mailer.as_str(), "log" | "array" | "none") {
        return Channel::Off(format!("MAIL_MAILER={mailer}"));
    }
    let transport = transport(&mut reader, &mailer, app);
    let mail = read(&mut reader, transport);
    Channel::of(mail, reader.into_problems())
}

fn transport(reader: &mut Reader, mailer: &str, app: &App) -> Option<MailTransport> {
    match mailer {
        "smtp" => smtp::read(reader, app).map(MailTransport::Smtp),
        "sendmail" => Some(MailTransport::Sendmail(sendmail(reader))),
        "file" => {
            let folder = reader.path("MAIL_FILE_DIR");
            if folder.is_none() {
                reader.complain(
                    "MAIL_FILE_DIR",
                    None,
                    "is not set: give the folder for the mails of MAIL_MAILER=file",
                );
            }
            folder.map(MailTransport::File)
        }
        other => {
            reader.complain("MAIL_MAILER", Some(other), cure_for(other));
            None
        }
    }
}

fn sendmail(reader: &Reader) -> PathBuf {
    let command = reader.text("MAIL_SENDMAIL_PATH");
    let program = command
        .as_deref()
        .and_then(|command| command.split_whitespace().next());
    PathBuf::from(program.unwrap_or(SENDMAIL))
}

/// Laravel's other mailers are other ways to reach servers that speak SMTP as well.
fn cure_for(mailer: &str) -> String {
    let host = match mailer {
        "ses" | "ses-v2" => "MAIL_HOST=email-smtp.<region>.amazonaws.com",
        "mailgun" => "MAIL_HOST=smtp.mailgun.org",
        "postmark" => "MAIL_HOST=smtp.postmarkapp.com",
        "resend" => "MAIL_HOST=smtp.resend.com",
        "failover" | "roundrobin" => "the MAIL_HOST of one of its mailers",
        _ => return "give smtp, sendmail, file, or none for no mail".to_owned(),
    };
    format!(
        "set MAIL_MAILER=smtp, {host}, MAIL_PORT=587, and the user name and password it has for SMTP"
    )
}

fn read(reader: &mut Reader, transport: Option<MailTransport>) -> Option<Mail> {
    let from_address = from_address(reader, transport.as_ref());
    let from_name = from_name(reader);
    let reply_to = reader.mail_address("MAIL_REPLY_TO");
    let max_per_day = reader.count("MAIL_MAX_PER_DAY", u32::MAX);
    let transport = transport?;
    Some(Mail {
        from_address: from_address?,
        from_name,
        reply_to,
        max_per_day: max_per_day.or_else(|| gmail_budget(&transport)),
        transport,
    })
}

fn from_address(reader: &mut Reader, transport: Option<&MailTransport>) -> Option<String> {
    if reader.text("MAIL_FROM_ADDRESS").is_none() {
        reader.complain(
            "MAIL_FROM_ADDRESS",
            None,
            "is not set: give the address that reminders come from",
        );
    }
    let address = reader.mail_address("MAIL_FROM_ADDRESS")?;
    let stays_here = match transport {
        Some(MailTransport::Smtp(smtp)) => smtp.is_loopback(),
        Some(MailTransport::File(_)) => true,
        Some(MailTransport::Sendmail(_)) => false,
        None => true,
    };
    if !stays_here && address.to_ascii_lowercase().ends_with("@example.com") {
        reader.complain(
            "MAIL_FROM_ADDRESS",
            Some(&address),
            "this is Laravel's placeholder: give an address of your own",
        );
    }
    Some(address)
}

/// A `${NAME}` that nothing has expanded is no name for people to read.
fn from_name(reader: &Reader) -> Option<String> {
    let name = reader
        .text("MAIL_FROM_NAME")
        .filter(|name| !name.contains("${"));
    name.or_else(|| reader.text("APP_NAME"))
}

fn gmail_budget(transport: &MailTransport) -> Option<u32> {
    let MailTransport::Smtp(smtp) = transport else {
        return None;
    };
    let user = smtp
        .login
        .as_ref()
        .map(|(user, _)| user.to_ascii_lowercase())?;
    let free = user.ends_with("@gmail.com") || user.ends_with("@googlemail.com");
    (smtp.is_gmail() && free).then_some(GMAIL_PER_DAY)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{app, testing::environment};

    fn channel_of(env_file: &str) -> Channel<Mail> {
        let (_folder, environment) = environment(env_file, &[]);
        let app = app::read(&mut Reader::new(&environment));
        channel(&environment, &app)
    }

    fn on(env_file: &str) -> Mail {
        match channel_of(env_file) {
            Channel::On(mail) => mail,
            other => panic!("{other:?}"),
        }
    }

    fn problems(env_file: &str) -> Vec<String> {
        match channel_of(env_file) {
            Channel::Broken(problems) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn mailers_that_send_nothing_turn_mail_off() {
        for mailer in ["log", "array", "none"] {
            assert!(
                matches!(channel_of(&format!("MAIL_MAILER={mailer}")), Channel::Off(why) if why.ends_with(mailer))
            );
        }
    }

    #[test]
    fn other_mailers_name_their_cure() {
        let lines = problems("MAIL_MAILER=ses\nMAIL_FROM_ADDRESS=a@kursus.id");
        assert!(
            lines[0]
                .starts_with("MAIL_MAILER is \"ses\": set MAIL_MAILER=smtp, MAIL_HOST=email-smtp"),
            "{lines:?}"
        );
        assert_eq!(problems("MAIL_MAILER=pigeon").len(), 2);
    }

    #[test]
    fn sendmail_is_the_program_of_laravels_command_line() {
        let program = |text: &str| match on(&format!(
            "MAIL_MAILER=sendmail\nMAIL_FROM_ADDRESS=a@kursus.id\n{text}"
        ))
        .transport
        {
            MailTransport::Sendmail(program) => program,
            other => panic!("{other:?}"),
        };
        assert_eq!(program(""), Path::new(SENDMAIL));
        assert_eq!(
            program("MAIL_SENDMAIL_PATH=\"/opt/bin/msmtp -t -i\""),
            Path::new("/opt/bin/msmtp")
        );
    }

    #[test]
    fn files_need_a_folder_but_no_real_address() {
        let text = "MAIL_MAILER=file\nMAIL_FROM_ADDRESS=hello@example.com";
        assert!(problems(text)[0].starts_with("MAIL_FILE_DIR is not set"));
        let mail = on(&format!("{text}\nMAIL_FILE_DIR=mails"));
        assert!(
            matches!(mail.transport, MailTransport::File(folder) if folder.is_absolute() && folder.ends_with("mails"))
        );
    }

    #[test]
    fn the_sender_is_required_and_real() {
        assert!(problems("")[0].starts_with("MAIL_FROM_ADDRESS is not set"));
        assert!(
            problems("MAIL_FROM_ADDRESS=\"Kursus <a@kursus.id>\"")[0]
                .contains("give one email address")
        );
        assert!(
            problems("MAIL_FROM_ADDRESS=\"a@kursus.id, b@kursus.id\"")[0]
                .contains("give one email address")
        );
        let placeholder = "MAIL_FROM_ADDRESS=hello@example.com";
        assert!(
            problems(&format!("{placeholder}\nMAIL_HOST=mail.kursus.id"))[0]
                .contains("Laravel's placeholder")
        );
        assert_eq!(on(placeholder).from_address, "hello@example.com");
    }

    #[test]
    fn the_senders_name_expands_and_falls_back_to_the_platforms() {
        let from = "MAIL_FROM_ADDRESS=a@kursus.id";
        let name = |text: &str| on(&format!("{from}\n{text}")).from_name;
        assert_eq!(
            name("APP_NAME=\"Kursus Kita\"\nMAIL_FROM_NAME=\"${APP_NAME}\"").as_deref(),
            Some("Kursus Kita")
        );
        assert_eq!(name("APP_NAME=Kursus").as_deref(), Some("Kursus"));
        assert_eq!(name(""), None);
        let unexpanded = "MAIL_FROM_NAME=\"${APP_NAME}\"";
        assert_eq!(name(unexpanded), None);
        assert_eq!(
            name(&format!("{unexpanded}\nAPP_NAME=Kursus")).as_deref(),
            Some("Kursus")
        );
    }

    #[test]
    fn a_free_gmail_account_has_a_budget_and_one_connection() {
        let gmail = "MAIL_HOST=smtp.gmail.com\nMAIL_PORT=587\nMAIL_PASSWORD=\"abcd efgh\"\n\
            MAIL_ENCRYPTION=tls\nMAIL_FROM_ADDRESS=a@kursus.id\n";
        let mail = on(&format!("{gmail}MAIL_USERNAME=kursus@gmail.com"));
        assert_eq!(mail.max_per_day, Some(450));
        assert!(
            matches!(&mail.transport, MailTransport::Smtp(smtp) if smtp.connections == 1 && smtp.tls == Tls::Required)
        );
        assert_eq!(
            on(&format!("{gmail}MAIL_USERNAME=info@kursus.id")).max_per_day,
            None
        );
        let mail = on(&format!(
            "{gmail}MAIL_USERNAME=k@gmail.com\nMAIL_MAX_PER_DAY=90\nMAIL_CONNECTIONS=2"
        ));
        assert_eq!(mail.max_per_day, Some(90));
        assert!(matches!(&mail.transport, MailTransport::Smtp(smtp) if smtp.connections == 2));
    }

    #[test]
    fn the_guides_placeholders_are_all_told_at_once() {
        let guide = "MAIL_HOST=smtp.gmail.com\nMAIL_USERNAME=your_email@gmail.com\n\
            MAIL_PASSWORD=your_app_password\nMAIL_FROM_ADDRESS=your_email@gmail.com";
        let lines = problems(guide);
        assert!(
            lines.len() == 3 && lines.iter().all(|line| line.contains("fill in your own")),
            "{lines:?}"
        );
    }
}
