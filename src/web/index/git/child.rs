//! The git process behind an answer: from the wait for its turn to what became of it.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::body::Sent;
use super::limits::ProcessPermit;
use super::packets::{Packet, Packets, put};
use super::protocol::Version;
use super::service::Parts;
use super::spool::{End, Writing};
use crate::index::{PackSizes, readable_stderr};
use crate::web::index::blocking;

/// What is read from git at once, in bytes.
const PIECE: usize = 64 * 1024;

/// How much of git's error output is kept, in bytes.
const MAX_STDERR: usize = 8 * 1024;

/// An answer that is only a complaint is no longer, in bytes.
const MAX_COMPLAINT: usize = 1024;

/// How a pack begins, with its version.
const PACK: &[u8] = b"PACK\0\0\0\x02";

/// What git says to a request that is in order, but asks for too new commits.
const NOTHING_SELECTED: &str = "no commits selected for shallow requests";

/// How git begins when a request is none. What it says about its repository begins differently.
const COMPLAINTS: [&str; 24] = [
    "protocol error",
    "git upload-pack: protocol error",
    "git upload-pack: expected",
    "git upload-pack: not our ref",
    "upload-pack: not our ref",
    "git upload-pack: deepen",
    "git upload-pack: ambiguous deepen-not",
    "git upload-pack: filtering not supported",
    "git upload-pack: filtering capability not negotiated",
    "multiple filter-specs cannot be combined",
    NOTHING_SELECTED,
    "unexpected line",
    "unknown capability",
    "unknown object format",
    "mismatched object format",
    "invalid command",
    "no command requested",
    "expected flush",
    "invalid shallow line",
    "Invalid deepen",
    "invalid filter-spec",
    "filter '",
    "expected 'tree:",
    "the remote end hung up",
];

/// How git ends when there is not enough memory.
const OUT_OF_MEMORY: [&str; 6] =
    ["ut of memory", "malloc failed", "realloc failed", "mmap failed", "Cannot allocate memory", "died of signal 24"];

/// What git is started for.
pub struct Job {
    pub sent: Sent,
    /// How many bytes of it are the request.
    pub length: u64,
    pub version: Version,
    pub process: ProcessPermit,
}

/// Writes an answer, as long as anybody reads it.
pub async fn write(service: Arc<Parts>, writing: Writing, job: Job) {
    let spool = Arc::clone(&writing.0);
    let given_up = async {
        loop {
            spool.abandoned().await;
            if service.kept.forget(&spool, false) {
                return;
            }
        }
    };
    let (end, has_pack) = tokio::select! {
        ended = carry_out(&service, &writing, job) => ended,
        // The process is killed with the future above.
        () = given_up => return,
    };
    if end != End::Whole || !has_pack {
        service.kept.forget(&spool, true);
    }
    writing.finish(end);
}

/// How the answer ended, and whether it has a pack.
async fn carry_out(service: &Parts, writing: &Writing, job: Job) -> (End, bool) {
    let mut begin = Begin::default();
    let end = run(service, writing, job, &mut begin).await;
    let end = match end {
        End::Refused(complaint) if writing.0.length() > 0 || complaint.starts_with(NOTHING_SELECTED) => {
            begin.refuse(service, writing, &complaint).await
        }
        end => end,
    };
    (end, begin.is_clone())
}

async fn run(service: &Parts, writing: &Writing, job: Job, begin: &mut Begin) -> End {
    let Job { sent, length, version, process } = job;
    let index = service.index.clone();
    let sizes = match blocking(move || index.pack_sizes()).await {
        Some(Ok(sizes)) => sizes,
        Some(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index can't be read");
            return End::Failed;
        }
        None => return End::Failed,
    };
    service.bound_the_disk(sizes);
    let mut running = match start(service, version, sizes) {
        Ok(running) => running,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "git can't be started to serve the index");
            return End::Failed;
        }
    };
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (running.0.stdin.take(), running.0.stdout.take(), running.0.stderr.take())
    else {
        tracing::error!("a pipe to git is missing");
        return End::Failed;
    };
    let mut time = Time(service.shared.limits.git_time);
    let output = async {
        let passed = pass_on(service, stdout, writing, &mut time, begin).await;
        if passed.is_err() {
            running.kill();
        }
        passed
    };
    let ((), said, passed) = tokio::join!(feed(stdin, sent, length), collect(stderr), output);
    if let Err(problem) = passed {
        return problem.end(service, &said);
    }
    let end = match time.of(running.0.wait()).await {
        Ok(Ok(status)) => judge(service, status, &said, begin, writing.0.length()),
        Ok(Err(error)) => Problem::Io(error).end(service, &said),
        Err(late) => late.end(service, &said),
    };
    drop(process);
    end
}

fn start(service: &Parts, version: Version, sizes: PackSizes) -> io::Result<Running> {
    let mut command = Command::from(service.index.upload_pack(sizes, version.variable(), false));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true).spawn().map(Running)
}

/// A process; dropped before its end, the whole group is killed, because a child of it does the work.
struct Running(Child);

impl Running {
    fn kill(&self) {
        // An id is there as long as the process hasn't been waited for, so it is nobody else's yet.
        if let Some(id) = self.0.id() {
            let _gone_already = killpg(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why git was not heard to its end.
enum Problem {
    Late,
    Io(io::Error),
}

impl Problem {
    fn end(self, service: &Parts, said: &[u8]) -> End {
        match self {
            Self::Late => {
                service.warn_of_a_limit("the limit of time", said);
                End::TooExpensive
            }
            Self::Io(error) => {
                service.warn_of_a_failure(&error.to_string(), said);
                End::Failed
            }
        }
    }
}

/// The time that git has left.
struct Time(Duration);

impl Time {
    async fn of<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Problem> {
        let begin = Instant::now();
        let done = timeout(self.0, work).await.map_err(|_| Problem::Late);
        self.0 = self.0.saturating_sub(begin.elapsed());
        done
    }
}

/// What became of a process that has ended by itself.
fn judge(service: &Parts, status: ExitStatus, said: &[u8], begin: &Begin, length: u64) -> End {
    if status.success() {
        return End::Whole;
    }
    let stderr = readable_stderr(said);
    if length > 0 && length == begin.bytes.len() as u64 && ends_with_a_complaint(&begin.bytes) {
        tracing::debug!(stderr, "git refused a fetch, and has said why");
        return End::Whole;
    }
    if status.signal() == Some(libc::SIGXCPU) || OUT_OF_MEMORY.iter().any(|words| stderr.contains(words)) {
        service.warn_of_a_limit(&status.to_string(), said);
        return End::TooExpensive;
    }
    match complaint(&stderr) {
        Some(complaint) => {
            tracing::debug!(complaint, "git does not understand a fetch");
            End::Refused(complaint.to_owned())
        }
        None => {
            service.warn_of_a_failure(&status.to_string(), said);
            End::Failed
        }
    }
}

/// The beginning of git's output, and whether a pack begins anywhere in it.
#[derive(Default)]
struct Begin {
    /// So much as a complaint may have.
    bytes: Vec<u8>,
    has_pack: bool,
    /// The end of the last piece, where a pack may have begun.
    last: Vec<u8>,
}

impl Begin {
    fn note(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(&piece[..piece.len().min(MAX_COMPLAINT - self.bytes.len())]);
        if !self.has_pack {
            self.last.extend_from_slice(piece);
            self.has_pack = has(&self.last, PACK);
            self.last.drain(..self.last.len().saturating_sub(PACK.len() - 1));
        }
    }

    /// Whether this is what a clone is answered.
    fn is_clone(&self) -> bool {
        self.has_pack && (has(&self.bytes, b"0008NAK\n") || has(&self.bytes, b"000dpackfile\n"))
    }

    /// Tells the client what is wrong, where its answer has begun and is not behind the middle of a packet.
    async fn refuse(&self, service: &Parts, writing: &Writing, complaint: &str) -> End {
        let mut packets = Packets::new(&self.bytes[..], self.bytes.len() as u64);
        let is_whole = loop {
            match packets.next() {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if !is_whole || writing.0.length() != self.bytes.len() as u64 {
            return End::Failed;
        }
        let complaint: String = complaint.chars().filter(|c| !c.is_control()).take(MAX_COMPLAINT / 4).collect();
        let mut packet = Vec::new();
        put(&mut packet, format!("ERR upload-pack: {complaint}\n").as_bytes());
        append(service, writing, packet.into()).await;
        End::Whole
    }
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether the last packet tells the client what is wrong.
fn ends_with_a_complaint(output: &[u8]) -> bool {
    let mut packets = Packets::new(output, output.len() as u64);
    let mut last_is = false;
    loop {
        match packets.next() {
            Ok(Some(Packet::Line(line))) => last_is = line.starts_with(b"ERR "),
            Ok(Some(_)) => last_is = false,
            Ok(None) => return last_is,
            Err(_) => return false,
        }
    }
}

/// What git says about the request, if that is what it says.
fn complaint(stderr: &str) -> Option<&str> {
    let said = stderr.lines().find_map(|line| line.strip_prefix("fatal: "))?;
    COMPLAINTS.iter().any(|complaint| said.starts_with(complaint)).then_some(said)
}

/// Writes the request; git may end without having read all of it.
async fn feed(mut stdin: ChildStdin, sent: Sent, length: u64) {
    let mut source = sent.unpacked().take(length);
    let mut piece = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = source.read(&mut piece) {
        if stdin.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
}

/// Reads the error output to its end and keeps the beginning.
async fn collect(mut stderr: ChildStderr) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        let room = MAX_STDERR - kept.len();
        kept.extend_from_slice(&piece[..length.min(room)]);
    }
    kept
}

/// Passes git's output on to its end, and notes its beginning.
async fn pass_on(
    service: &Parts,
    mut stdout: ChildStdout,
    writing: &Writing,
    time: &mut Time,
    begin: &mut Begin,
) -> Result<(), Problem> {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = time.of(stdout.read_buf(&mut piece)).await?.map_err(Problem::Io)?;
        if read == 0 {
            return Ok(());
        }
        begin.note(&piece);
        append(service, writing, piece.freeze()).await;
    }
}

async fn append(service: &Parts, writing: &Writing, piece: Bytes) {
    let overflowed = writing.0.has_overflowed();
    while !overflowed && !service.room.has(piece.len() as u64) && service.kept.remove_one_idle() {}
    writing.append(piece).await;
    if !overflowed && writing.0.has_overflowed() {
        // Nobody who comes now would find its beginning.
        service.kept.forget(&writing.0, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_about_a_request_is_told_from_what_it_says_about_its_repository() {
        assert_eq!(complaint("fatal: unexpected line: 'x'"), Some("unexpected line: 'x'"));
        assert_eq!(complaint("warning: x\nfatal: protocol error: bad line"), Some("protocol error: bad line"));
        assert_eq!(complaint("fatal: not a git repository: '/x'"), None);
        assert_eq!(complaint("error: unexpected line"), None);
        assert!(ends_with_a_complaint(b"0009ERR x"));
        assert!(!ends_with_a_complaint(b"0009ERR x0000") && !ends_with_a_complaint(b"PACK"));
    }
}
