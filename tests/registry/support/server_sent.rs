//! Streams of server-sent events, as a browser reads them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// An event. A field that an event does not have is empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SentEvent {
    pub name: String,
    pub data: String,
    pub retry: String,
}

/// Takes the first whole event from what has arrived; None if there is none. Comments are no events.
pub fn take_event(arrived: &mut String) -> Option<SentEvent> {
    loop {
        let (block, rest) = arrived.split_once("\n\n")?;
        let mut event = SentEvent::default();
        let mut data = Vec::new();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.name = value.to_owned(),
                "retry" => event.retry = value.to_owned(),
                "data" => data.push(value.to_owned()),
                _ => {}
            }
        }
        event.data = data.join("\n");
        *arrived = rest.to_owned();
        if event != SentEvent::default() {
            return Some(event);
        }
    }
}

/// A stream of a registry that runs in another process.
pub struct SentEvents {
    answer: BufReader<TcpStream>,
    pub status: u16,
    pub head: String,
    arrived: String,
}

impl SentEvents {
    /// Asks for a path. HTTP/1.0, so that the answer has no frames and ends with the connection.
    pub fn open(address: &str, path: &str) -> Self {
        let mut connection = TcpStream::connect(address).unwrap();
        write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n").unwrap();
        let mut answer = BufReader::new(connection);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(answer.read_line(&mut head).unwrap() > 0, "the answer ended in its head: {head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { answer, status, head, arrived: String::new() }
    }

    /// The next event, or None at the end of the stream.
    pub fn next(&mut self) -> Option<SentEvent> {
        loop {
            if let Some(event) = take_event(&mut self.arrived) {
                return Some(event);
            }
            if self.answer.read_line(&mut self.arrived).unwrap() == 0 {
                return None;
            }
        }
    }

    /// Everything until the end, as text.
    pub fn rest(mut self) -> String {
        let mut rest = self.arrived;
        self.answer.read_to_string(&mut rest).unwrap();
        rest
    }
}
