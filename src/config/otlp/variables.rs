//! The standard variables of OpenTelemetry, as far as they fit.
//!
//! Sources: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> and
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>. As those demand, a value that cannot be used is reported
//! and ignored, since telemetry must not keep a service from starting.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;

use crate::config::base_url::base_url;

/// What is exported.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    pub traces: Option<TraceSettings>,
    pub metrics: Option<MetricSettings>,
    /// Attributes of the resource, besides those that the process knows.
    pub resource: Vec<(String, String)>,
}

/// How spans are exported.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    pub target: Target,
    pub sampler: Sampler,
    /// Spans that wait at most.
    pub queue: usize,
    /// Spans in a request at most.
    pub batch: usize,
    /// How long a span waits for others.
    pub delay: Duration,
}

/// How metrics are exported.
#[derive(Debug, Clone)]
pub struct MetricSettings {
    pub target: Target,
    pub interval: Duration,
}

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: String,
    pub headers: Headers,
    pub timeout: Duration,
    pub is_compressed: bool,
    /// The authorities of the collector's certificate (PEM), instead of the system's.
    pub certificate: Option<PathBuf>,
}

/// Headers of requests, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

/// The names.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the variables; `endpoint` is that of the option.
pub(super) fn settings(endpoint: Option<&str>, variable: Lookup<'_>) -> (Option<OtlpSettings>, Vec<String>) {
    let mut reader = Reader { endpoint, variable, warnings: Vec::new() };
    let settings = reader.settings();
    (settings, reader.warnings)
}

struct Reader<'a> {
    endpoint: Option<&'a str>,
    variable: Lookup<'a>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn settings(&mut self) -> Option<OtlpSettings> {
        if self.is("OTEL_SDK_DISABLED", "true") {
            return None;
        }
        let target = self.target("TRACES", "traces");
        let traces = target.map(|target| TraceSettings {
            target,
            sampler: self.sampler(),
            queue: self.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048),
            batch: self.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
            delay: self.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5000),
        });
        let traces = traces.map(|traces| TraceSettings { batch: traces.batch.min(traces.queue), ..traces });
        let target = self.target("METRICS", "metrics");
        let metrics = target.map(|target| MetricSettings {
            target,
            interval: self.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
        });
        if traces.is_none() && metrics.is_none() {
            return None;
        }
        Some(OtlpSettings { traces, metrics, resource: self.resource() })
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    fn ignore(&mut self, name: &str, remedy: &str) {
        self.warnings.push(format!("{name} is ignored: {remedy}"));
    }

    /// A variable of one signal, or else that of all signals.
    fn of_signal(&self, signal: &str, rest: &str) -> Option<(String, String)> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_{rest}"), format!("OTEL_EXPORTER_OTLP_{rest}")];
        names.into_iter().find_map(|name| Some((self.get(&name)?, name))).map(|(value, name)| (name, value))
    }

    fn target(&mut self, signal: &str, path: &str) -> Option<Target> {
        let exporter = format!("OTEL_{signal}_EXPORTER");
        match self.get(&exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return None,
            Some(_) => self.ignore(&exporter, "use otlp or none"),
        }
        let url = self.url(signal, path)?;
        if let Some((name, protocol)) = self.of_signal(signal, "PROTOCOL")
            && protocol != "http/protobuf"
        {
            self.warnings.push(format!(
                "{name} is {protocol:?}, so no {path} are exported: set it to http/protobuf, and the endpoint to the \
                 collector's port for HTTP (4318)"
            ));
            return None;
        }
        let compression = self.of_signal(signal, "COMPRESSION");
        let is_compressed = match compression.as_ref().map(|(_, value)| value.as_str()) {
            None | Some("none") => false,
            Some("gzip") => true,
            Some(_) => {
                self.ignore(&compression.unwrap_or_default().0, "use gzip or none");
                false
            }
        };
        let certificate = self.of_signal(signal, "CERTIFICATE").map(|(_, file)| PathBuf::from(file));
        let timeout = self.timeout(signal);
        Some(Target { url, headers: self.headers(signal), timeout, is_compressed, certificate })
    }

    fn url(&mut self, signal: &str, path: &str) -> Option<String> {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        let base = "OTEL_EXPORTER_OTLP_ENDPOINT";
        for (name, suffix) in [(own.as_str(), String::new()), (base, format!("/v1/{path}"))] {
            if name == base
                && let Some(endpoint) = self.endpoint
            {
                return Some(format!("{endpoint}{suffix}"));
            }
            let Some(value) = self.get(name) else { continue };
            match base_url(&value) {
                Ok(url) => return Some(format!("{url}{suffix}")),
                // The value may hold a password.
                Err(remedy) => self.ignore(name, &remedy),
            }
        }
        None
    }

    /// `name=value,name=value`, with percent-encoded values.
    fn headers(&mut self, signal: &str) -> Headers {
        let Some((variable, text)) = self.of_signal(signal, "HEADERS") else { return Headers(Vec::new()) };
        let mut headers = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let header = pair.split_once('=').and_then(|(name, value)| {
                let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
                let name = ureq::http::HeaderName::try_from(name.trim()).ok()?;
                ureq::http::HeaderValue::try_from(&*value).ok()?;
                Some((name.as_str().to_owned(), value.into_owned()))
            });
            match header {
                Some(header) => headers.push(header),
                None => self.warnings.push(format!(
                    "a header in {variable} is ignored: write NAME=VALUE, separated by commas, with percent-encoded values"
                )),
            }
        }
        Headers(headers)
    }

    fn timeout(&mut self, signal: &str) -> Duration {
        match self.of_signal(signal, "TIMEOUT") {
            Some((name, _)) => self.milliseconds(&name, 10_000),
            None => Duration::from_secs(10),
        }
    }

    fn number(&mut self, name: &str, default: usize) -> usize {
        let Some(text) = self.get(name) else { return default };
        match text.parse() {
            Ok(number) if number > 0 => number,
            _ => {
                self.ignore(name, "use a whole number above 0");
                default
            }
        }
    }

    fn milliseconds(&mut self, name: &str, default: u64) -> Duration {
        let number = self.number(name, usize::try_from(default).unwrap_or(usize::MAX));
        Duration::from_millis(u64::try_from(number).unwrap_or(u64::MAX))
    }

    fn sampler(&mut self) -> Sampler {
        let parent_based = |root: Sampler| Sampler::ParentBased(Box::new(root));
        let default = || Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        match self.get("OTEL_TRACES_SAMPLER").as_deref() {
            None | Some("parentbased_always_on") => default(),
            Some("always_on") => Sampler::AlwaysOn,
            Some("always_off") => Sampler::AlwaysOff,
            Some("traceidratio") => Sampler::TraceIdRatioBased(self.ratio()),
            Some("parentbased_always_off") => parent_based(Sampler::AlwaysOff),
            Some("parentbased_traceidratio") => parent_based(Sampler::TraceIdRatioBased(self.ratio())),
            Some(_) => {
                let known = "always_on, always_off, traceidratio, or one of these with parentbased_ before it";
                self.ignore("OTEL_TRACES_SAMPLER", &format!("use {known}"));
                default()
            }
        }
    }

    fn ratio(&mut self) -> f64 {
        const NAME: &str = "OTEL_TRACES_SAMPLER_ARG";
        match self.get(NAME).map(|text| text.parse::<f64>()) {
            None => 1.0,
            Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio) => ratio,
            Some(_) => {
                self.ignore(NAME, "use a number from 0 to 1");
                1.0
            }
        }
    }

    /// `OTEL_RESOURCE_ATTRIBUTES`, and the name of the service.
    fn resource(&mut self) -> Vec<(String, String)> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let text = self.get(NAME).unwrap_or_default();
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').filter(|(key, _)| !key.trim().is_empty())?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            Some((key.trim().to_owned(), value.into_owned()))
        });
        // A part of them would be misleading.
        let mut attributes: Vec<(String, String)> = pairs.collect::<Option<_>>().unwrap_or_else(|| {
            self.ignore(NAME, "write KEY=VALUE, separated by commas, with percent-encoded values");
            Vec::new()
        });
        const SERVICE: &str = "service.name";
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            attributes.retain(|(key, _)| key != SERVICE);
            attributes.push((SERVICE.to_owned(), name));
        } else if !attributes.iter().any(|(key, _)| key == SERVICE) {
            attributes.push((SERVICE.to_owned(), "supercargo".to_owned()));
        }
        attributes
    }
}

#[cfg(test)]
mod tests;
