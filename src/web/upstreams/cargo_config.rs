//! What a user of an upstream adds to the configuration of cargo.

/// The lines for config.toml that lead cargo to an upstream, which has this URL of its index, through this registry. Cargo knows where
/// crates.io is; another one has to be named, also for `registry = "NAME"` of a dependency.
pub fn cargo_config(base_url: &str, (upstream, index): (&str, &str), auth_required: bool) -> String {
    let source = format!("{upstream}-proxy");
    let provider = if auth_required { "credential-provider = \"cargo:token\"\n" } else { "" };
    let (place, registry) = if upstream == "crates-io" {
        (String::new(), String::new())
    } else {
        (format!("registry = \"sparse+{index}\"\n"), format!("[registries.{upstream}]\nindex = \"sparse+{index}\"\n\n"))
    };
    format!(
        "[source.{upstream}]\n{place}replace-with = \"{source}\"\n\n{registry}[registries.{source}]\n\
         index = \"sparse+{base_url}/upstream/{upstream}/index/\"\n{provider}"
    )
}
