//! The steps of a fetch from an upstream: at each the process dies, or an error comes back. Then the same request succeeds, what is
//! kept is whole, and what was kept before is there if the new one is not.

use std::time::{Duration, Instant};

use supercargo::upstream_cache::kept_file::{KeptFile, KeptFiles};
use supercargo::upstream_cache::shared_file;

use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::package::Package;
use crate::support::process::Served;

/// How long anything is waited for: a lease of a process that died lasts ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const OLD: &str = "2024-01-01T00:00:00Z";

/// What is fetched when a point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Index,
    Crate,
}

/// In the order in which a fetch passes them.
const POINTS: [(&str, Of); 9] = [
    ("upstream.index_wanted", Of::Index),
    ("upstream.index_answered", Of::Index),
    ("upstream.index_unwritten", Of::Index),
    ("upstream.index_unnamed", Of::Index),
    ("upstream.index_written", Of::Index),
    ("upstream.file_wanted", Of::Crate),
    ("upstream.file_arrived", Of::Crate),
    ("upstream.file_unstored", Of::Crate),
    ("upstream.file_stored", Of::Crate),
];

/// A registry with an upstream.
struct Bench {
    upstream: FaultyUpstream,
    served: Served,
    is_in_database: bool,
    crates: usize,
}

impl Bench {
    fn new(index_in: &str) -> Self {
        let upstream = FaultyUpstream::start();
        let of_upstream = format!("other={}", upstream.sparse());
        let arguments = ["--upstream", &of_upstream, "--upstream-fresh", "10ms", "--upstream-index-in", index_in];
        let served = Served::start_with_fail_points("error", &arguments);
        Self { upstream, served, is_in_database: index_in == "database", crates: 0 }
    }

    /// Asks until there is an answer; the registry is started again where it died.
    fn insist(&mut self, url: &str, is_right: impl Fn(&[u8]) -> bool) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.served.has_ended() {
                self.served.start_again_after_death();
            }
            let answer = ureq::get(format!("{}/upstream/other/{url}", self.served.url)).call();
            let body = answer.and_then(|mut answer| answer.body_mut().read_to_vec());
            match body {
                Ok(body) if is_right(&body) => return Ok(()),
                Ok(body) if Instant::now() > until => {
                    return Err(format!("the answer is {:?}", String::from_utf8_lossy(&body)));
                }
                Err(error) if Instant::now() > until => return Err(error.to_string()),
                _ => std::thread::park_timeout(Duration::from_millis(20)),
            }
        }
    }

    fn kept(&self, path: &str) -> Option<KeptFile> {
        if self.is_in_database {
            let mut connection = self.served.database.connect();
            return shared_file::read(&mut connection, "other", path).unwrap().and_then(|shared| shared.file);
        }
        KeptFiles::new(self.served.data_dir().join("upstream-index/other")).read(path).unwrap()
    }

    /// One point with one fault: at the first fetch of a file, and of an index file when a changed one replaces it.
    fn try_point(&mut self, point: &str, of: Of, fault: &str) -> Result<(), String> {
        self.crates += 1;
        let name = format!("crate{}", self.crates);
        let (index, path) = (format!("index/cr/at/{name}"), format!("cr/at/{name}"));
        let (first, second) = (Package::new(&name, "1.0.0"), Package::new(&name, "1.1.0"));
        self.upstream.add(&first, OLD);
        let content = |bench: &Self| match bench.upstream.behaviour(&format!("/index/{path}")) {
            Some(Behaviour::File(_, content)) => content,
            other => panic!("{other:?}"),
        };
        if of == Of::Crate {
            self.insist(&index, |body| body.ends_with(b"}\n"))?;
            let file = first.crate_file();
            let url = format!("api/v1/crates/{name}/1.0.0/download");
            self.served.arm(&format!("{point}={fault}"));
            self.insist(&url, |body| body == file)?;
            self.passed(point)?;
            // Once more, from what is kept.
            return self.insist(&url, |body| body == file);
        }
        for package in [None, Some(&second)] {
            if let Some(package) = package {
                self.upstream.add(package, OLD);
            }
            let (before, expected) = (self.kept(&path).map(|kept| kept.content), content(self));
            self.served.arm(&format!("{point}={fault}"));
            let is_whole = |body: &[u8]| body == expected || before.as_deref() == Some(body);
            self.insist(&index, is_whole)?;
            // After an error the database is left alone for seconds: until then no file is written to it.
            let until = Instant::now() + PATIENCE;
            while self.served.fail_point().exists() && Instant::now() < until {
                self.insist(&index, is_whole)?;
            }
            self.passed(point)?;
            self.insist(&index, |body| body == expected)?;
            // A file that could not be written is when the upstream is asked the next time.
            let until = Instant::now() + PATIENCE;
            while self.kept(&path).is_none_or(|kept| kept.content != expected) {
                if Instant::now() > until {
                    return Err(format!("what is kept is {:?}", self.kept(&path)));
                }
                self.insist(&index, |body| body == expected)?;
                // Otherwise the answer is 304, and nothing is written.
                self.upstream.set(&format!("/index/{path}"), Behaviour::file(expected.clone()));
            }
        }
        Ok(())
    }

    fn passed(&mut self, point: &str) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        while self.served.fail_point().exists() {
            if Instant::now() > until {
                return Err(format!("{point} was not passed"));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }
}

#[test]
fn whatever_dies_or_fails_at_any_step_of_a_fetch_the_same_request_succeeds_and_what_is_kept_is_whole() {
    let failures = std::thread::scope(|scope| {
        let threads = ["directory", "database"].map(|index_in| {
            scope.spawn(move || {
                let mut bench = Bench::new(index_in);
                let mut failures = Vec::new();
                for (point, of) in POINTS {
                    // The database has no name that is given at the end.
                    if index_in == "database" && point == "upstream.index_unnamed" {
                        continue;
                    }
                    for fault in ["abort", "error"] {
                        if let Err(why) = bench.try_point(point, of, fault) {
                            failures.push(format!("{index_in}, {point}={fault}: {why}"));
                        }
                    }
                }
                failures
            })
        });
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(failures, Vec::<String>::new());
}
