//! The resource: what the exported data is about.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::common::v1::{self as proto, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::Attributes;

/// The identity of this process, the same for all signals.
static INSTANCE: LazyLock<String> = LazyLock::new(|| format!("{:032x}", rand::random::<u128>()));

/// The resource of this process: its own attributes, which those of the operator replace.
pub(super) fn of_process(configured: &[(String, String)]) -> Resource {
    let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    let own = [
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", INSTANCE.clone()),
        ("host.name", host),
        ("process.pid", std::process::id().to_string()),
    ];
    let is_replaced = |key: &str| configured.iter().any(|(configured, _)| configured == key);
    let own = own.into_iter().filter(|(key, _)| !is_replaced(key)).map(|(key, value)| match key {
        "process.pid" => KeyValue::new(key, i64::from(std::process::id())),
        _ => KeyValue::new(key, value),
    });
    let configured = configured.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource { attributes: encoded(configured.chain(own)), ..Resource::default() }
}

/// The scope of all spans and metrics.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

pub(super) fn encoded(attributes: impl IntoIterator<Item = KeyValue>) -> Vec<proto::KeyValue> {
    Attributes::from(attributes).0
}
