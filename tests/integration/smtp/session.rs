//! One SMTP connection, as a strict server speaks it (RFC 5321, 2920, 3207, 4954, 6152, 6531).

mod auth;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use super::{
    Mail, Phase, Reply, Shared,
    rules::{Transaction, defect, path},
};
use crate::tls::Stream;

/// Octets of a command line with its CRLF; RFC 5321 allows 512, its extensions some more.
const LONGEST_COMMAND: usize = 1000;

pub(super) struct Session<'a> {
    shared: &'a Shared,
    number: usize,
    tcp: TcpStream,
    reader: BufReader<Stream>,
    /// Answers not yet sent: those of a pipelined group leave together.
    output: String,
    /// Ends the connection after the current command.
    closing: bool,
    greeted: bool,
    login: Option<String>,
    transaction: Option<Transaction>,
}

impl<'a> Session<'a> {
    pub(super) fn new(shared: &'a Shared, tcp: TcpStream, number: usize) -> Session<'a> {
        let stream = tcp.try_clone().unwrap();
        let reader = BufReader::new(match &shared.settings.authority {
            Some(authority) if shared.settings.implicit_tls => authority.secure(stream),
            _ => Stream::Plain(stream),
        });
        Session {
            shared,
            number,
            tcp,
            reader,
            output: String::new(),
            closing: false,
            greeted: false,
            login: None,
            transaction: None,
        }
    }

    pub(super) fn run(mut self) {
        if let Err(end) = self.converse() {
            self.note('!', &end.to_string());
        }
    }

    fn converse(&mut self) -> io::Result<()> {
        let welcome = self.answer(Phase::Connect, "", "220 localhost ESMTP ready")?;
        self.closing |= !welcome;
        while !self.closing {
            let line = self.line()?;
            self.command(&line)?;
        }
        self.flush()?;
        self.reader.get_mut().close()
    }

    fn command(&mut self, line: &[u8]) -> io::Result<()> {
        let line = String::from_utf8_lossy(line);
        self.note_command(&line);
        if line.len() + 2 > LONGEST_COMMAND || line.contains(char::is_control) {
            self.say("500 5.5.2 Line too long, or a control character in it");
            return Ok(());
        }
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        if let Some(refusal) = self.out_of_turn(&verb) {
            self.say(refusal);
            return Ok(());
        }
        match verb.as_str() {
            "EHLO" => self.ehlo(argument),
            "STARTTLS" => self.starttls(),
            "AUTH" => self.auth(argument),
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "DATA" => self.data(),
            "RSET" => self.rset(),
            "NOOP" => self.answer(Phase::Noop, "", "250 2.0.0 OK").map(drop),
            _ => self.quit(),
        }
    }

    /// The refusal of a command that may not come now.
    fn out_of_turn(&mut self, verb: &str) -> Option<&'static str> {
        // RFC 2920: these end a group. What follows STARTTLS in clear is thrown away instead (RFC 3207).
        let ends_group = matches!(verb, "EHLO" | "AUTH" | "DATA" | "NOOP" | "QUIT");
        let more = !self.reader.buffer().is_empty() && verb != "STARTTLS";
        if more && (ends_group || !self.offers("PIPELINING")) {
            self.closing = true;
            return Some("503 5.5.0 Improper use of SMTP command pipelining");
        }
        let settings = &self.shared.settings;
        let tls = self.reader.get_ref().is_tls();
        let transaction = self.transaction.as_ref();
        Some(match verb {
            "EHLO" | "RSET" | "NOOP" | "QUIT" => return None,
            "STARTTLS" | "AUTH" | "MAIL" | "RCPT" | "DATA" if !self.greeted => {
                "503 5.5.1 EHLO first"
            }
            "STARTTLS" if settings.authority.is_none() => "502 5.5.1 STARTTLS is not offered",
            "STARTTLS" if tls => "503 5.5.1 TLS already started",
            "AUTH" if settings.login.is_none() => "502 5.5.1 AUTH is not offered",
            "AUTH" | "MAIL" if settings.login.is_some() && settings.authority.is_some() && !tls => {
                "530 5.7.0 Must issue a STARTTLS command first"
            }
            "AUTH" if self.login.is_some() => "503 5.5.1 Already logged in",
            "MAIL" if settings.login.is_some() && self.login.is_none() => {
                "530 5.7.0 Authentication Required"
            }
            "STARTTLS" | "AUTH" | "MAIL" if transaction.is_some() => {
                "503 5.5.1 Not within a mail transaction"
            }
            "RCPT" | "DATA" if transaction.is_none() => "503 5.5.1 MAIL first",
            "STARTTLS" | "AUTH" | "MAIL" | "RCPT" | "DATA" => return None,
            _ => "500 5.5.1 Unrecognized command",
        })
    }

    fn ehlo(&mut self, name: &str) -> io::Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-[]:".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            self.say("501 5.5.4 EHLO wants a domain or an address in brackets");
            return Ok(());
        }
        let settings = &self.shared.settings;
        let tls = self.reader.get_ref().is_tls();
        let mut offer = vec!["localhost".to_owned()];
        offer.extend(settings.extensions.iter().cloned());
        match (&settings.authority, &settings.login) {
            (Some(_), _) if !tls => offer.push("STARTTLS".into()),
            (_, Some(_)) => offer.push("AUTH LOGIN PLAIN".into()),
            _ => {}
        }
        let last = offer.pop().unwrap_or_default();
        let lines: String = offer.iter().map(|line| format!("250-{line}\n")).collect();
        self.greeted = self.answer(Phase::Ehlo, name, &format!("{lines}250 {last}"))?;
        self.transaction = None;
        Ok(())
    }

    fn starttls(&mut self) -> io::Result<()> {
        let accepted = self.answer(Phase::Starttls, "", "220 2.0.0 Ready to start TLS")?;
        if let Some(authority) = &self.shared.settings.authority
            && accepted
        {
            self.flush()?;
            // A new reader, so that nothing sent in clear is taken for protected (RFC 3207, section 4.2).
            self.reader = BufReader::new(authority.secure(self.tcp.try_clone()?));
            self.greeted = false;
        }
        Ok(())
    }

    fn mail(&mut self, argument: &str) -> io::Result<()> {
        let Some((from, parameters)) = path(argument, "FROM:") else {
            self.say("501 5.1.7 Bad sender address syntax");
            return Ok(());
        };
        let mut transaction = Transaction {
            from: from.into(),
            ..Transaction::default()
        };
        for parameter in parameters.split_ascii_whitespace() {
            match parameter {
                "BODY=8BITMIME" if self.offers("8BITMIME") => transaction.eight_bit = true,
                "BODY=7BIT" if self.offers("8BITMIME") => {}
                "SMTPUTF8" if self.offers("SMTPUTF8") => transaction.smtputf8 = true,
                _ => {
                    self.say("555 5.5.4 Unsupported parameter of MAIL");
                    return Ok(());
                }
            }
        }
        if !from.is_ascii() && !transaction.smtputf8 {
            self.say("553 5.6.7 The sender's address needs SMTPUTF8");
        } else if self.answer(Phase::Mail, from, "250 2.1.0 OK")? {
            self.transaction = Some(transaction);
        }
        Ok(())
    }

    fn rcpt(&mut self, argument: &str) -> io::Result<()> {
        let smtputf8 = self.transaction.as_ref().is_some_and(|mail| mail.smtputf8);
        match path(argument, "TO:") {
            Some((to, "")) if to.is_ascii() || smtputf8 => {
                if self.answer(Phase::Rcpt, to, "250 2.1.5 OK")? {
                    self.transaction
                        .iter_mut()
                        .for_each(|mail| mail.to.push(to.into()));
                }
            }
            Some((_, "")) => self.say("553 5.6.7 The recipient's address needs SMTPUTF8"),
            Some(_) => self.say("555 5.5.4 Unsupported parameter of RCPT"),
            None => self.say("501 5.1.3 Bad recipient address syntax"),
        }
        Ok(())
    }

    fn data(&mut self) -> io::Result<()> {
        let to = self.transaction.as_ref().map(|mail| mail.to.join(","));
        let to = to.unwrap_or_default();
        let usual = match to.as_str() {
            "" => "503 5.5.1 No valid recipient",
            _ => "354 Go ahead",
        };
        if !self.answer(Phase::Data, &to, usual)? || self.closing {
            return Ok(());
        }
        let lines = self.body()?;
        let Some(transaction) = self.transaction.take() else {
            return Ok(());
        };
        if to.is_empty() {
            // Some servers answer 354 all the same (RFC 2920, section 3.1); here, a script does.
            self.say("554 5.5.1 No valid recipient");
        } else if let Some(defect) = defect(&lines, &transaction) {
            self.say(&defect);
        } else if self.answer(Phase::Body, &to, "250 2.0.0 OK")? {
            self.store(transaction, lines);
        }
        Ok(())
    }

    /// The lines up to the single dot, unstuffed.
    fn body(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        loop {
            let mut line = self.line()?;
            if line == b"." {
                return Ok(lines);
            }
            if line.starts_with(b".") {
                line.remove(0);
            }
            lines.push(line);
        }
    }

    fn store(&mut self, transaction: Transaction, mut lines: Vec<Vec<u8>>) {
        lines.push(Vec::new());
        let mail = Mail {
            from: transaction.from,
            to: transaction.to,
            data: lines.join(&b"\r\n"[..]),
            tls: self.reader.get_ref().is_tls(),
            login: self.login.clone(),
            connection: self.number,
        };
        self.shared.record.lock().unwrap().mails.push(mail);
    }

    fn rset(&mut self) -> io::Result<()> {
        if self.answer(Phase::Rset, "", "250 2.0.0 Flushed")? {
            self.transaction = None;
        }
        Ok(())
    }

    fn quit(&mut self) -> io::Result<()> {
        self.answer(Phase::Quit, "", "221 2.0.0 Bye")?;
        self.closing = true;
        Ok(())
    }

    /// Answers as the script wants, `usual` being what the server says by itself. True: that was an acceptance.
    fn answer(&mut self, phase: Phase, argument: &str, usual: &str) -> io::Result<bool> {
        let reply = (self.shared.settings.script)(phase, argument);
        if !matches!(reply, Reply::Accept | Reply::Say(_)) {
            // The earlier answers of a group are not held up by this one.
            self.flush()?;
        }
        let text = match &reply {
            Reply::Say(text) => text,
            _ => usual,
        };
        match &reply {
            Reply::Accept | Reply::Say(_) => self.say(text),
            Reply::Drop => return Err(io::Error::other("dropped, as scripted")),
            Reply::AcceptThenDrop => self.closing = true,
            Reply::Silent => return self.silence(),
            Reply::Trickle => self.trickle(&usual[..3])?,
            Reply::Delay(time) => {
                thread::sleep(*time);
                self.say(text);
            }
        }
        Ok(text.starts_with(['2', '3']))
    }

    fn trickle(&mut self, code: &str) -> io::Result<()> {
        loop {
            self.say(&format!("{code}-wait"));
            self.flush()?;
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn silence(&mut self) -> io::Result<bool> {
        io::copy(&mut self.reader, &mut io::sink())?;
        Err(io::Error::other("silent to the end, as scripted"))
    }

    fn say(&mut self, text: &str) {
        for line in text.lines() {
            self.note('<', line);
            self.output.push_str(line);
            self.output.push_str("\r\n");
        }
        self.closing |= text.starts_with("421");
    }

    /// The next line without its CRLF; a bare LF does not end one.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if !self.reader.buffer().contains(&b'\n') {
                self.flush()?;
            }
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Err(io::Error::other("the client has gone"));
            }
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        thread::sleep(self.shared.settings.delay);
        self.shared.record.lock().unwrap().answers += 1;
        let output = std::mem::take(&mut self.output);
        self.reader.get_mut().write_all(output.as_bytes())?;
        self.reader.get_mut().flush()
    }

    fn offers(&self, extension: &str) -> bool {
        let mut offered = self.shared.settings.extensions.iter();
        offered.any(|offered| offered == extension)
    }

    fn note(&self, mark: char, line: &str) {
        let mut record = self.shared.record.lock().unwrap();
        record.note(self.number, mark, line);
    }

    fn note_command(&self, line: &str) {
        let mut record = self.shared.record.lock().unwrap();
        record.note(self.number, '>', line);
        record.commands.push(line.into());
    }
}
