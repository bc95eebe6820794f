//! As much of HTTP/1.1 as Twilio's clients use: kept connections, bodies with a Content-Length.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};
use url::form_urlencoded;

pub(super) struct Connection {
    /// Counted from 1.
    pub number: usize,
    reader: BufReader<TcpStream>,
}

pub(super) struct Request {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(super) struct Response {
    pub status: u16,
    pub retry_after: Option<u32>,
    pub content_type: &'static str,
    pub body: String,
}

impl Connection {
    pub fn new(stream: TcpStream, number: usize) -> Connection {
        Connection {
            number,
            reader: BufReader::new(stream),
        }
    }

    /// The next request; None at the end of the connection.
    pub fn request(&mut self) -> Option<Request> {
        let line = self.line()?;
        let mut words = line.split(' ').map(String::from);
        let (method, target) = words.next().zip(words.next())?;
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line()?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Request {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let length = request.header("content-length");
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        request.body = vec![0; length];
        self.reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    pub fn respond(&mut self, response: &Response) -> io::Result<()> {
        let Response {
            status,
            content_type,
            body,
            ..
        } = response;
        let retry_after = response.retry_after;
        let retry_after = retry_after.map_or(String::new(), |s| format!("Retry-After: {s}\r\n"));
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} \r\nContent-Type: {content_type}\r\n{retry_after}Content-Length: {length}\r\n\r\n{body}"
        );
        self.reader.get_mut().write_all(text.as_bytes())
    }

    /// Waits, without a word, until the client gives up.
    pub fn silence(&mut self) {
        let _ = io::copy(&mut self.reader, &mut io::sink());
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.0 == name)?;
        Some(&header.1)
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        pairs(query.as_bytes())
    }

    /// The fields of a posted form; anything but a form in UTF-8 is a mistake of the client.
    pub fn form(&self) -> Vec<(String, String)> {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("application/x-www-form-urlencoded"),
            "a body of type {kind:?}"
        );
        pairs(&self.body)
    }

    pub fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let pairs: Vec<_> = form_urlencoded::parse(text).into_owned().collect();
    // The replacement character itself may be sent; what the parser put in the place of bad bytes may not.
    let sent = String::from_utf8_lossy(text).to_uppercase();
    let sent = sent.matches("%EF%BF%BD").count();
    let read = pairs.iter().map(|pair| pair.1.matches('\u{fffd}').count());
    assert_eq!(
        read.sum::<usize>(),
        sent,
        "a field that is not UTF-8: {pairs:?}"
    );
    pairs
}

impl Response {
    pub fn json(status: u16, body: &Value) -> Response {
        Response {
            status,
            retry_after: None,
            content_type: "application/json",
            body: body.to_string(),
        }
    }

    /// An answer of something between us and Twilio.
    pub fn html(status: u16, body: String) -> Response {
        Response {
            status,
            retry_after: None,
            content_type: "text/html",
            body,
        }
    }

    /// An error as Twilio words it.
    pub fn error(status: u16, code: u32, message: &str) -> Response {
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let body =
            json!({"code": code, "message": message, "more_info": more_info, "status": status});
        Response::json(status, &body)
    }
}
