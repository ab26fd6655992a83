//! The `README` of a bundle, for people who find it.

use super::description::{Description, Source};

/// Its name.
pub(super) const README: &str = "README";

/// Its text.
pub(super) fn readme(description: &Description) -> String {
    let mut text = format!(
        "Crates for cargo builds without a network, written by {} on {}.\n\nTo build with them, add this to .cargo/config.toml of the \
         project, with the path of this directory:\n",
        description.created_by,
        description.created_at.format("%Y-%m-%d")
    );
    for Source { name, directory, replaces, .. } in &description.sources {
        let below = if directory == "." { String::new() } else { format!("/{directory}") };
        text.push_str(&match replaces {
            None => "\n    [source.crates-io]\n".to_owned(),
            // Not the name of a registry in the same configuration.
            Some(url) => format!("\n    [source.{name}-original]\n    registry = \"{url}\"\n"),
        });
        text.push_str(&format!(
            "    replace-with = \"{name}-bundle\"\n\n    [source.{name}-bundle]\n    local-registry = \"/PATH/TO/BUNDLE{below}\"\n"
        ));
    }
    text.push_str(
        "\nThen build with a Cargo.lock from which the bundle was made (cargo build --locked). The index has only the versions of these \
         lock files.\n\nTo check the files: sha256sum --check --quiet SHA256SUMS\nTo serve them in another network: supercargo bundle \
         import DIRECTORY\n",
    );
    text
}
