//! `supercargo with`: a temporary registry for a command.
//!
//! The registry is a child process that runs `serve` in its own process group: Ctrl-C on a terminal reaches the command
//! but not the registry, which the command may need for its cleanup. If this process is killed, the kernel signals both
//! children; the registry then stops and removes its directory.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::config::WithOptions;
use crate::config::storage::DataDir;
use crate::config::with::not_inherited;
use crate::database::access::new_token::NewToken;
use crate::database::access::users;
use crate::postgres::embedded;
use crate::process::CommandError;
use crate::process::signals::Signals;
use crate::process::storage::connect;
use crate::process::{hardening, setup};
use crate::subprocess;

/// Time limit for the registry's start.
const START: Duration = Duration::from_secs(60);
/// The configuration file of the registry and of commands that work on it, in place of the system's file.
const CONFIGURATION: &str =
    "# Of a temporary registry of `supercargo with`. DATABASE_URL is not read.\ndatabase-url = \"\"\n";
/// How often to check whether it has started.
const CHECK_EVERY: Duration = Duration::from_millis(5);

pub(super) fn with(options: &WithOptions) -> Result<ExitCode, CommandError> {
    let signals = Signals::block()?;
    refuse_equal_variables(&options.users)?;
    let directory = tempfile::Builder::new().prefix("supercargo-with-").tempdir()?;
    let data_dir = DataDir::new(directory.path().to_owned());
    std::fs::write(data_dir.configuration(), CONFIGURATION)?;
    let mut registry = Registry::start(&data_dir, options)?;
    let environment = environment(&data_dir, &registry, &options.users)?;
    let status = run(options, environment, signals)?;
    registry.stop()?;
    // The registry removes its directory itself, so that it also does so when this process is killed.
    match directory.close() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Refuses users whose tokens would be in the same variable.
fn refuse_equal_variables(users: &[String]) -> Result<(), CommandError> {
    for (place, user) in users.iter().enumerate() {
        if let Some(other) = users[..place].iter().find(|other| variable_of(other) == variable_of(user)) {
            let variable = variable_of(user);
            return Err(CommandError::new(format!(
                "the tokens of {other:?} and {user:?} would both be in {variable}: choose names that differ by more than \
                 case and punctuation"
            )));
        }
    }
    Ok(())
}

/// The child process that serves.
struct Registry {
    child: Child,
    url: String,
}

impl Registry {
    fn start(data_dir: &DataDir, options: &WithOptions) -> Result<Self, CommandError> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--throwaway", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"])
            .arg(data_dir.path())
            .args(options.postgres_bin_dir.iter().flat_map(|path| ["--postgres-bin-dir".as_ref(), path.as_os_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0);
        for name in not_inherited() {
            command.env_remove(name);
        }
        subprocess::die_with_this_process(&mut command, Signal::SIGTERM);
        let mut registry = Self { child: command.spawn()?, url: String::new() };
        registry.url = registry.wait_until_it_serves(data_dir)?;
        Ok(registry)
    }

    fn wait_until_it_serves(&mut self, data_dir: &DataDir) -> Result<String, CommandError> {
        let until = Instant::now() + START;
        loop {
            if let Ok(url) = std::fs::read_to_string(data_dir.url_file()) {
                return Ok(url.trim().to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(CommandError::new(format!("the temporary registry ended before it was ready ({status})")));
            }
            if Instant::now() > until {
                return Err(CommandError::new(format!(
                    "the temporary registry did not start within {} s",
                    START.as_secs()
                )));
            }
            std::thread::sleep(CHECK_EVERY);
        }
    }

    fn stop(&mut self) -> Result<(), CommandError> {
        if self.child.try_wait()?.is_none() {
            kill(pid(&self.child), Signal::SIGTERM)?;
            self.child.wait()?;
        }
        Ok(())
    }
}

/// Stops the registry also after an error.
impl Drop for Registry {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "cannot stop the temporary registry");
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// The variables for the command, which `--help` documents.
fn environment(
    data_dir: &DataDir,
    registry: &Registry,
    user_names: &[String],
) -> Result<HashMap<String, OsString>, CommandError> {
    let url = &registry.url;
    let token = std::fs::read_to_string(data_dir.admin_token_file())?.trim().to_owned();
    let sparse = format!("sparse+{url}/index/");
    let mut environment = HashMap::from([
        ("SUPERCARGO_URL".to_owned(), url.into()),
        ("SUPERCARGO_SPARSE_INDEX".to_owned(), OsString::from(&sparse)),
        ("SUPERCARGO_GIT_INDEX".to_owned(), format!("{url}/git/index").into()),
        ("SUPERCARGO_TOKEN".to_owned(), OsString::from(&token)),
        ("SUPERCARGO_DATA_DIR".to_owned(), data_dir.path().into()),
        ("SUPERCARGO_PID".to_owned(), registry.child.id().to_string().into()),
        ("CARGO_REGISTRIES_SUPERCARGO_INDEX".to_owned(), sparse.into()),
        ("CARGO_REGISTRIES_SUPERCARGO_TOKEN".to_owned(), token.into()),
        // Cargo sends a token to a registry with auth-required only if a credential provider is configured.
        ("CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS".to_owned(), "cargo:token".into()),
    ]);
    if !user_names.is_empty() {
        let database = embedded::attach(data_dir.path())?
            .ok_or_else(|| CommandError::new("the temporary registry's database is not running"))?;
        let mut connection = connect(&database)?;
        for name in user_names {
            let user = match users::find(&mut connection, name)? {
                Some(admin) if admin.login == setup::ADMIN => admin,
                _ => users::create(&mut connection, name, None)?,
            };
            let (_, token) = NewToken::named("made by `supercargo with`").create(&mut connection, user.id)?;
            environment.insert(variable_of(name), token.reveal().into());
        }
    }
    Ok(environment)
}

fn variable_of(user: &str) -> String {
    let name: String =
        user.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("SUPERCARGO_TOKEN_{name}")
}

/// Runs the command to its end. Forwards SIGTERM; a SIGINT from the terminal has already reached the command.
fn run(
    options: &WithOptions,
    environment: HashMap<String, OsString>,
    signals: Signals,
) -> Result<ExitStatus, CommandError> {
    let [program, arguments @ ..] = options.command.as_slice() else {
        return Err(CommandError::new("there is no command: put it after `--`"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // The command must not work on another registry by mistake. DATABASE_URL may be its own.
    for name in not_inherited().into_iter().filter(|name| name != "DATABASE_URL") {
        command.env_remove(name);
    }
    command.envs(environment);
    Signals::unblocked(&mut command);
    hardening::restore_for(&mut command);
    subprocess::die_with_this_process(&mut command, Signal::SIGTERM);
    let mut child = command
        .spawn()
        .map_err(|error| CommandError::while_doing(format!("cannot run the command {}", program.display()), error))?;
    let command = pid(&child);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Ok(signal) = signals.wait() {
            if signal == Signal::SIGTERM {
                // The command may have ended by now.
                let _ = kill(command, signal);
            }
        }
    })?;
    Ok(child.wait()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_user_is_its_name_in_upper_case() {
        assert_eq!(variable_of("ci-bot.2"), "SUPERCARGO_TOKEN_CI_BOT_2");
    }
}
