//! A run from its first phase to its last.

use chrono::Utc;

use super::context::Context;
use super::error::VerifyError;
use super::phases;
use super::progress::{Flow, Progress};
use super::repair::Repairs;
use super::report::{Phase, Position, Report};
use super::settings::{Settings, Watch};
use super::throttle::Throttle;
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::upkeep::verify_reports::{self, End};
use crate::index::{ConfigJson, Index};
use crate::jobs;
use crate::package::RegistryUrls;

/// A verification of a registry.
pub struct Verifier<'a> {
    pub pool: &'a Pool,
    pub index: &'a Index,
    pub crate_store: &'a CrateStore,
    pub settings: Settings,
    pub watch: &'a dyn Watch,
    /// None: nothing is changed.
    pub repairs: Option<Repairs<'a>>,
}

/// A run that ended.
#[derive(Debug)]
pub struct Ended {
    pub report: Report,
    /// The run was stopped and can be resumed.
    pub interrupted: bool,
}

impl Verifier<'_> {
    /// Checks everything and returns the report.
    pub fn run(&self) -> Result<Ended, VerifyError> {
        let index = self.index.on_disk();
        let context = Context {
            pool: self.pool,
            index: &index,
            crate_store: self.crate_store,
            settings: &self.settings,
            watch: self.watch,
            registry_urls: self.registry_urls(),
            index_kinds: jobs::registry()?.kinds_of(jobs::QUEUE),
        };
        let (id, position, report) = begin_or_resume(&context)?;
        let mut progress = Progress {
            repairs: self.repairs.as_ref(),
            report,
            bytes: Throttle::new(self.settings.max_rate),
            crates: Throttle::new(self.settings.max_crates),
            id,
            in_flight: position.in_flight.clone(),
            saved_at: None,
        };
        let done = all_phases(&context, &mut progress, &position);
        let report = &mut progress.report;
        report.finished_at = Utc::now();
        report.complete = matches!(done, Ok(Flow::Done));
        let end = match &done {
            Ok(Flow::Done) => End::Done,
            Ok(Flow::Stopped) => End::Interrupted,
            Err(error) => End::Failed(error.to_string()),
        };
        let standing = report.standing();
        let saved = context.database(|connection| verify_reports::finish(connection, id, &standing, &end));
        let flow = done?;
        saved?;
        Ok(Ended { report: progress.report, interrupted: flow == Flow::Stopped })
    }
}

impl Verifier<'_> {
    /// An index that cannot be read fails in its own phase, with a report.
    fn registry_urls(&self) -> RegistryUrls {
        let urls = self.settings.registry_urls.clone();
        let file = self.index.head().and_then(|head| self.index.read(&head, ConfigJson::PATH)).ok().flatten();
        match file.and_then(|file| ConfigJson::parse(&file.content).ok()) {
            Some(config) => urls.with_base(&config.api),
            None => urls,
        }
    }
}

/// The row, position and report to start from.
fn begin_or_resume(context: &Context<'_>) -> Result<(i64, Position, Report), VerifyError> {
    let settings = context.settings;
    let mode = settings.depth.as_str();
    if settings.resume
        && let Some(row) = context.database(|connection| verify_reports::interrupted(connection, mode))?
        && let Some((position, report)) = row.position.as_ref().and_then(Report::from_position)
    {
        return Ok((row.id, position, report));
    }
    let id = context.database(|connection| verify_reports::begin(connection, mode, &settings.requested_by))?;
    Ok((id, Position::default(), Report::new(mode)))
}

fn all_phases(context: &Context<'_>, progress: &mut Progress<'_>, from: &Position) -> Result<Flow, VerifyError> {
    for phase in Phase::ALL.into_iter().filter(|phase| *phase >= from.phase) {
        let cursor = if phase == from.phase { from.cursor.as_str() } else { "" };
        progress.save(context, phase, cursor)?;
        let flow = match phase {
            Phase::Repository => phases::repository::check(context, progress)?,
            Phase::Crates => phases::crates::check(context, progress, cursor)?,
            Phase::IndexFiles => phases::index_files::check(context, progress, cursor)?,
            Phase::CrateFiles => phases::crate_files::check(context, progress, cursor)?,
            Phase::UpstreamFiles => phases::upstream_files::check(context, progress, cursor)?,
            Phase::IndexExport => phases::index_export::check(context, progress)?,
            Phase::Jobs => phases::dead_jobs::check(context, progress)?,
        };
        if flow == Flow::Stopped {
            return Ok(flow);
        }
    }
    Ok(Flow::Done)
}
