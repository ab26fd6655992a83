//! The JSON of users, teams and owners.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::access::teams::Team;
use crate::database::access::users::User;
use crate::database::catalog::owners::Owner;
use crate::package::link_segment;

/// A user's public profile.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: i32,
    login: String,
    name: Option<String>,
    /// Always null.
    avatar: Option<String>,
    /// The URL of the user in this API.
    url: String,
    created_at: DateTime<Utc>,
}

/// A team.
#[derive(Serialize, ToSchema)]
#[schema(as = Team)]
pub struct TeamView {
    id: i32,
    /// `team:` and the name.
    #[schema(example = "team:devs")]
    login: String,
    name: String,
    /// Always null.
    avatar: Option<String>,
    /// The URL of the team in this API.
    url: String,
}

/// A user or team that owns a crate.
#[derive(Serialize, ToSchema)]
#[schema(as = Owner)]
pub struct OwnerView {
    id: i32,
    /// The user's login, or `team:` and the team's name.
    login: String,
    name: Option<String>,
    /// Always null.
    avatar: Option<String>,
    /// The URL of the user or team in this API.
    url: String,
    /// `user` or `team`.
    #[schema(example = "user")]
    kind: &'static str,
}

/// The URL of a user in this API.
pub fn user_url(base_url: &str, login: &str) -> String {
    format!("{base_url}/api/v1/users/{}", link_segment::encode(login))
}

impl UserView {
    pub fn new(user: User, base_url: &str) -> Self {
        let url = user_url(base_url, &user.login);
        Self { id: user.id, login: user.login, name: user.name, avatar: None, url, created_at: user.created_at }
    }
}

impl TeamView {
    pub fn new(team: Team, base_url: &str) -> Self {
        let login = team.login();
        let url = format!("{base_url}/api/v1/teams/{login}");
        Self { id: team.id, login, name: team.name, avatar: None, url }
    }
}

impl OwnerView {
    pub fn new(owner: Owner, base_url: &str) -> Self {
        match owner {
            Owner::User(user) => {
                let UserView { id, login, name, avatar, url, created_at: _ } = UserView::new(user, base_url);
                Self { id, login, name, avatar, url, kind: "user" }
            }
            Owner::Team(team) => {
                let TeamView { id, login, name, avatar, url } = TeamView::new(team, base_url);
                Self { id, login, name: Some(name), avatar, url, kind: "team" }
            }
        }
    }

    pub fn is_team(&self) -> bool {
        self.kind == "team"
    }
}
