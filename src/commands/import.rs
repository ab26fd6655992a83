//! `supercargo admin import`.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use crate::admin::output::{print_json, say};
use crate::config::{CratesIoDependencies, ImportOptions};
use crate::crate_store::CrateStore;
use crate::database::catalog::owners::Owner;
use crate::import::{self, Downloads, Import, Selection, Source, Summary};
use crate::index::ConfigJson;
use crate::index::entry::registries::{CratesIo, Registries};
use crate::jobs::{self, Environment, describing};
use crate::package::RegistryUrls;
use crate::package::registry_urls::is_crates_io;
use crate::process::data_dir::permissions::refuse_root_in_a_directory_of_others;
use crate::process::operator_command::{operator, read_token, stop_on_signal, with_aliases};
use crate::process::signals::Signals;
use crate::process::workers::worker_name;
use crate::process::{CommandError, Storage};
use crate::queue::{Completions, Runner, Wakeups};
use crate::upstream::guarded::Guarded;
use crate::upstream::{Token, Upstream};

/// Interval of progress lines in the log when there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(30);

pub(super) fn import(options: &ImportOptions) -> Result<(), CommandError> {
    refuse_root_in_a_directory_of_others(&options.storage)?;
    let signals = Signals::block()?;
    let storage = Storage::attach_or_start(&options.storage)?;
    let summary = run(options, &storage, signals);
    let closed = storage.close();
    let summary = summary?;
    closed?;
    if options.output.json {
        print_json(&summary)?;
    } else {
        say!("{}", summary.to_text().trim_end());
    }
    match (summary.interrupted, summary.failed.len(), summary.without_categories.len()) {
        (true, _, _) => Err(CommandError::new("interrupted: run the same command again to continue")),
        (false, 0, 0) => Ok(()),
        (false, 0, without) => Err(CommandError::new(format!(
            "imported all versions, {without} of them without some of their categories (listed above)"
        ))),
        (false, failed, _) => {
            Err(CommandError::new(format!("{failed} crates or versions were not imported (listed above)")))
        }
    }
}

fn run(options: &ImportOptions, storage: &Storage, signals: Signals) -> Result<Summary, CommandError> {
    let stopped = stop_on_signal(signals)?;
    let mut session = storage.connect()?;
    let mut owners = Vec::new();
    for login in &options.owners {
        let owner = Owner::find(&mut session, login)?.ok_or_else(|| {
            CommandError::new(format!("--owner: there is no user or team {login:?}: see `supercargo admin user list`"))
        })?;
        owner.check_active().map_err(|inactive| CommandError::while_doing("--owner", inactive))?;
        owners.push(owner);
    }
    let token = options.token_file.as_deref().map(|file| read_token("--token-file", file)).transpose()?;
    let token = token.map(|token| Token::new(token, options.allow_insecure_token));
    let anonymous = Upstream::anonymous();
    let mut source = Source::open(&options.index, anonymous.clone(), &options.storage.git)?;
    let config = source.config(token.as_ref())?;
    let upstream = downloads(&config, token, anonymous)?;
    let selection = selection(options, &source)?;
    let registries = registries(options, storage, &source, &config)?;
    let crate_store = CrateStore::attach(&storage.data_dir.crates())?;
    let pool = storage.pool(&options.storage);
    let progress = Progress::new(selection.crates.len());
    let import = Import {
        pool: &pool,
        crate_store: &crate_store,
        source: &source,
        upstream: &upstream,
        dl: config.dl,
        registries,
        owners: &owners,
        actor: &operator(),
        concurrency: usize::from(options.concurrency),
        dry_run: options.dry_run,
        stopped: &|| stopped.load(Ordering::Relaxed),
        progress: &|summary| progress.show(summary),
    };
    let summary = import.run(&selection);
    drop(progress);
    // Without `serve` nothing else runs the jobs.
    if storage.is_embedded() && summary.imported > 0 && !options.dry_run {
        let index = storage.index(&options.storage)?;
        let environment =
            Environment { index, crate_store, webhooks: Guarded::new(Vec::new()), smtp: None, index_export: None };
        let (wakeups, completions) = (Wakeups::default(), Completions::default());
        Runner::new(jobs::registry()?, environment, pool.clone(), worker_name(), wakeups, completions).drain()?;
        pool.with(|connection| describing::run(connection, &|| false))??;
    }
    Ok(summary)
}

/// The client for crate files. As in cargo, the token is sent to the host of `dl` only if config.json has `auth-required`.
fn downloads(config: &Downloads, token: Option<Token>, anonymous: Upstream) -> Result<Upstream, CommandError> {
    let Some(token) = token else { return Ok(anonymous) };
    if !config.auth_required {
        tracing::warn!(
            "the token of --token-file is not sent for crate files: config.json does not have auth-required"
        );
        return Ok(anonymous);
    }
    token.check(&config.dl)?;
    Ok(anonymous.with_token(token))
}

fn selection(options: &ImportOptions, source: &Source) -> Result<Selection, CommandError> {
    let listed = match &options.crates {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| CommandError::while_doing(format!("--crates: cannot read {}", file.display()), error))?,
        None => String::new(),
    };
    if options.names.is_empty() && options.crates.is_none() {
        return Ok(import::all(source)?);
    }
    Ok(import::named_crates(source, options.names.iter().map(String::as_str).chain(listed.lines()))?)
}

/// The registries of dependencies. Those on the other registry become dependencies on this one.
fn registries(
    options: &ImportOptions,
    storage: &Storage,
    source: &Source,
    config: &Downloads,
) -> Result<Registries, CommandError> {
    let known = source.known_urls(&options.index);
    let mut urls = own_urls(options, storage)?;
    for url in &known {
        urls = urls.with_index(url);
    }
    if let Some(api) = &config.api {
        urls = urls.with_base(api);
    }
    let urls = with_aliases(urls, &options.index_aliases)?;
    Ok(Registries::Imported {
        urls,
        crates_io: match options.crates_io_dependencies {
            CratesIoDependencies::CratesIo => CratesIo::CratesIo,
            CratesIoDependencies::Here => CratesIo::Here,
        },
        from_crates_io: known.iter().any(|url| is_crates_io(url)),
    })
}

/// The index URLs of this registry, from its own config.json.
fn own_urls(options: &ImportOptions, storage: &Storage) -> Result<RegistryUrls, CommandError> {
    if !storage.data_dir.index().exists() {
        return Ok(RegistryUrls::default());
    }
    let index = storage.index(&options.storage)?;
    let config = index.read(&index.head()?, ConfigJson::PATH)?;
    let config = config.and_then(|file| ConfigJson::parse(&file.content).ok());
    Ok(RegistryUrls::new(config.iter().map(|config| config.api.as_str())))
}

/// Progress: a bar on a terminal, otherwise lines in the log.
struct Progress {
    bar: Option<ProgressBar>,
    logged: Mutex<Instant>,
}

impl Progress {
    fn new(crates: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(crates as u64);
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} crates, {eta} left, {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, logged: Mutex::new(Instant::now()) }
    }

    fn show(&self, summary: &Summary) {
        let line = format!(
            "{} versions ({} MiB), {} not imported",
            summary.imported,
            summary.bytes >> 20,
            summary.failed.len()
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(summary.crates);
                bar.set_message(line);
            }
            None => {
                let mut logged = self.logged.lock();
                if logged.elapsed() >= LOG_EVERY {
                    *logged = Instant::now();
                    tracing::info!("importing: {} crates, {line}", summary.crates);
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
