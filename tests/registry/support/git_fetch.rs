//! Fetches as a client writes them that is not git.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use super::git_remote::git;
use super::http::{self, Reply};
use super::process::Served;

/// A line of the protocol with its length.
pub fn line(content: &str) -> String {
    format!("{:04x}{content}", content.len() + 4)
}

/// A fetch of version 2 with these arguments.
pub fn fetch_v2(arguments: &[&str]) -> Vec<u8> {
    let head = [line("command=fetch"), line("agent=git/2.47.3"), line("object-format=sha1")].concat();
    let arguments: String = arguments.iter().map(|argument| line(&format!("{argument}\n"))).collect();
    format!("{head}0001{arguments}0000").into_bytes()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A client of a registry's git index.
pub struct Fetcher<'a> {
    served: &'a Served,
}

impl<'a> Fetcher<'a> {
    pub fn new(served: &'a Served) -> Self {
        Self { served }
    }

    /// Puts so many commits into the index; answers the last one.
    pub fn fill(&self, commits: usize) -> String {
        let mut stream = Vec::new();
        for n in 0..commits {
            let begin = if n == 0 { "from refs/heads/main^0\n" } else { "" };
            let name = format!("cr/at/crate{}", n % 100);
            let text = format!(
                "commit refs/heads/main\ncommitter x <x@x> {n} +0000\ndata 1\nx\n{begin}M 100644 inline {name}\ndata 8\n{n:08}\n"
            );
            stream.extend_from_slice(text.as_bytes());
        }
        self.import(&stream)
    }

    /// Puts a file into the index that can't be compressed, of so many bytes; answers the commit.
    pub fn fill_with_noise(&self, length: usize) -> String {
        let begin = "commit refs/heads/main\ncommitter x <x@x> 0 +0000\ndata 1\nx\nfrom refs/heads/main^0\n";
        let mut stream = format!("{begin}M 100644 inline no/is/noise\ndata {length}\n").into_bytes();
        let start = stream.len();
        stream.resize(start + length, 0);
        rand::fill(&mut stream[start..]);
        stream.push(b'\n');
        self.import(&stream)
    }

    fn import(&self, stream: &[u8]) -> String {
        let index = self.served.data_dir().join("index.git");
        let mut import = git(&index).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
        import.stdin.take().unwrap().write_all(stream).unwrap();
        assert!(import.wait().unwrap().success());
        let head = git(&index).args(["rev-parse", "refs/heads/main"]).output().unwrap();
        String::from_utf8(head.stdout).unwrap().trim().to_owned()
    }

    pub fn get(&self, path: &str) -> Reply {
        http::get(&format!("{}{path}", self.served.url))
    }

    /// Sends a request and reads nothing.
    pub fn send(&self, version: u8, headers: &[&str], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.served.address()).unwrap();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let head = format!(
            "POST /git/index/git-upload-pack HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-git-upload-pack-request\r\nGit-Protocol: version={version}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    /// Sends a request and reads the answer to its end.
    pub fn post(&self, version: u8, body: &[u8]) -> Reply {
        let mut answer = Vec::new();
        self.send(version, &[], body).read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, retry_after: None, headers: ureq::http::HeaderMap::new(), body: answer.split_off(end + 4) }
    }

    /// The most memory that the server has had, in MiB, without its children.
    pub fn peak_of_server(&self) -> u64 {
        let process = std::fs::read_to_string(self.served.data_dir().join("lock")).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.trim())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}
