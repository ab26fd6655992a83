//! The file of an identity provider, by which people sign in.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// An identity provider, as its file describes it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IdentityProvider {
    /// In URLs.
    pub name: String,
    /// On the button; the name if it is missing.
    #[serde(default)]
    title: Option<String>,
    /// As the claim `iss` has it.
    pub issuer: String,
    pub client_id: String,
    #[serde(default)]
    client_secret_file: Option<PathBuf>,
    /// Besides `openid`.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub new_users: NewUsers,
    #[serde(default)]
    pub existing_users: ExistingUsers,
    #[serde(default = "usual_login")]
    pub login_claim: String,
    #[serde(default = "usual_name")]
    pub name_claim: String,
    #[serde(default = "usual_groups")]
    pub groups_claim: String,
    /// Claims that an account has to have.
    #[serde(default)]
    pub required_claims: BTreeMap<String, String>,
    /// Groups of which an account has to be in one.
    #[serde(default)]
    pub allowed_groups: Option<Vec<String>>,
    #[serde(default)]
    pub admin_groups: Option<Vec<String>>,
    #[serde(default)]
    pub auditor_groups: Option<Vec<String>>,
    #[serde(default)]
    pub read_only_groups: Option<Vec<String>>,
    /// Teams of this registry, by groups of the provider.
    #[serde(default)]
    pub teams: BTreeMap<String, String>,
    #[serde(skip)]
    pub client_secret: Option<String>,
    /// The file itself, for errors.
    #[serde(skip)]
    pub file: PathBuf,
}

/// What happens at the first sign-in of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewUsers {
    /// A user is created.
    Create,
    /// Only users who are here already sign in.
    #[default]
    Refuse,
}

/// How a user who is here already gets an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExistingUsers {
    /// The user connects it, after another sign-in or with a link.
    #[default]
    Connect,
    /// The first account with the user's login is the user's. The provider decides who has which login.
    ByLogin,
}

fn usual_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).to_vec()
}

fn usual_login() -> String {
    "preferred_username".to_owned()
}

fn usual_name() -> String {
    "name".to_owned()
}

fn usual_groups() -> String {
    "groups".to_owned()
}

/// The longest secret, in bytes.
const MAX_SECRET: u64 = 4096;

impl IdentityProvider {
    /// Reads the files of providers. An error names the file and the remedy, and has no secret.
    pub fn read_all(files: &[PathBuf]) -> Result<Vec<Self>, String> {
        let mut providers: Vec<Self> = Vec::new();
        for file in files {
            let provider = Self::read(file).map_err(|problem| format!("{}: {problem}", file.display()))?;
            for other in &providers {
                let (what, value) = match other {
                    other if other.name == provider.name => ("name", &provider.name),
                    other if other.issuer == provider.issuer => ("issuer", &provider.issuer),
                    _ => continue,
                };
                return Err(format!("{}: another provider has the same {what}, {value}", file.display()));
            }
            providers.push(provider);
        }
        Ok(providers)
    }

    fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        // What is wrong is named, but the text around it could be anything.
        let mut provider: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })?;
        provider.file = file.to_owned();
        provider.check()?;
        let directory = file.parent().unwrap_or(Path::new("."));
        if let Some(secret) = &provider.client_secret_file {
            let secret = directory.join(secret);
            provider.client_secret = Some(
                read_secret(&secret)
                    .map_err(|problem| format!("client-secret-file: {}: {problem}", secret.display()))?,
            );
        }
        Ok(provider)
    }

    fn check(&self) -> Result<(), String> {
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if self.name.is_empty()
            || self.name.len() > 40
            || !self.name.bytes().all(is_name)
            || RESERVED.contains(&&*self.name)
        {
            return Err(format!(
                "name: {:?} cannot be one: use 1 to 40 lower-case letters, digits and '-', and none of {}",
                self.name,
                RESERVED.join(", ")
            ));
        }
        if self.client_id.is_empty() {
            return Err("client-id: it is empty: use the one that the provider shows for this registry".to_owned());
        }
        if let Some(scope) = self.scopes.iter().find(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            return Err(format!("scopes: {scope:?} is not one scope: write each as a string of its own"));
        }
        for (name, groups) in [
            ("allowed-groups", &self.allowed_groups),
            ("admin-groups", &self.admin_groups),
            ("auditor-groups", &self.auditor_groups),
            ("read-only-groups", &self.read_only_groups),
        ] {
            if groups.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!("{name}: no group is in it: name one, or leave it out"));
            }
        }
        Ok(())
    }

    /// Whether anything here depends on groups.
    pub fn uses_groups(&self) -> bool {
        let some = |groups: &Option<Vec<String>>| groups.is_some();
        some(&self.allowed_groups)
            || some(&self.admin_groups)
            || some(&self.auditor_groups)
            || some(&self.read_only_groups)
            || !self.teams.is_empty()
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }
}

/// What other pages of the sign-in are called.
const RESERVED: [&str; 4] = ["again", "link", "password", "token"];

fn read_secret(path: &Path) -> Result<String, String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() || found.len() > MAX_SECRET {
        return Err(format!("it is no file with a secret of at most {MAX_SECRET} bytes"));
    }
    if found.permissions().mode() & 0o004 != 0 {
        return Err(format!("every user of this machine can read it: run `chmod 600 {}`", path.display()));
    }
    let secret = std::fs::read_to_string(path).map_err(|error| error.to_string())?.trim().to_owned();
    if secret.is_empty() { Err("it is empty".to_owned()) } else { Ok(secret) }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    const PLAIN: &str = "name = \"acme\"\nissuer = \"https://id.example\"\nclient-id = \"registry\"\n";

    fn read(text: &str) -> Result<IdentityProvider, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("acme.toml");
        std::fs::write(&file, text).unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "hunter2\n").unwrap();
        std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        let open = directory.path().join("open");
        std::fs::write(&open, "hunter2\n").unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
        let read = IdentityProvider::read(&file);
        read.map_err(|problem| problem.replace(directory.path().to_str().unwrap(), "DIR"))
    }

    #[test]
    fn a_provider_has_usual_values_and_its_secret_from_a_file_beside_it() {
        let provider =
            read(&format!("{PLAIN}client-secret-file = \"secret\"\n[teams]\n\"rust devs\" = \"devs\"\n")).unwrap();
        assert_eq!(provider.client_secret.as_deref(), Some("hunter2"));
        assert_eq!((provider.title(), &*provider.login_claim), ("acme", "preferred_username"));
        assert_eq!((provider.new_users, provider.existing_users), (NewUsers::Refuse, ExistingUsers::Connect));
        assert_eq!(provider.teams["rust devs"], "devs");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let problem = |text: &str| read(text).map(|_| ()).unwrap_err();
        let problems = [
            "new-user = \"create\"",
            "new-users = \"maybe\"",
            "client-secret-file = \"none\"",
            "client-secret-file = \"open\"",
            "admin-groups = []",
            "scopes = [\"profile email\"]",
        ]
        .map(|more| problem(&format!("{PLAIN}{more}\n")));
        let more = [problem(&PLAIN.replace("acme", "link")), problem("name = \"acme\"\n")];
        insta::assert_snapshot!(problems.into_iter().chain(more).collect::<Vec<_>>().join("\n"), @r#"
        line 4: unknown field `new-user`, expected one of `name`, `title`, `issuer`, `client-id`, `client-secret-file`, `scopes`, `new-users`, `existing-users`, `login-claim`, `name-claim`, `groups-claim`, `required-claims`, `allowed-groups`, `admin-groups`, `auditor-groups`, `read-only-groups`, `teams`
        line 4: unknown variant `maybe`, expected `create` or `refuse`
        client-secret-file: DIR/none: No such file or directory (os error 2)
        client-secret-file: DIR/open: every user of this machine can read it: run `chmod 600 DIR/open`
        admin-groups: no group is in it: name one, or leave it out
        scopes: "profile email" is not one scope: write each as a string of its own
        name: "link" cannot be one: use 1 to 40 lower-case letters, digits and '-', and none of again, link, password, token
        line 1: missing field `issuer`
        "#);
    }
}
