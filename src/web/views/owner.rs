//! The JSON of users and owners.

use serde::Serialize;
use utoipa::ToSchema;

use crate::database::access::users::User;
use crate::database::catalog::owners::Owner;

/// A user's public profile.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: i32,
    login: String,
    name: Option<String>,
    /// Always null.
    avatar: Option<String>,
    /// The URL of the user in this API; of a team, the registry's.
    url: String,
}

/// A user or team that owns a crate.
#[derive(Serialize, ToSchema)]
#[schema(as = Owner)]
pub struct OwnerView {
    #[serde(flatten)]
    user: UserView,
    /// `user` or `team`.
    #[schema(example = "user")]
    kind: &'static str,
}

impl UserView {
    pub fn new(user: User, base_url: &str) -> Self {
        let url = format!("{base_url}/api/v1/users/{}", user.login);
        Self { id: user.id, login: user.login, name: user.name, avatar: None, url }
    }
}

impl OwnerView {
    pub fn new(owner: Owner, base_url: &str) -> Self {
        match owner {
            Owner::User(user) => Self { user: UserView::new(user, base_url), kind: "user" },
            Owner::Team(team) => {
                let login = team.login();
                let user =
                    UserView { id: team.id, login, name: Some(team.name), avatar: None, url: base_url.to_owned() };
                Self { user, kind: "team" }
            }
        }
    }

    pub fn is_team(&self) -> bool {
        self.kind == "team"
    }
}
