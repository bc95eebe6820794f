//! Everything the environment says, read once and checked before any work is done. The names and their meaning are
//! Laravel's, so that the platform's own `.env` works as it is.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use chrono_tz::Tz;

pub use self::{
    app::App,
    database::Database,
    environment::Sources,
    mail::{Mail, MailTransport, Smtp, Tls},
    problem::{Problem, wrong_settings},
    reminder::{InDoubt, Locale, Reminder},
    whatsapp::{ContentSids, Twilio, Whatsapp, WhatsappTransport},
};
use self::{environment::Environment, reader::Reader};

mod address;
mod app;
pub mod database;
mod dotenv;
mod environment;
mod mail;
mod php;
mod problem;
mod reader;
pub mod reminder;
pub mod secret;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod whatsapp;
mod zone;

#[derive(Debug)]
pub struct Config {
    /// The folder of the first env file (else the working directory): `config/app.php`, `database/migrations` and
    /// relative paths start here.
    pub project: PathBuf,
    pub sources: Sources,
    pub database: Database,
    /// Zone of the stored naive times; `None` when neither `APP_TIMEZONE` nor `config/app.php` says.
    pub zone: Option<Tz>,
    pub mail: Channel<Mail>,
    pub whatsapp: Channel<Whatsapp>,
    pub reminder: Reminder,
    pub app: App,
    pub watch: Watch,
}

/// Where each pass reports itself.
#[derive(Debug, Default)]
pub struct Watch {
    /// `HEALTHCHECK_URL`
    pub healthcheck_url: Option<String>,
    /// `METRICS_FILE`: a text file for Prometheus.
    pub metrics_file: Option<PathBuf>,
}

/// One channel: an error in its own settings stops that channel only.
#[derive(Debug)]
pub enum Channel<T> {
    /// Why, as `MAIL_MAILER=log`.
    Off(String),
    /// At least one problem.
    Broken(Vec<Problem>),
    On(T),
}

impl Config {
    /// Reads `files` (the first wins), under `environment` (wins over all). The files were named by the user and must
    /// exist; when there are none, those that `REMINDERS_ENV_FILE` names, else `.env` in `cwd` if it exists.
    ///
    /// # Errors
    /// All problems of the run at once, those of the channels included. A problem of one channel alone is no error:
    /// it makes that channel `Broken`.
    pub fn load(
        files: &[PathBuf],
        environment: &HashMap<String, String>,
        cwd: &Path,
    ) -> Result<Config, Vec<Problem>> {
        let environment = Environment::read(files, environment, cwd)?;
        Self::read(environment, database::read)
    }

    /// The same for what opens no database: its settings may be wrong or missing.
    pub fn load_without_database(
        files: &[PathBuf],
        environment: &HashMap<String, String>,
        cwd: &Path,
    ) -> Result<Config, Vec<Problem>> {
        let environment = Environment::read(files, environment, cwd)?;
        Self::read(environment, |_| Some(Database::Sqlite(PathBuf::new())))
    }

    fn read(
        environment: Environment,
        database: impl FnOnce(&mut Reader) -> Option<Database>,
    ) -> Result<Config, Vec<Problem>> {
        let mut reader = Reader::new(&environment);
        let app = app::read(&mut reader);
        let database = database(&mut reader);
        let zone = zone::read(&mut reader);
        let reminder = reminder::read(&mut reader, &app);
        let watch = Watch::read(&mut reader);
        let mail = mail::channel(&environment, &app);
        let whatsapp = whatsapp::channel(&environment);
        let problems = reader.into_problems();
        match database {
            Some(database) if problems.is_empty() => Ok(Config {
                sources: environment.sources(),
                project: environment.project,
                database,
                zone,
                mail,
                whatsapp,
                reminder,
                app,
                watch,
            }),
            _ => Err([problems, mail.into_problems(), whatsapp.into_problems()].concat()),
        }
    }
}

impl<T> Channel<T> {
    /// `value` is `None` only where there are problems.
    fn of(value: Option<T>, problems: Vec<Problem>) -> Channel<T> {
        match value {
            Some(value) if problems.is_empty() => Channel::On(value),
            _ => Channel::Broken(problems),
        }
    }

    pub fn is_off(&self) -> bool {
        matches!(self, Channel::Off(_))
    }

    /// One more thing that is wrong with a channel that is in use.
    pub fn complain(&mut self, problem: Problem) {
        match self {
            Channel::Off(_) => {}
            Channel::Broken(problems) => problems.push(problem),
            Channel::On(_) => *self = Channel::Broken(vec![problem]),
        }
    }

    fn into_problems(self) -> Vec<Problem> {
        match self {
            Channel::Broken(problems) => problems,
            Channel::Off(_) | Channel::On(_) => Vec::new(),
        }
    }
}

impl Watch {
    /// As far as it can be read where other settings are wrong: somebody should hear of that.
    pub fn load(files: &[PathBuf], environment: &HashMap<String, String>, cwd: &Path) -> Watch {
        let environment = Environment::read(files, environment, cwd);
        environment.map_or_else(
            |_| Watch::default(),
            |environment| Watch::read(&mut Reader::new(&environment)),
        )
    }

    fn read(reader: &mut Reader) -> Watch {
        Watch {
            healthcheck_url: healthcheck_url(reader),
            metrics_file: reader.path("METRICS_FILE"),
        }
    }
}

/// Never shown: who knows the address can report in our name.
fn healthcheck_url(reader: &mut Reader) -> Option<String> {
    let url = reader.secret("HEALTHCHECK_URL")?;
    let url = url.expose().trim();
    if address::web(url).is_some() {
        return Some(url.to_owned());
    }
    reader.complain(
        "HEALTHCHECK_URL",
        None,
        "give the check's whole address, such as https://hc-ping.com/your-uuid",
    );
    None
}

impl Config {
    /// What is wrong with the settings of single channels.
    pub fn problems(&self) -> Vec<&Problem> {
        let of_mail = match &self.mail {
            Channel::Broken(problems) => problems.as_slice(),
            _ => &[],
        };
        let of_whatsapp = match &self.whatsapp {
            Channel::Broken(problems) => problems.as_slice(),
            _ => &[],
        };
        let only_of_whatsapp = of_whatsapp.iter().filter(|one| !of_mail.contains(one));
        of_mail.iter().chain(only_of_whatsapp).collect()
    }
}
