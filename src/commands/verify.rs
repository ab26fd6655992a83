//! `supercargo verify`.
//!
//! Exit codes: 0 no differences, 1 differences, 2 the verification failed, 130 interrupted.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::PgConnection;

use crate::admin::output::{complain, print_json, say};
use crate::config::VerifyOptions;
use crate::database::catalog::owners::Owner;
use crate::database::upkeep::verify_reports;
use crate::index::Index;
use crate::jobs::{self, Environment, describing};
use crate::package::RegistryUrls;
use crate::process::buckets::index_export;
use crate::process::data_dir::permissions::refuse_root_in_a_directory_of_others;
use crate::process::operator_command::{operator, read_token, stop_on_signal, with_aliases};
use crate::process::progress::Shown;
use crate::process::signals::Signals;
use crate::process::storage::StoreRole;
use crate::process::workers::worker_name;
use crate::process::{CommandError, Storage};
use crate::queue::{Completions, Runner, Wakeups};
use crate::upstream::guarded::Guarded;
use crate::upstream::{Token, Upstream};
use crate::verify::{Depth, Ended, Mirror, Phase, Repairs, Report, Settings, UpstreamCache, Verifier, Watch};

const DIFFERS: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPTED: u8 = 130;

/// How long to wait for a worker of another process before this one runs the jobs of a repair itself.
const OTHERS: Duration = Duration::from_secs(5);

pub(super) fn verify(options: &VerifyOptions) -> ExitCode {
    match try_verify(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

fn try_verify(options: &VerifyOptions) -> Result<u8, CommandError> {
    if options.repair.repair {
        refuse_root_in_a_directory_of_others(&options.storage)?;
    }
    let signals = Signals::block()?;
    let storage = Storage::attach_or_start(&options.storage)?;
    let ended = run(options, &storage, signals);
    let closed = storage.close();
    let ended = ended?;
    closed?;
    if options.output.json {
        let mut document = ended.report.to_json();
        document["interrupted"] = ended.interrupted.into();
        print_json(&document)?;
    } else {
        say!("{}", ended.report.to_text().trim_end());
    }
    Ok(match (ended.interrupted, ended.report.agrees()) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => DIFFERS,
    })
}

fn run(options: &VerifyOptions, storage: &Storage, signals: Signals) -> Result<Ended, CommandError> {
    let stopped = stop_on_signal(signals)?;
    let index = open_index(options, storage)?;
    let crate_store = storage.crate_store(&options.crate_store, StoreRole::Reads)?;
    let pool = storage.pool(&options.storage);
    let settings = Settings {
        depth: if options.light { Depth::Light } else { Depth::Full },
        all_objects: options.all_objects,
        orphan_age: options.orphan_age,
        patience: options.patience,
        max_rate: options.max_rate,
        max_crates: options.max_crates,
        registry_urls: with_aliases(RegistryUrls::default(), &options.index_aliases)?,
        upstreams: upstreams(options, storage)?,
        index_export: index_export(&options.export, &options.crate_store)?,
        resume: options.resume,
        requested_by: operator().name,
        ..Settings::default()
    };
    let runner = Runner::new(
        jobs::registry()?,
        Environment {
            index: index.clone(),
            crate_store: crate_store.clone(),
            webhooks: Guarded::new(Vec::new()),
            smtp: None,
            index_export: None,
        },
        pool.clone(),
        worker_name(),
        Wakeups::default(),
        Completions::default(),
    );
    let perform = || {
        runner.drain().map_err(|error| error.to_string())?;
        let described = pool.with(|connection| describing::run(connection, &|| false));
        described.map_err(|error| error.to_string())?.map(drop).map_err(|error| error.to_string())
    };
    // Held until the run is over.
    let mut session = storage.connect()?;
    let repairs = if options.repair.repair {
        if !verify_reports::try_lock(&mut session)? {
            return Err(CommandError::new("another repair or the scheduled verification is running: try again later"));
        }
        // The process that starts the embedded PostgreSQL is the only one.
        let grace = if storage.is_embedded() { Duration::ZERO } else { OTHERS };
        Some(repairs(options, &mut session, &perform, grace)?)
    } else {
        None
    };
    let verifier = Verifier {
        pool: &pool,
        index: &index,
        crate_store: &crate_store,
        settings,
        watch: &Watcher::new(stopped),
        repairs,
    };
    Ok(verifier.run()?)
}

/// Where files of upstreams are, if they are to be checked.
fn upstreams(options: &VerifyOptions, storage: &Storage) -> Result<Option<UpstreamCache>, CommandError> {
    if !options.upstreams {
        return Ok(None);
    }
    let crate_files = storage.upstream_store(&options.crate_store, StoreRole::Reads)?;
    Ok(Some(UpstreamCache { crate_files, index_files: storage.data_dir.upstream_index() }))
}

/// Opens the index, or the mirror of its remote, through which a repair has to write.
fn open_index(options: &VerifyOptions, storage: &Storage) -> Result<Index, CommandError> {
    options.index.check().map_err(CommandError::new)?;
    let path = storage.data_dir.index();
    if options.repair.repair || options.index.index_remote.is_some() {
        return storage.index_or_mirror(&options.storage, &options.index);
    }
    if !path.exists() {
        return Err(CommandError::new(format!(
            "there is no index in {}: render a new one from the database with `supercargo verify --repair`, or restore it \
             with `supercargo restore DIR --index-only`",
            path.display()
        )));
    }
    storage.index(&options.storage)
}

fn repairs<'a>(
    options: &VerifyOptions,
    connection: &mut PgConnection,
    perform: &'a dyn Fn() -> Result<(), String>,
    grace: Duration,
) -> Result<Repairs<'a>, CommandError> {
    let allow_insecure = options.index.allow_insecure_token;
    let options = &options.repair;
    let mut owners = Vec::new();
    for login in &options.owners {
        let owner = Owner::find(connection, login)?.ok_or_else(|| {
            CommandError::new(format!("--owner: there is no user or team {login:?}: see `supercargo admin user list`"))
        })?;
        owner.check_active().map_err(|inactive| CommandError::while_doing("--owner", inactive))?;
        owners.push(owner);
    }
    let token = options.token_file.as_deref().map(|file| read_token("--token-file", file)).transpose()?;
    let mirror = options.mirror.as_deref().map(|template| mirror(template, token, allow_insecure)).transpose()?;
    let (yanks_from_index, retry_dead) = (options.yanks_from_index, options.retry_dead);
    Ok(Repairs { mirror, owners, yanks_from_index, retry_dead, actor: operator(), perform, grace })
}

fn mirror(template: &str, token: Option<String>, allow_insecure: bool) -> Result<Mirror, CommandError> {
    let mut upstream = Upstream::anonymous();
    if let Some(token) = token.map(|token| Token::new(token, allow_insecure)) {
        token.check(template)?;
        upstream = upstream.with_token(token);
    }
    Ok(Mirror { template: template.to_owned(), upstream })
}

/// Progress, until a signal stops the command.
struct Watcher {
    stopped: Arc<AtomicBool>,
    shown: Shown,
}

impl Watcher {
    fn new(stopped: Arc<AtomicBool>) -> Self {
        Self { stopped, shown: Shown::new("{spinner} {elapsed} {msg}") }
    }
}

impl Watch for Watcher {
    fn seen(&self, phase: Phase, report: &Report) {
        let counts = &report.counts;
        let line = format!(
            "{}: {} crates, {} index files, {} crate files ({} MiB), {} differences",
            phase.what(),
            counts.crates,
            counts.index_files,
            counts.crate_files,
            counts.bytes >> 20,
            report.found()
        );
        self.shown.show(|bar| bar.set_message(line.clone()), || tracing::info!("verifying {line}"));
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
