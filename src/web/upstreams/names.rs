//! Whether upstreams have a crate of a name, for a new crate of this registry.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::of_process::Upstreams;
use super::upstream::Upstream;
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::upstream_cache::lines::lines;

/// How long a publish waits for all upstreams together.
const PATIENCE: Duration = Duration::from_secs(3);

/// What an upstream says of a name: the crate that has it, or why that is not known.
pub struct Looked {
    pub upstream: String,
    pub found: Result<Option<CrateName>, String>,
}

impl Upstreams {
    /// What each upstream says of a name, in its spelling or with `-` or `_` only. A file that is kept answers, and no upstream is asked
    /// for longer than a few seconds. Blocks.
    pub fn look_up(&self, name: &CrateName) -> Vec<Looked> {
        let Some(runtime) = self.runtime() else { return Vec::new() };
        let until = Instant::now() + PATIENCE;
        let asked = self.all().iter().map(|upstream| {
            let (of, upstream, name) = (upstream.settings.name.clone(), Arc::clone(upstream), name.clone());
            (of, runtime.spawn(async move { timeout_at(until, namesake(&upstream, &name)).await }))
        });
        // All are asked before the first one is waited for.
        let asked: Vec<_> = asked.collect();
        asked
            .into_iter()
            .map(|(upstream, task)| {
                let found = match runtime.block_on(task) {
                    Ok(Ok(found)) => found,
                    Ok(Err(_)) => Err(format!("no answer in {PATIENCE:?}")),
                    Err(aborted) => Err(aborted.to_string()),
                };
                Looked { upstream, found }
            })
            .collect()
    }
}

async fn namesake(upstream: &Arc<Upstream>, name: &CrateName) -> Result<Option<CrateName>, String> {
    let spellings = [name.to_string(), name.as_str().replace('_', "-"), name.as_str().replace('-', "_")];
    let paths: BTreeSet<String> =
        spellings.iter().filter_map(|spelling| spelling.parse().ok()).map(|name| index_path(&name)).collect();
    for path in paths {
        let kept = upstream.kept_file(&path).await.filter(|file| !file.is_of_no_version());
        let file = match kept {
            Some(file) => Some(file),
            None => upstream.index_file(&path).await.map_err(|error| error.to_string())?,
        };
        let first = file.as_ref().and_then(|file| lines(&file.file.content).find_map(|(_, line)| line));
        if let Some(found) = first.and_then(|line| line.name.parse().ok()) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
