//! Tests of the standard variables.

use super::*;

fn read(endpoint: Option<&str>, variables: &[(&str, &str)]) -> (Option<OtlpSettings>, Vec<String>) {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    settings(endpoint, &find)
}

fn urls(settings: &Option<OtlpSettings>) -> [Option<&str>; 2] {
    let settings = settings.as_ref();
    [
        settings.and_then(|settings| Some(settings.traces.as_ref()?.target.url.as_str())),
        settings.and_then(|settings| Some(settings.metrics.as_ref()?.target.url.as_str())),
    ]
}

#[test]
fn nothing_is_exported_by_default() {
    let (settings, warnings) = read(None, &[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER", "always_on")]);
    assert!(settings.is_none() && warnings.is_empty(), "{warnings:?}");
}

#[test]
fn the_endpoint_of_a_signal_wins_and_that_of_the_option_before_the_common_one() {
    let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/x");
    let of = |endpoint, variables: &[(&str, &str)]| read(endpoint, variables).0;
    let both = [Some("http://collector:4318/v1/traces"), Some("http://collector:4318/v1/metrics")];
    assert_eq!(urls(&of(None, &[common])), both);
    assert_eq!(urls(&of(None, &[common, traces])), [Some("https://traces/x"), both[1]]);
    assert_eq!(
        urls(&of(Some("http://own"), &[common, traces])),
        [Some("https://traces/x"), Some("http://own/v1/metrics")]
    );
    assert_eq!(urls(&of(None, &[traces])), [Some("https://traces/x"), None]);
    assert_eq!(
        urls(&of(Some("http://own"), &[("OTEL_TRACES_EXPORTER", "none")])),
        [None, Some("http://own/v1/metrics")]
    );
    assert!(of(Some("http://own"), &[("OTEL_SDK_DISABLED", "true")]).is_none());
}

#[test]
fn headers_are_decoded_and_not_shown() {
    let given = "api-key=se%2Ccret, authorization=Basic%20abc==";
    let (settings, warnings) = read(Some("http://own"), &[("OTEL_EXPORTER_OTLP_HEADERS", given)]);
    let headers = &settings.as_ref().unwrap().traces.as_ref().unwrap().target.headers;
    let expected = [("api-key", "se,cret"), ("authorization", "Basic abc==")];
    assert_eq!(headers.0, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(warnings.is_empty());
    let shown = format!("{settings:?}");
    assert!(shown.contains("api-key") && !shown.contains("cret") && !shown.contains("abc"), "{shown}");
}

#[test]
fn a_value_that_cannot_be_used_is_reported_without_it_and_ignored() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:se-cret@collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "se-cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "name=se-cret%0A"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "se-cret"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "se-cret"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_TRACES_SAMPLER", "se-cret"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,se-cret"),
        ("OTEL_METRICS_EXPORTER", "se-cret"),
    ] {
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces");
        let (settings, warnings) = read(None, &[own, (name, value)]);
        assert!(
            warnings.iter().any(|warning| warning.contains(name) && warning.contains("ignored")),
            "{name}: {warnings:?}"
        );
        assert!(!warnings.concat().contains("se-cret"), "{warnings:?}");
        let settings = settings.unwrap();
        assert_eq!(settings.resource, [("service.name".to_owned(), "supercargo".to_owned())]);
        assert!(settings.traces.unwrap().target.headers.0.is_empty());
    }
    let (_, warnings) =
        read(Some("http://own"), &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1.5")]);
    assert_eq!(warnings, ["OTEL_TRACES_SAMPLER_ARG is ignored: use a number from 0 to 1"]);
}

#[test]
fn grpc_is_refused_since_its_port_does_not_answer_http() {
    let (settings, warnings) = read(Some("http://own"), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert!(settings.is_none());
    assert!(warnings[0].contains("http/protobuf") && warnings[0].contains("4318"), "{warnings:?}");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
    let (settings, _) = read(Some("http://own"), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), traces]);
    assert_eq!(urls(&settings), [Some("http://own/v1/traces"), None]);
}

#[test]
fn the_name_of_the_service_has_a_variable_of_its_own() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=one,deployment.environment.name=blue%20green");
    let of = |variables: &[(&str, &str)]| read(Some("http://own"), variables).0.unwrap().resource;
    let environment = ("deployment.environment.name".to_owned(), "blue green".to_owned());
    let name = |name: &str| ("service.name".to_owned(), name.to_owned());
    assert_eq!(of(&[attributes]), [name("one"), environment.clone()]);
    assert_eq!(of(&[attributes, ("OTEL_SERVICE_NAME", "two")]), [environment, name("two")]);
}

#[test]
fn the_sampler_follows_the_standard() {
    let of = |variables: &[(&str, &str)]| {
        format!("{:?}", read(Some("http://own"), variables).0.unwrap().traces.unwrap().sampler)
    };
    assert_eq!(of(&[]), "ParentBased(AlwaysOn)");
    assert_eq!(
        of(&[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")]),
        "ParentBased(TraceIdRatioBased(0.25))"
    );
    assert_eq!(of(&[("OTEL_TRACES_SAMPLER", "always_off")]), "AlwaysOff");
}
