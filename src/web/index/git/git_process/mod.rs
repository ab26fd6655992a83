//! Runs git for one answer, from its start to its exit status.

mod complaints;
mod output_start;
mod process;

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use nix::libc;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use self::output_start::OutputStart;
use self::process::{Process, Stop, TimeLeft};
use super::body::RequestBody;
use super::context::Context;
use super::fetch_permits::ProcessPermit;
use super::packets::put;
use super::spool::{End, Writer};
use super::version::Version;
use crate::index::readable_stderr;
use crate::web::index::blocking::blocking;

/// The size of a read from git, in bytes.
const PIECE: usize = 64 * 1024;

/// Characters of git's error message that are sent to the client.
const MAX_ERROR: usize = 256;

/// What git is started for.
pub struct Job {
    pub body: RequestBody,
    /// The length of the request in the body, in bytes.
    pub length: u64,
    pub version: Version,
    pub process: ProcessPermit,
}

/// Writes an answer for as long as it has readers.
pub async fn write(context: Arc<Context>, writer: Writer, job: Job) {
    let spool = Arc::clone(&writer.0);
    let abandoned = async {
        loop {
            spool.abandoned().await;
            if context.cache.remove_unread(&spool) {
                return;
            }
        }
    };
    let (end, is_clone) = tokio::select! {
        ended = carry_out(&context, &writer, job) => ended,
        // The process is killed when the future above is dropped.
        () = abandoned => return,
    };
    if end != End::Whole || !is_clone {
        context.cache.remove(&spool);
    }
    writer.finish(end);
}

/// How the answer ended, and whether it is the answer to a clone.
async fn carry_out(context: &Context, writer: &Writer, job: Job) -> (End, bool) {
    let mut start = OutputStart::default();
    let end = match run(context, writer, job, &mut start).await {
        End::Refused(complaint) if writer.0.length() > 0 || complaints::is_about_an_option(&complaint) => {
            append_error(context, writer, &start, &complaint).await
        }
        end => end,
    };
    (end, start.is_clone())
}

async fn run(context: &Context, writer: &Writer, job: Job, start: &mut OutputStart) -> End {
    let Job { body, length, version, process: mut permit } = job;
    // A slow client that git has to wait for keeps no other clone waiting.
    writer.hold(permit.clone.take());
    let index = context.index.clone();
    let sizes = match blocking(move || index.pack_sizes()).await {
        Some(Ok(sizes)) => sizes,
        Some(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index cannot be read");
            return End::Failed;
        }
        None => return End::Failed,
    };
    context.limit_disk(sizes);
    let (mut process, pipes) = match Process::start(context.index.upload_pack(sizes, version.variable(), false)) {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "git cannot be started to serve the index");
            return End::Failed;
        }
    };
    let mut time = TimeLeft(context.limits.git_time);
    let output = async {
        let copied = copy_output(context, pipes.stdout, writer, &mut time, start).await;
        if copied.is_err() {
            process.kill();
        }
        copied
    };
    let ((), stderr, copied) =
        tokio::join!(process::feed(pipes.stdin, body, length), process::collect(pipes.stderr), output);
    if let Err(stop) = copied {
        return stopped(context, stop, &stderr);
    }
    let end = match time.limit(process.wait()).await {
        Ok(status) => exited(context, status, &stderr, start, writer.0.length()),
        Err(stop) => stopped(context, stop, &stderr),
    };
    drop(permit);
    end
}

/// Copies git's output to the answer, and keeps its start.
async fn copy_output(
    context: &Context,
    mut stdout: ChildStdout,
    writer: &Writer,
    time: &mut TimeLeft,
    start: &mut OutputStart,
) -> Result<(), Stop> {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if time.limit(stdout.read_buf(&mut piece)).await? == 0 {
            return Ok(());
        }
        start.add(&piece);
        append(context, writer, piece.freeze()).await;
    }
}

async fn append(context: &Context, writer: &Writer, piece: Bytes) {
    let overflowed = writer.0.has_overflowed();
    while !overflowed && !context.disk.has(piece.len() as u64) && context.cache.remove_one_idle() {}
    writer.append(piece).await;
    if !overflowed && writer.0.has_overflowed() {
        // A new reader would not find the start of the answer.
        context.cache.remove(&writer.0);
    }
}

/// Appends an error packet to the answer, unless the answer ends inside a packet.
async fn append_error(context: &Context, writer: &Writer, start: &OutputStart, complaint: &str) -> End {
    if !start.ends_between_packets(writer.0.length()) {
        return End::Failed;
    }
    let complaint = complaint.strip_prefix("git upload-pack: ").unwrap_or(complaint);
    let complaint: String = complaint.chars().filter(|c| !c.is_control()).take(MAX_ERROR).collect();
    let mut packet = Vec::new();
    put(&mut packet, format!("ERR upload-pack: {complaint}\n").as_bytes());
    append(context, writer, packet.into()).await;
    End::Whole
}

/// The end of an answer whose process was stopped.
fn stopped(context: &Context, stop: Stop, stderr: &[u8]) -> End {
    match stop {
        Stop::TimeLimit => {
            context.log_limit_reached("time limit", stderr);
            End::TooExpensive
        }
        Stop::Io(error) => {
            context.log_failure(&error.to_string(), stderr);
            End::Failed
        }
    }
}

/// The end of an answer whose process exited.
fn exited(context: &Context, status: ExitStatus, stderr: &[u8], start: &OutputStart, length: u64) -> End {
    if status.success() {
        return End::Whole;
    }
    let text = readable_stderr(stderr);
    if length > 0 && start.is_whole(length) && start.ends_with_an_error() {
        tracing::debug!(stderr = text, "git refused a fetch and sent the reason to the client");
        return End::Whole;
    }
    if status.signal() == Some(libc::SIGXCPU) || complaints::is_out_of_memory(&text) {
        context.log_limit_reached(&status.to_string(), stderr);
        return End::TooExpensive;
    }
    match complaints::about_request(&text) {
        Some(complaint) => {
            tracing::debug!(complaint, "git refused a fetch");
            End::Refused(complaint.to_owned())
        }
        None => {
            context.log_failure(&status.to_string(), stderr);
            End::Failed
        }
    }
}
