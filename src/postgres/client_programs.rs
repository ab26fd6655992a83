//! PostgreSQL's programs for dumps, `pg_dump` and `pg_restore`, for any database.
//!
//! They get the database's address in environment variables, because every user of the machine can read a command line
//! and a URL may hold a password. They inherit nothing else of this process's environment.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::installations;

/// The most output of a program that is kept, in bytes.
const MAX_OUTPUT: u64 = 4 * 1024;

/// Why a dump could not be written or restored.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error(
        "found no {program} of PostgreSQL {major} or later in {searched}: install it (apt-get install \
         postgresql-client-{major}), or name its directory with --postgres-bin-dir"
    )]
    NoProgram { program: &'static str, major: u32, searched: String },
    #[error("cannot run {program}: {source}")]
    Start { program: PathBuf, source: io::Error },
    #[error("{program} failed: {output}")]
    Failed { program: &'static str, output: String },
    #[error("the database URL is invalid: {0}")]
    Url(String),
    #[error("cannot write or read the dump: {0}")]
    Io(#[from] io::Error),
}

/// The programs of one installation.
#[derive(Clone, Debug)]
pub struct ClientPrograms {
    directory: PathBuf,
    search_path: String,
}

impl ClientPrograms {
    /// Finds the programs for a server of this major version: of the same version or a later one.
    ///
    /// # Errors
    ///
    /// [`DumpError::NoProgram`] if none is installed.
    pub fn find(given: Option<&Path>, major: u32) -> Result<Self, DumpError> {
        let (candidates, searched) = installations::candidates(given);
        let mut usable: Vec<(u32, PathBuf)> = candidates
            .into_iter()
            .filter(|directory| directory.join("pg_restore").is_file())
            .filter_map(|directory| Some((installations::version_of(&directory.join("pg_dump"))?, directory)))
            .filter(|(version, _)| *version >= major)
            .collect();
        // A dump can be restored by programs of the same version or later ones: the oldest is the most compatible.
        usable.sort();
        match usable.into_iter().next() {
            Some((_, directory)) => Ok(Self { directory, search_path: "/usr/bin:/bin".to_owned() }),
            None => Err(DumpError::NoProgram { program: "pg_dump", major, searched: searched.join(", ") }),
        }
    }

    /// Writes a dump, in PostgreSQL's custom format, of the state that another session exported as `snapshot`. Of some tables it has no
    /// rows.
    pub fn dump(
        &self,
        database_url: &str,
        snapshot: &str,
        without_rows_of: &[&str],
        to: &mut impl Write,
    ) -> Result<(), DumpError> {
        let mut output = tempfile::tempfile()?;
        let mut command = self.command("pg_dump", database_url)?;
        command
            .args(["--format=custom", "--no-password", "--no-owner", "--no-privileges", "--no-comments"])
            .args(["--lock-wait-timeout=60s", &format!("--snapshot={snapshot}")])
            .args(without_rows_of.iter().map(|table| format!("--exclude-table-data=public.{table}")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(output.try_clone()?));
        let mut child = self.spawn(command)?;
        let copied = match &mut child.stdout {
            Some(content) => io::copy(content, to).map(drop),
            None => Ok(()),
        };
        if copied.is_err() {
            child.kill()?;
        }
        let status = child.wait()?;
        copied?;
        if status.success() { Ok(()) } else { Err(failed("pg_dump", &mut output, status)) }
    }

    /// Restores a dump into an empty database, in one transaction.
    pub fn restore(&self, database_url: &str, dump: &Path) -> Result<(), DumpError> {
        let mut output = tempfile::tempfile()?;
        let mut command = self.command("pg_restore", database_url)?;
        let name = command.get_envs().find(|(name, _)| *name == "PGDATABASE").and_then(|(_, value)| value);
        let name = name.unwrap_or_default().to_owned();
        command
            .args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"])
            .args(["--no-password", "--dbname"])
            .arg(name)
            .arg(dump)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(output.try_clone()?));
        let status = self.spawn(command)?.wait()?;
        if status.success() { Ok(()) } else { Err(failed("pg_restore", &mut output, status)) }
    }

    fn command(&self, program: &str, database_url: &str) -> Result<Command, DumpError> {
        let mut command = Command::new(self.directory.join(program));
        command.env_clear().env("PATH", &self.search_path).env("LC_ALL", "C").current_dir("/");
        let variables = environment(database_url)?;
        let host = variables.iter().find(|(name, _)| name == "PGHOST").map(|(_, host)| host.as_str());
        if let Some(descriptor) = host.and_then(descriptor_of) {
            keep_open(&mut command, descriptor);
        }
        command.envs(variables);
        Ok(command)
    }

    fn spawn(&self, mut command: Command) -> Result<Child, DumpError> {
        command.spawn().map_err(|source| DumpError::Start { program: command.get_program().into(), source })
    }
}

/// The descriptor of this process in the host of a URL with a long path: see `embedded::socket`.
fn descriptor_of(host: &str) -> Option<RawFd> {
    host.strip_prefix("/proc/self/fd/")?.parse().ok()
}

/// Leaves a descriptor open in the program, for which `/proc/self` is the program's own process.
#[expect(unsafe_code, reason = "clears a flag of a descriptor between fork and exec")]
fn keep_open(command: &mut Command, descriptor: RawFd) {
    // SAFETY: between fork and exec the closure only makes system calls and allocates nothing. The descriptor is never closed.
    unsafe {
        command.pre_exec(move || {
            fcntl(BorrowedFd::borrow_raw(descriptor), FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        });
    }
}

fn failed(program: &'static str, output: &mut File, status: std::process::ExitStatus) -> DumpError {
    let mut bytes = Vec::new();
    let read = output.rewind().and_then(|()| output.take(MAX_OUTPUT).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let output = if read.is_err() || text.is_empty() { status.to_string() } else { text };
    DumpError::Failed { program, output }
}

/// The environment variables of libpq for a URL or keyword string. Parameters without a variable, such as `keepalives`,
/// keep their defaults.
#[expect(unsafe_code, reason = "calls libpq to parse a connection string")]
pub(super) fn environment(database_url: &str) -> Result<Vec<(String, String)>, DumpError> {
    let unreadable = |text: &str| DumpError::Url(text.split_whitespace().collect::<Vec<_>>().join(" "));
    let url = CString::new(database_url).map_err(|_| unreadable("it contains a zero byte"))?;
    let mut message = std::ptr::null_mut();
    // SAFETY: the text outlives the call, and the message is a place for one pointer.
    let options = unsafe { pq_sys::PQconninfoParse(url.as_ptr(), &raw mut message) };
    if options.is_null() {
        // libpq's message repeats the URL with its password.
        // SAFETY: libpq allocated the message, which may be null.
        unsafe { pq_sys::PQfreemem(message.cast()) };
        return Err(unreadable("write it as postgresql://user:password@host/name"));
    }
    let mut variables = Vec::new();
    let mut option = options;
    // SAFETY: the array ends with an entry whose keyword is null; the texts live until the array is freed.
    unsafe {
        while !(*option).keyword.is_null() {
            if !(*option).val.is_null() && !(*option).envvar.is_null() {
                let text = |pointer| CStr::from_ptr(pointer).to_string_lossy().into_owned();
                variables.push((text((*option).envvar), text((*option).val)));
            }
            option = option.add(1);
        }
        pq_sys::PQconninfoFree(options);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_environment_variables() {
        let variables = environment("postgresql://me:s%20ecret@h:5433/db?sslmode=require&keepalives=1").unwrap();
        let mut given: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        given.sort();
        assert_eq!(
            given,
            ["PGDATABASE=db", "PGHOST=h", "PGPASSWORD=s ecret", "PGPORT=5433", "PGSSLMODE=require", "PGUSER=me"]
        );
        let error = environment("postgresql://me:secret@h/db?nonsense=1").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
