//! What this process has and uses, as metrics that are measured when they are read: CPU, memory, open files, database
//! connections, disks and the certificate.

use std::path::PathBuf;

use metrics::Unit;
use metrics_process::Collector;

use super::server::places::{MOST, OPEN};
use super::tls::Certificate;
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::full_disk::Space;
use crate::process::Storage;
use crate::web::metrics::Sample;

const BUILD: &str = "supercargo_build_info";
const POOL: &str = "supercargo_database_connections";
const POOL_MOST: &str = "supercargo_database_connections_max";
const POOL_WAITING: &str = "supercargo_database_waiting_calls";
const POOL_TIME_OUTS: &str = "supercargo_database_time_outs_total";
const DISK_FREE: &str = "supercargo_disk_free_bytes";
const DISK_SIZE: &str = "supercargo_disk_size_bytes";
const CERTIFICATE: &str = "supercargo_certificate_expiry_timestamp_seconds";

/// What is measured.
pub struct Resources {
    /// Directories by their label.
    directories: Vec<(&'static str, PathBuf)>,
    certificate: Option<Certificate>,
}

/// Registers the help texts.
pub fn describe() {
    metrics::describe_gauge!(BUILD, "1; the label has the version of the program");
    metrics::describe_gauge!(POOL, "Pooled connections to the database by state: in_use or idle");
    metrics::describe_gauge!(POOL_MOST, "The most pooled connections to the database: --database-pool-size");
    metrics::describe_gauge!(POOL_WAITING, "Calls that wait for a pooled connection to the database");
    metrics::describe_counter!(POOL_TIME_OUTS, "Calls that got no pooled connection to the database in time");
    metrics::describe_gauge!(DISK_FREE, Unit::Bytes, "Space that this process may still use, by directory");
    metrics::describe_gauge!(DISK_SIZE, Unit::Bytes, "Size of the file system, by directory");
    metrics::describe_gauge!(
        CERTIFICATE,
        Unit::Seconds,
        "When the first certificate of the TLS chain expires, as Unix time"
    );
    metrics::describe_gauge!(OPEN, "Open client connections by listener");
    metrics::describe_gauge!(MOST, "The most client connections that may be open, by listener");
}

impl Resources {
    /// The data directory, that of the crate files if they are local, and the certificate.
    pub fn of(storage: &Storage, crate_store: &CrateStore, certificate: Option<&Certificate>) -> Self {
        let mut directories = vec![("data", storage.data_dir.path().to_owned())];
        directories.extend(crate_store.directory().map(|directory| ("crates", directory.to_owned())));
        Self { directories, certificate: certificate.cloned() }
    }

    /// What is measured at once, and what may block.
    pub fn samples(self, pool: Pool) -> (Sample, Sample) {
        let Self { directories, certificate } = self;
        let collector = Collector::default();
        collector.describe();
        let quick = move || {
            collector.collect();
            metrics::gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            measure_pool(&pool);
            if let Some(expires) = certificate.as_ref().and_then(Certificate::expires) {
                metrics::gauge!(CERTIFICATE).set(expires);
            }
        };
        let slow = move || {
            for (label, directory) in &directories {
                measure_disk(label, directory);
            }
        };
        (Box::new(quick), Box::new(slow))
    }
}

fn measure_pool(pool: &Pool) {
    let Some(state) = pool.state() else { return };
    metrics::gauge!(POOL, "state" => "in_use").set(state.in_use);
    metrics::gauge!(POOL, "state" => "idle").set(state.idle);
    metrics::gauge!(POOL_MOST).set(state.max);
    metrics::gauge!(POOL_WAITING).set(state.waiting);
    metrics::counter!(POOL_TIME_OUTS).absolute(state.time_outs);
}

#[expect(clippy::cast_precision_loss, reason = "no disk has 2^52 bytes")]
fn measure_disk(label: &'static str, directory: &std::path::Path) {
    if let Some(Space { total: size, available: free, .. }) = Space::of(directory) {
        metrics::gauge!(DISK_SIZE, "directory" => label).set(size as f64);
        metrics::gauge!(DISK_FREE, "directory" => label).set(free as f64);
    }
}
