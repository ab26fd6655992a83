//! Webhooks.

mod api;
mod api_refusals;
mod api_rights;
mod commands;
mod deliveries;
mod pages;
