//! Export by OpenTelemetry, held against what a collector receives.

mod collector;
mod failing;
mod metrics;
mod traces;
