//! A client that knows what it was answered.

use std::time::Duration;

use crate::support::package::Package;

/// Requests of the matrix.
#[derive(Clone)]
pub enum Request {
    Publish(Package),
    Yank {
        name: String,
        num: String,
        yanked: bool,
    },
    DeleteCrate(String),
    Stage {
        set: String,
        package: Package,
    },
    Approve(String),
    Reject(String),
    /// Lets a set expire, soon.
    Expire(String),
}

/// What a client heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// 200.
    Accepted,
    /// The version is there, the crate is not, or the set has ended: an earlier try, which was not answered, had been accepted.
    AcceptedBefore,
    /// Nothing, or that it failed.
    Nothing(String),
}

/// Sends a request once.
pub fn send(base_url: &str, token: &str, request: &Request, patience: Duration) -> Heard {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience));
    let agent: ureq::Agent = config.build().into();
    let api = format!("{base_url}/api/v1/crates");
    let answer = match request {
        Request::Publish(package) => {
            agent.put(format!("{api}/new")).header("authorization", token).send(&package.body())
        }
        Request::Yank { name, num, yanked: true } => {
            agent.delete(format!("{api}/{name}/{num}/yank")).header("authorization", token).call()
        }
        Request::Yank { name, num, yanked: false } => {
            agent.put(format!("{api}/{name}/{num}/unyank")).header("authorization", token).send_empty()
        }
        Request::Stage { set, package } => {
            let stage = format!("{base_url}/stage/{set}/api/v1/crates/new");
            agent.put(stage).header("authorization", token).send(&package.body())
        }
        Request::Approve(set) => {
            let approve = format!("{base_url}/api/v1/release-sets/{set}/approve");
            agent.put(approve).header("authorization", token).send_empty()
        }
        Request::Reject(set) => {
            let reject = format!("{base_url}/api/v1/release-sets/{set}/reject");
            agent.put(reject).header("authorization", token).send("{\"reason\":\"not this one\"}")
        }
        Request::Expire(set) => {
            let change = format!("{base_url}/api/v1/release-sets/{set}");
            agent.patch(change).header("authorization", token).send("{\"expires_in\":1}")
        }
        Request::DeleteCrate(name) => agent.delete(format!("{api}/{name}")).header("authorization", token).call(),
    };
    let read = answer.and_then(|mut answer| {
        let text = answer.body_mut().read_to_string()?;
        Ok((answer.status().as_u16(), text))
    });
    match read {
        Ok((200 | 204, _)) => Heard::Accepted,
        Ok((409, text)) if text.contains("is already uploaded: it is ") => Heard::AcceptedBefore,
        Ok((409, text)) if is_ended(request, &text) => Heard::AcceptedBefore,
        Ok((404, text)) if text.contains("was deleted from this registry on ") => Heard::AcceptedBefore,
        Ok((status, text)) => Heard::Nothing(format!("{status}: {text}")),
        Err(error) => Heard::Nothing(error.to_string()),
    }
}

/// Whether the refusal says that the set has ended as it was asked to.
fn is_ended(request: &Request, text: &str) -> bool {
    match request {
        Request::Reject(_) => text.contains(" was rejected on "),
        Request::Expire(_) => text.contains(" expired on "),
        _ => false,
    }
}
