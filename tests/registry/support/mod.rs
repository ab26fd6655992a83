//! What the tests share.
//!
//! | for | use |
//! |---|---|
//! | requests, jobs and their effects, on one thread and in one transaction that is rolled back | [`harness::TestRegistry`] |
//! | several connections: locks, order, crashes of sessions | [`cluster::Database`] |
//! | processes that are started, killed and started again | [`process::Served`] |
//! | crate files and publish requests | [`package::Package`] |
//! | the real cargo | [`cargo::Cargo`] |
//! | clients at work while something is killed | [`publishers::Publishers`] |
//! | a network between worker and database | [`proxy::Proxy`] |
//! | requests to another process | [`http`] |
//! | another registry, to import from | [`other_registry::OtherRegistry`] |
//! | another registry that fails | [`faulty_upstream::FaultyUpstream`] |
//! | an issuer of ID tokens | [`issuer::Issuer`] |
//! | receivers of pages and reports | [`recorder::Recorder`] |
//! | a receiver of webhooks | [`webhook_receiver::WebhookReceiver`] |
//! | an S3 server, and a network before it | [`s3::S3Server`] |
//! | what other programs see in a crate file | [`tar_readers`] |
//! | streams of events | [`server_sent`] |
//! | certificates | [`tls::Authority`] |
//! | a reverse proxy | [`nginx::Nginx`] |
//! | remotes of the index: by path, by http, by ssh | [`git_remote`], [`git_http`], [`git_ssh`] |
//! | a primary of PostgreSQL and its standby | [`standby::Pair`] |
//! | a connection pooler before PostgreSQL | [`pgbouncer::PgBouncer`] |
//! | servers of several versions of PostgreSQL | [`postgresql`] |
//! | what another user of the machine can do | [`other_user`] |
//! | a disk that gets full | [`small_disk`] |
//! | waiting for another process | [`event`] |

#![allow(dead_code, reason = "each area uses its part")]

pub mod cargo;
pub mod cluster;
pub mod event;
pub mod faulty_upstream;
pub mod git_fetch;
pub mod git_http;
pub mod git_remote;
pub mod git_ssh;
pub mod harness;
pub mod http;
pub mod issuer;
pub mod mail_server;
pub mod nginx;
pub mod node_packages;
pub mod oidc_provider;
pub mod other_registry;
pub mod other_user;
pub mod package;
pub mod pgbouncer;
pub mod postgresql;
pub mod process;
pub mod proxy;
pub mod publishers;
pub mod recorder;
pub mod s3;
pub mod server_sent;
pub mod small_disk;
pub mod standby;
pub mod tar_readers;
pub mod tls;
pub mod webhook_receiver;
pub mod yaml;
