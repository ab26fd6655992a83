//! The git program behind a fetch.
//!
//! A request is read whole before git starts (it is a list of commit ids, bounded here), so a slow sender occupies no
//! process. The answer is passed on as git writes it. Each process holds one of a few permits, and loses it by ending,
//! by a client that hangs up, or by one that takes nothing for a minute: then the process group is killed, because the
//! work is done by a child of the process that is talked to.
//!
//! The status is decided by the first bytes. A git that fails before it has said anything is a 500; one that fails
//! later breaks the connection off, so that the client doesn't take a part for the whole.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http_body_util::LengthLimitError;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::blocking;
use super::plain_text::{sentence, unavailable};
use crate::index::{GitProgram, Index, readable_stderr};

/// Longest request, in bytes, before and after decompression. A client that shares nothing of a long history sends
/// some hundred kilobytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The most time for a request to arrive.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// The most time for a client to take the next piece.
const CLIENT_STALL: Duration = Duration::from_secs(60);

/// The most time for git to say something. It sends a sign of life every few seconds while it counts.
const GIT_STALL: Duration = Duration::from_secs(300);

/// The most time for a free process.
const PERMIT_WAIT: Duration = Duration::from_secs(30);

/// Size of a piece of the answer, in bytes.
const PIECE: usize = 64 * 1024;

/// How much of git's error output is kept, in bytes.
const MAX_STDERR: usize = 8 * 1024;

/// Longest `Git-Protocol` header that is passed on, in bytes.
const MAX_PROTOCOL: usize = 128;

/// Runs git for the fetches of one index, a limited number at a time. Clones share the limit.
#[derive(Debug, Clone)]
pub struct GitService {
    repository: PathBuf,
    git: GitProgram,
    permits: Arc<Semaphore>,
    permit_wait: Duration,
}

/// A request to `git upload-pack`.
pub struct Request {
    input: Bytes,
    protocol: Option<String>,
    advertise: bool,
}

impl Request {
    /// For the list of references.
    pub fn advertisement(headers: &HeaderMap) -> Request {
        Request { input: Bytes::new(), protocol: protocol(headers), advertise: true }
    }

    /// For objects; `input` is the body of the request.
    pub fn fetch(headers: &HeaderMap, input: Bytes) -> Request {
        Request { input, protocol: protocol(headers), advertise: false }
    }

    /// What stands before git's own output: version 2 has dropped it.
    fn preamble(&self) -> &'static [u8] {
        let version_2 = self.protocol.as_deref().is_some_and(|value| value.split(':').any(|key| key == "version=2"));
        if self.advertise && !version_2 { b"001e# service=git-upload-pack\n0000" } else { b"" }
    }
}

/// The `Git-Protocol` header, when it is made of what such a header is made of.
fn protocol(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("git-protocol")?.to_str().ok()?;
    let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:._-".contains(&byte));
    (is_plain && value.len() <= MAX_PROTOCOL).then(|| value.to_owned())
}

impl GitService {
    /// A service for the index that runs two processes a core, four at least.
    pub fn new(index: &Index) -> GitService {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        GitService::with_limits(index, (2 * cores).max(4), PERMIT_WAIT)
    }

    /// A service that runs `processes` at most and lets a request wait so long for one.
    pub fn with_limits(index: &Index, processes: usize, permit_wait: Duration) -> GitService {
        GitService {
            repository: index.path().to_owned(),
            git: index.git().clone(),
            permits: Arc::new(Semaphore::new(processes)),
            permit_wait,
        }
    }

    /// Runs git for the request and answers with what it says.
    pub(super) async fn answer(&self, request: Request) -> Response<Body> {
        let Ok(Ok(permit)) = timeout(self.permit_wait, Arc::clone(&self.permits).acquire_owned()).await else {
            return unavailable("Too many fetches at once; try again in a few seconds.");
        };
        let content_type = if request.advertise {
            "application/x-git-upload-pack-advertisement"
        } else {
            "application/x-git-upload-pack-result"
        };
        let preamble = Bytes::from_static(request.preamble());
        let mut pieces = match self.start(request, permit) {
            Ok(pieces) => pieces,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "git can't be started to serve the index");
                return sentence(StatusCode::INTERNAL_SERVER_ERROR, "The server can't run git; its log tells why.");
            }
        };
        let first = match pieces.recv().await {
            Some(Piece::Output(first)) => vec![preamble, first],
            Some(Piece::End) => Vec::new(),
            None => {
                return sentence(StatusCode::INTERNAL_SERVER_ERROR, "git failed on the server; its log tells why.");
            }
        };
        let rest = if first.is_empty() { None } else { Some(pieces) };
        let start = stream::iter(first.into_iter().map(Ok));
        let mut response = Response::new(Body::from_stream(start.chain(stream::unfold(rest, next_piece))));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate"));
        headers.insert(header::EXPIRES, HeaderValue::from_static("Fri, 01 Jan 1980 00:00:00 GMT"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }

    fn start(&self, request: Request, permit: OwnedSemaphorePermit) -> io::Result<mpsc::Receiver<Piece>> {
        let mut command = Command::from(self.git.command());
        command.args(["upload-pack", "--strict", "--stateless-rpc"]);
        if request.advertise {
            command.arg("--advertise-refs");
        }
        if let Some(protocol) = &request.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        command.arg(&self.repository);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running { child, _permit: permit };
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(io::Error::other("a pipe to git is missing"));
        };
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(async move {
            let output = async {
                let passed = pass_on(stdout, &sender).await;
                if !matches!(passed, Passed::Whole) {
                    running.kill();
                }
                passed
            };
            let ((), said, passed) = tokio::join!(feed(stdin, request.input), collect(stderr), output);
            running.finish(passed, &said, &sender).await;
        });
        Ok(receiver)
    }
}

/// What passes between git and the body of the answer. A channel that closes before the end means that git failed.
enum Piece {
    Output(Bytes),
    End,
}

/// The next piece of the body, its end, or the error that breaks the connection off.
async fn next_piece(
    pieces: Option<mpsc::Receiver<Piece>>,
) -> Option<(io::Result<Bytes>, Option<mpsc::Receiver<Piece>>)> {
    let mut pieces = pieces?;
    match pieces.recv().await {
        Some(Piece::Output(output)) => Some((Ok(output), Some(pieces))),
        Some(Piece::End) => None,
        None => Some((Err(io::Error::other("git upload-pack was cut short")), None)),
    }
}

/// How passing the output on ended.
enum Passed {
    /// Git closed its output.
    Whole,
    /// The client hung up or takes nothing any more.
    NotTaken,
    /// Git says nothing, or its output can't be read.
    Broken(io::Error),
}

/// A process and its permit; dropped before its end, the whole group is killed.
struct Running {
    child: Child,
    _permit: OwnedSemaphorePermit,
}

impl Running {
    /// Waits for the end and reports it: to the log when it is a failure, to the body when it is none.
    async fn finish(mut self, passed: Passed, said: &[u8], sender: &mpsc::Sender<Piece>) {
        let ended = self.child.wait().await;
        let failure = match (passed, ended) {
            (Passed::Whole, Ok(status)) if status.success() => {
                let _client_is_gone = sender.send(Piece::End).await;
                return;
            }
            (Passed::NotTaken, _) => return,
            (Passed::Whole, Ok(status)) => status.to_string(),
            (Passed::Broken(error), _) | (Passed::Whole, Err(error)) => error.to_string(),
        };
        tracing::warn!(%failure, stderr = readable_stderr(said), "git upload-pack failed");
    }

    fn kill(&self) {
        // An id is there as long as the process hasn't been waited for, so it is nobody else's yet.
        if let Some(id) = self.child.id() {
            let _gone_already = killpg(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes the request; git may end without having read all of it.
async fn feed(mut stdin: ChildStdin, input: Bytes) {
    let _git_has_enough = stdin.write_all(&input).await;
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

async fn pass_on(mut stdout: ChildStdout, sender: &mpsc::Sender<Piece>) -> Passed {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = tokio::select! {
            read = timeout(GIT_STALL, stdout.read_buf(&mut piece)) => read,
            () = sender.closed() => return Passed::NotTaken,
        };
        match read {
            Ok(Ok(0)) => return Passed::Whole,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Passed::Broken(error),
            Err(_) => return Passed::Broken(io::Error::other("it said nothing for five minutes")),
        }
        match timeout(CLIENT_STALL, sender.send(Piece::Output(piece.freeze()))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Passed::NotTaken,
        }
    }
}

/// Reads the body of a fetch within its limits, decompressed; the error is the answer.
pub async fn read_request(headers: &HeaderMap, body: Body) -> Result<Bytes, Response<Body>> {
    let too_large = || sentence(StatusCode::PAYLOAD_TOO_LARGE, "A fetch request has 16 MiB at most.");
    let coding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let gzipped = match coding.as_deref() {
        None | Some(b"identity") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(_) => {
            let text = "A fetch request may be compressed with gzip only.";
            return Err(sentence(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
    };
    let read = timeout(REQUEST_LIMIT, axum::body::to_bytes(body, MAX_REQUEST)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if is_over_limit(&error) => return Err(too_large()),
        Ok(Err(_)) => return Err(sentence(StatusCode::BAD_REQUEST, "The request broke off.")),
        Err(_) => {
            return Err(sentence(StatusCode::REQUEST_TIMEOUT, "The request didn't arrive within a minute."));
        }
    };
    if !gzipped {
        return Ok(bytes);
    }
    match blocking(move || gunzip(&bytes)).await {
        Some(Ok(input)) if input.len() > MAX_REQUEST => Err(too_large()),
        Some(Ok(input)) => Ok(input.into()),
        Some(Err(_)) => Err(sentence(StatusCode::BAD_REQUEST, "The request says it is gzip, but it isn't.")),
        None => Err(unavailable("The server is shutting down.")),
    }
}

/// Stops one byte over the limit.
fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut input = Vec::new();
    let limit = MAX_REQUEST as u64 + 1;
    flate2::read::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut input)?;
    Ok(input)
}

fn is_over_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<LengthLimitError>())
}
