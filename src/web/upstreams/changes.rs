//! What changes in an index file and never should: the checksum of a version, and versions that vanish.

use serde_json::json;
use tokio::runtime::Handle;

use super::alarm::Alarm;
use crate::database::access::audit::Action;
use crate::upstream_cache::kept_file::KeptFile;

/// More versions that vanish at once are one entry of the log: an upstream has deleted the crate.
const EACH: usize = 20;

/// Reports what has changed between two states of a file, each change once.
pub(super) fn report(
    (alarm, runtime): (&Alarm, &Handle),
    (upstream, path): (&str, &str),
    file: &KeptFile,
    former: Option<&KeptFile>,
) {
    let Some(former) = former else { return };
    let krate = path.rsplit('/').next().unwrap_or_default();
    let raise = |action, detail| alarm.raise(runtime, action, upstream, detail);
    for (version, first) in &file.known.first_checksums {
        if !former.known.first_checksums.contains_key(version) {
            let detail = json!({ "crate": krate, "version": version, "first_checksum": first });
            raise(Action::UpstreamChange, detail);
        }
    }
    let is_new = |version: &&String| !former.known.vanished.contains_key(*version);
    let vanished: Vec<&String> = file.known.vanished.keys().filter(is_new).collect();
    if vanished.len() > EACH {
        raise(Action::UpstreamVanish, json!({ "crate": krate, "versions": vanished.len() }));
        return;
    }
    for version in vanished {
        let checksum = &file.known.vanished[version];
        raise(Action::UpstreamVanish, json!({ "crate": krate, "version": version, "checksum": checksum }));
    }
}
