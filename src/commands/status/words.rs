//! What `status` says to people.

use std::fmt;

use chrono::{DateTime, Duration};

use super::{
    Channelled, Moment, Status,
    need::{Message, Need},
    sessions::{Count, Session},
};
use crate::{
    commands::log,
    ledger::{overview::Outcomes, status},
    table::{self, Cell, Table},
    text, time,
};

/// The longest start.
const START: usize = 16;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.state())?;
        match self.upcoming.is_empty() {
            true => writeln!(f, "no session to come has participants\n")?,
            false => writeln!(f, "{}\n", self.sessions())?,
        }
        writeln!(f, "{}", self.outcomes())?;
        if let Some(bars) = self.bars() {
            writeln!(f, "{bars}")?;
        }
        write!(f, "\n{}", self.need())
    }
}

impl Status {
    fn state(&self) -> Table {
        let mut table = Table::new();
        let written = self.last_written.as_ref();
        let mut row = |name: &str, text: Cell| table.row([Cell::new(name), text]);
        row(
            "last pass",
            self.moment(
                self.last_pass.as_ref(),
                None,
                "none of this user on this host",
            ),
        );
        row(
            "ledger",
            self.moment(
                written.map(|written| &written.moment),
                written.and_then(|written| written.host.as_deref()),
                "nothing was written yet",
            ),
        );
        row("mail", state(&self.mail));
        row("whatsapp", state(&self.whatsapp));
        table
    }

    fn moment(&self, moment: Option<&Moment>, host: Option<&str>, none: &str) -> Cell {
        let Some(moment) = moment else {
            return Cell::new(none).styled(table::DOUBTFUL);
        };
        let age = time::rough(Duration::seconds(moment.age_seconds));
        let host = host.map(|host| format!(", by {host}"));
        let text = format!(
            "{age} ago ({}{})",
            self.digits(&moment.at),
            host.unwrap_or_default()
        );
        Cell::new(text)
    }

    /// A time in the platform's zone, as people read it.
    fn digits(&self, rfc3339: &str) -> String {
        let instant = DateTime::parse_from_rfc3339(rfc3339);
        let (zone, now) = self.clock;
        instant.map_or_else(
            |_| rfc3339.into(),
            |at| time::to_the_second(at.to_utc(), zone, now),
        )
    }

    fn sessions(&self) -> Table {
        let mut table = Table::titled(["start", "due", "mail", "whatsapp", "session"]);
        for session in &self.upcoming {
            table.row([
                Cell::cut(self.start(session), START),
                self.due(session),
                Cell::number(count(&session.mail)),
                Cell::number(count(&session.whatsapp)),
                Cell::new(title(session)),
            ]);
        }
        table
    }

    /// `11-23 17:00`; the beginning of what the platform has where that is no time.
    fn start(&self, session: &Session) -> String {
        let (zone, now) = self.clock;
        let start = zone.parse(&session.scheduled_at);
        start.map_or_else(
            || session.scheduled_at.clone(),
            |start| time::to_the_minute(start, zone, now),
        )
    }

    /// From when on they are told, without the day where that is the start's; or that no pass tells them any more, of a
    /// start that is no time ever.
    fn due(&self, session: &Session) -> Cell {
        let (zone, now) = self.clock;
        let start = zone.parse(&session.scheduled_at);
        match (start, session.opens) {
            _ if session.is_lost => Cell::new("too late").styled(table::BAD),
            (Some(start), Some(opens)) => {
                let same_day = zone.wall(start).date() == zone.wall(opens).date();
                Cell::new(match same_day {
                    true => zone.wall(opens).format("%H:%M").to_string(),
                    false => time::to_the_minute(opens, zone, now),
                })
            }
            _ => Cell::new("never"),
        }
    }

    fn outcomes(&self) -> Table {
        let mut table = Table::titled(["mail", "whatsapp", "of the last 24 hours"]);
        let (mail, whatsapp) = (&self.mail.outcomes, &self.whatsapp.outcomes);
        type Count = fn(&Outcomes) -> i64;
        let rows: [(&str, Count, bool); 8] = [
            ("sent", |one| one.sent, false),
            ("sent and delivered", |one| one.delivered, false),
            ("sent and read", |one| one.read, false),
            ("waiting, or being sent", |one| one.waiting, false),
            ("failed", |one| one.failed, true),
            ("missed", |one| one.missed, true),
            ("unknown", |one| one.unknown, true),
            ("cancelled", |one| one.cancelled, false),
        ];
        for (name, count, is_bad) in rows {
            let cell = |outcomes| number(count(outcomes), is_bad);
            table.row([cell(mail), cell(whatsapp), Cell::new(name)]);
        }
        table
    }

    /// How many were sent in each hour; `None` where nothing was.
    fn bars(&self) -> Option<String> {
        let most = self
            .sent_per_hour
            .iter()
            .copied()
            .max()
            .filter(|most| *most > 0)?;
        let bars: String = self
            .sent_per_hour
            .iter()
            .map(|count| bar(*count, most))
            .collect();
        let (zone, now) = self.clock;
        let until = zone.wall(now).format("%H:%M");
        Some(format!(
            "\nsent per hour until {until}, at most {most}\n{bars}"
        ))
    }

    fn need(&self) -> String {
        let need = &self.needs_a_person;
        let stopped = self.stopped();
        match (need.count, stopped.is_empty()) {
            (0, true) => "nothing needs a person".into(),
            (0, false) => stopped,
            (_, true) => self.messages(need),
            (_, false) => format!("{stopped}\n{}", self.messages(need)),
        }
    }

    /// The channels that send nothing although they should.
    fn stopped(&self) -> String {
        let mut table = Table::new();
        for (name, one) in [("mail", &self.mail), ("whatsapp", &self.whatsapp)] {
            let (waiting, why) = (one.outcomes.waiting, one.why.as_deref());
            // The day's budget may be used up while nothing waits for it.
            let is_held = one.state == "held" && waiting > 0;
            if is_held || one.state == "wrong" {
                let why = why.unwrap_or_default();
                table.row([Cell::new(format!(
                    "{name} sends nothing now, {waiting} waiting: {why}"
                ))]);
            }
        }
        table.to_string()
    }

    /// Those that need a person.
    fn messages(&self, need: &Need) -> String {
        let mut table = Table::new();
        for message in &need.messages {
            table.row(self.message(message));
        }
        let shown: i64 = need.messages.iter().map(|message| message.alike).sum();
        let more = match need.count - shown {
            ..=0 => String::new(),
            more => {
                format!("\n{more} more: `reminders log --since 24h --status failed,missed,unknown`")
            }
        };
        format!(
            "{} of the last 24 hours need{} a person\n{table}{more}",
            need.count,
            if need.count == 1 { "s" } else { "" }
        )
    }

    fn message(&self, message: &Message) -> [Cell; 4] {
        let entry = &message.entry;
        let (id, who) = match message.alike {
            1 => (Cell::number(entry.id), format!("user {}", entry.user_id)),
            many => (Cell::new(""), format!("{many} messages")),
        };
        let fault = entry.fault();
        let fault = fault.unwrap_or_else(|| "no reason is recorded".into());
        let (session, helps) = (entry.session_id, helps(message));
        let prose = format!("session {session}, {who}: {fault}{helps}");
        let channel = Cell::new(&entry.channel);
        [id, channel, log::state(entry), Cell::new(prose)]
    }
}

/// The command that helps with a message, after what is wrong.
fn helps(message: &Message) -> String {
    let command = &message.command;
    let is = |name: &str| command.starts_with(&format!("reminders {name} "));
    match message.entry.status == status::FAILED {
        true if is("retry") => format!("; once that is cured: `{command}`"),
        _ if is("retry") => format!("; try `{command}`"),
        _ if is("opt-in") => format!(": `{command}`"),
        _ => format!("; see `{command}`"),
    }
}

fn title(session: &Session) -> String {
    let title = text::one_line(&session.title, 80);
    let by_laravel = match session.by_laravel {
        true => " (told by Laravel)",
        false => "",
    };
    format!("{}: {title}{by_laravel}", session.id)
}

fn state(channel: &Channelled) -> Cell {
    let why = channel.why.as_deref().unwrap_or_default();
    match channel.state {
        "on" => Cell::new("on").styled(table::GOOD),
        "off" => Cell::new(format!("off ({why})")),
        "wrong" => Cell::new(format!("sends nothing: {why}")).styled(table::BAD),
        _ => Cell::new(why).styled(table::BAD),
    }
}

fn number(count: i64, is_bad: bool) -> Cell {
    match (count, is_bad) {
        (0, _) => Cell::number(0).styled(table::FAINT),
        (_, true) => Cell::number(count).styled(table::BAD),
        (_, false) => Cell::number(count),
    }
}

/// `29/31`; `31` where nobody has been told yet.
fn count(count: &Count) -> String {
    match (count.told, count.participants) {
        (0, participants) => participants.to_string(),
        (told, participants) => format!("{told}/{participants}"),
    }
}

/// An eighth to eight eighths of `most`; a dot for nothing, so that nothing is told from little.
fn bar(count: i64, most: i64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let height = (count * 8 + most - 1) / most;
    let index = usize::try_from(height - 1).ok();
    index
        .and_then(|index| BARS.get(index))
        .copied()
        .unwrap_or('.')
}
