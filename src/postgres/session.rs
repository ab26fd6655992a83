//! A session of libpq for what Diesel has no call for: COPY of any table in both directions, row by row.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ops::Deref;
use std::ptr::{self, NonNull};

use pq_sys::{ConnStatusType, ExecStatusType, PGconn, PGresult};

/// Why a statement or a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("cannot connect to PostgreSQL: {0}")]
    Connect(String),
    #[error("{problem} (statement: {statement})")]
    Statement { statement: String, problem: String },
}

/// A row of a query: its columns as text.
pub type Row = Vec<Option<String>>;

/// A session. It is not shared between threads.
#[derive(Debug)]
pub struct Session {
    connection: NonNull<PGconn>,
}

/// The rows of a COPY, as lines of its text format. A session cannot be used before they were read to the end.
#[derive(Debug)]
pub struct Lines<'session> {
    session: &'session mut Session,
    statement: String,
}

/// A line with its line feed.
#[derive(Debug)]
pub struct Line {
    start: NonNull<c_char>,
    length: usize,
}

/// A COPY that takes lines.
#[derive(Debug)]
pub struct Intake<'session> {
    session: &'session mut Session,
    statement: String,
}

/// What a statement returned.
#[derive(Debug)]
struct Outcome(NonNull<PGresult>);

#[expect(unsafe_code, reason = "calls libpq")]
impl Session {
    /// Connects to the database of a URL.
    ///
    /// # Errors
    ///
    /// [`SessionError::Connect`] with libpq's words, which may repeat the URL: it must have no password.
    pub fn connect(url: &str) -> Result<Self, SessionError> {
        let url = CString::new(url).map_err(|_| SessionError::Connect("the URL contains a zero byte".to_owned()))?;
        // SAFETY: the text ends with a zero and outlives the call.
        let opened = unsafe { pq_sys::PQconnectdb(url.as_ptr()) };
        let connection = NonNull::new(opened).ok_or_else(|| SessionError::Connect("there is no memory".to_owned()))?;
        let session = Self { connection };
        // SAFETY: the connection is open until it is dropped.
        let status = unsafe { pq_sys::PQstatus(connection.as_ptr()) };
        if status != ConnStatusType::CONNECTION_OK {
            return Err(SessionError::Connect(session.problem()));
        }
        Ok(session)
    }

    /// Runs statements that return no rows, or whose rows do not matter.
    pub fn execute(&mut self, statement: &str) -> Result<(), SessionError> {
        self.query(statement).map(drop)
    }

    /// Runs a query.
    pub fn query(&mut self, statement: &str) -> Result<Vec<Row>, SessionError> {
        let outcome = self.run(statement)?;
        match outcome.status() {
            ExecStatusType::PGRES_TUPLES_OK => Ok(outcome.rows()),
            ExecStatusType::PGRES_COMMAND_OK => Ok(Vec::new()),
            _ => Err(self.failed(statement)),
        }
    }

    /// Starts a `COPY … TO STDOUT`.
    pub fn copy_out(&mut self, statement: &str) -> Result<Lines<'_>, SessionError> {
        if self.run(statement)?.status() != ExecStatusType::PGRES_COPY_OUT {
            return Err(self.failed(statement));
        }
        Ok(Lines { session: self, statement: statement.to_owned() })
    }

    /// Starts a `COPY … FROM STDIN`.
    pub fn copy_in(&mut self, statement: &str) -> Result<Intake<'_>, SessionError> {
        if self.run(statement)?.status() != ExecStatusType::PGRES_COPY_IN {
            return Err(self.failed(statement));
        }
        Ok(Intake { session: self, statement: statement.to_owned() })
    }

    fn run(&mut self, statement: &str) -> Result<Outcome, SessionError> {
        let text = CString::new(statement).map_err(|_| self.failed_with(statement, "it contains a zero byte"))?;
        // SAFETY: the connection is open, and the text ends with a zero and outlives the call.
        let result = unsafe { pq_sys::PQexec(self.connection.as_ptr(), text.as_ptr()) };
        NonNull::new(result).map(Outcome).ok_or_else(|| self.failed(statement))
    }

    /// Reads what is left of a COPY's results. The last one with rows says how many were copied.
    fn finish(&mut self, statement: &str) -> Result<u64, SessionError> {
        let mut rows = 0;
        loop {
            // SAFETY: the connection is open.
            let result = unsafe { pq_sys::PQgetResult(self.connection.as_ptr()) };
            let Some(outcome) = NonNull::new(result).map(Outcome) else { return Ok(rows) };
            if outcome.status() != ExecStatusType::PGRES_COMMAND_OK {
                return Err(self.failed(statement));
            }
            rows = outcome.count();
        }
    }

    fn failed(&self, statement: &str) -> SessionError {
        self.failed_with(statement, &self.problem())
    }

    fn failed_with(&self, statement: &str, problem: &str) -> SessionError {
        let statement: String = statement.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
        SessionError::Statement { statement, problem: problem.to_owned() }
    }

    /// The words of libpq for the last failure, on one line.
    fn problem(&self) -> String {
        // SAFETY: the connection is open, and the text is valid until its next use.
        let text = unsafe { CStr::from_ptr(pq_sys::PQerrorMessage(self.connection.as_ptr())) };
        text.to_string_lossy().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Session {
    #[expect(unsafe_code, reason = "calls libpq")]
    fn drop(&mut self) {
        // SAFETY: it is closed once, and not used afterwards.
        unsafe { pq_sys::PQfinish(self.connection.as_ptr()) }
    }
}

impl Lines<'_> {
    /// The next line; `None` at the end.
    #[expect(unsafe_code, reason = "calls libpq")]
    pub fn next_line(&mut self) -> Result<Option<Line>, SessionError> {
        let mut start = ptr::null_mut();
        // SAFETY: the connection is open and in a COPY, and `start` is a place for one pointer.
        let length = unsafe { pq_sys::PQgetCopyData(self.session.connection.as_ptr(), &raw mut start, 0) };
        match (NonNull::new(start), usize::try_from(length)) {
            (Some(start), Ok(length)) => Ok(Some(Line { start, length })),
            _ if length == -1 => self.session.finish(&self.statement).map(|_| None),
            _ => Err(self.session.failed(&self.statement)),
        }
    }
}

impl Deref for Line {
    type Target = [u8];

    #[expect(unsafe_code, reason = "reads memory of libpq")]
    fn deref(&self) -> &[u8] {
        // SAFETY: libpq allocated so many bytes, which are freed when the line is dropped.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.length) }
    }
}

impl Drop for Line {
    #[expect(unsafe_code, reason = "calls libpq")]
    fn drop(&mut self) {
        // SAFETY: libpq allocated it, and it is freed once.
        unsafe { pq_sys::PQfreemem(self.start.as_ptr().cast()) }
    }
}

#[expect(unsafe_code, reason = "calls libpq")]
impl Intake<'_> {
    /// Sends some lines, or parts of them.
    pub fn put(&mut self, lines: &[u8]) -> Result<(), SessionError> {
        let length = c_int::try_from(lines.len())
            .map_err(|_| self.session.failed_with(&self.statement, "a row is larger than 2 GiB"))?;
        // SAFETY: the connection is open and in a COPY, and so many bytes are readable.
        let sent = unsafe { pq_sys::PQputCopyData(self.session.connection.as_ptr(), lines.as_ptr().cast(), length) };
        if sent == 1 { Ok(()) } else { Err(self.session.failed(&self.statement)) }
    }

    /// Ends the COPY, and returns the number of rows.
    pub fn finish(self) -> Result<u64, SessionError> {
        // SAFETY: the connection is open and in a COPY; without a message it ends well.
        let ended = unsafe { pq_sys::PQputCopyEnd(self.session.connection.as_ptr(), ptr::null()) };
        if ended != 1 {
            return Err(self.session.failed(&self.statement));
        }
        self.session.finish(&self.statement)
    }
}

#[expect(unsafe_code, reason = "calls libpq")]
impl Outcome {
    fn status(&self) -> ExecStatusType {
        // SAFETY: the result is valid until it is dropped.
        unsafe { pq_sys::PQresultStatus(self.0.as_ptr()) }
    }

    /// The number of rows that a statement affected.
    fn count(&self) -> u64 {
        // SAFETY: the result is valid until it is dropped, and the text as long.
        let text = unsafe { CStr::from_ptr(pq_sys::PQcmdTuples(self.0.as_ptr())) };
        text.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn rows(&self) -> Vec<Row> {
        let result = self.0.as_ptr();
        // SAFETY: the result is valid until it is dropped, and the numbers are within its bounds; a value ends with a zero.
        unsafe {
            let columns = pq_sys::PQnfields(result);
            let value = |row, column| {
                let is_null = pq_sys::PQgetisnull(result, row, column) == 1;
                let text = CStr::from_ptr(pq_sys::PQgetvalue(result, row, column));
                (!is_null).then(|| text.to_string_lossy().into_owned())
            };
            (0..pq_sys::PQntuples(result)).map(|row| (0..columns).map(|column| value(row, column)).collect()).collect()
        }
    }
}

impl Drop for Outcome {
    #[expect(unsafe_code, reason = "calls libpq")]
    fn drop(&mut self) {
        // SAFETY: it is freed once, and not used afterwards.
        unsafe { pq_sys::PQclear(self.0.as_ptr()) }
    }
}
