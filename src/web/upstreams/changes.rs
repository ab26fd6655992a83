//! What changes in an index file and never should: the checksum of a version, and versions that vanish.

use serde_json::json;
use tokio::runtime::Handle;

use super::alarm::Alarm;
use crate::database::access::audit::Action;
use crate::upstream_cache::kept_file::KeptFile;

/// More versions that change or vanish at once are one entry of the log: an upstream has deleted the crate.
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
    let changed = file.known.first_checksums.iter();
    let changed: Vec<_> = changed.filter(|(version, _)| !former.known.first_checksums.contains_key(*version)).collect();
    if changed.len() > EACH {
        raise(Action::UpstreamChange, json!({ "crate": krate, "versions": changed.len() }));
    } else {
        for (version, first) in changed {
            raise(Action::UpstreamChange, json!({ "crate": krate, "version": version, "first_checksum": first }));
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
