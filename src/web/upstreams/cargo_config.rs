//! What a user of an upstream adds to the configuration of cargo.

/// The lines for .cargo/config.toml that lead cargo to an upstream through this registry.
pub fn cargo_config(base_url: &str, upstream: &str, auth_required: bool) -> String {
    let source = format!("{upstream}-proxy");
    let provider = if auth_required { "credential-provider = \"cargo:token\"\n" } else { "" };
    format!(
        "[source.{upstream}]\nreplace-with = \"{source}\"\n\n[registries.{source}]\nindex = \"sparse+{base_url}/upstream/{upstream}/index/\"\n\
         {provider}"
    )
}
