//! `supercargo publisher`.

use std::collections::BTreeMap;

use crate::admin::AdminError;
use crate::admin::publishers;
use crate::config::{IssuerCommand, NewPublisherOptions, PublisherCommand};
use crate::database::access::provenance::Provider;
use crate::database::publishers::rule::Given;
use crate::jobs::trusted_publishing::configure::Asked;
use crate::oidc::keys::IssuerKeys;
use crate::process::CommandError;
use crate::process::operator_command::{on, operator};

pub(super) fn publisher(command: PublisherCommand) -> Result<(), CommandError> {
    match command {
        PublisherCommand::Add(options) => add(*options),
        PublisherCommand::List { krate, output, storage } => {
            on(&storage, |connection| publishers::list(connection, krate.as_deref(), output.json))
        }
        PublisherCommand::Remove { id, storage } => {
            on(&storage, |connection| publishers::remove(connection, &operator(), id))
        }
        PublisherCommand::Require { krate, off, storage } => {
            on(&storage, |connection| publishers::require(connection, &operator(), &krate, !off))
        }
        PublisherCommand::Issuer(command) => issuer(command),
    }
}

fn add(options: NewPublisherOptions) -> Result<(), CommandError> {
    let NewPublisherOptions { krate, github, gitlab, forgejo, oidc, .. } = options;
    let (provider, repository) = match (github, gitlab, forgejo) {
        (Some(repository), ..) => (Provider::GitHub, Some(repository)),
        (_, Some(project), _) => (Provider::GitLab, Some(project)),
        (.., Some(repository)) => (Provider::Forgejo, Some(repository)),
        _ => (Provider::Oidc, None),
    };
    let mut claims = BTreeMap::new();
    for (claim, value) in options.claims {
        if claims.insert(claim.clone(), value).is_some() {
            return Err(AdminError::ClaimTwice(claim).into());
        }
    }
    let given = Given {
        repository,
        owner_id: options.owner_id,
        workflow: options.workflow,
        environment: options.environment,
        name: oidc,
        claims,
    };
    let asked =
        Asked { provider, issuer: options.issuer, given, stages_only: options.stage_only, owner: options.owner };
    on(&options.storage, |connection| publishers::add(connection, &operator(), (krate, asked), &IssuerKeys::default()))
}

fn issuer(command: IssuerCommand) -> Result<(), CommandError> {
    match command {
        IssuerCommand::Add { provider, url, identity_claim, storage } => on(&storage, |connection| {
            publishers::add_issuer(connection, &operator(), (&provider, &url), identity_claim.as_deref())
        }),
        IssuerCommand::List { output, storage } => {
            on(&storage, |connection| publishers::list_issuers(connection, output.json))
        }
        IssuerCommand::Remove { url, storage } => {
            on(&storage, |connection| publishers::remove_issuer(connection, &operator(), &url))
        }
    }
}
