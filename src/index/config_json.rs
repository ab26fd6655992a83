//! `config.json`, the first file of an index that cargo reads.
//!
//! Source: the Cargo book, "Registry Index", and cargo's `RegistryConfig`. Cargo reads only the three keys written
//! here.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::Change;

/// The settings of a registry for cargo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigJson {
    /// The URL of crate files, with or without cargo's markers (`{crate}`, `{version}` …).
    pub dl: String,
    /// The URL of the web API, without a slash at its end.
    pub api: String,
    /// Whether cargo sends its token with every request.
    #[serde(rename = "auth-required", default, skip_serializing_if = "is_false")]
    pub auth_required: bool,
}

impl ConfigJson {
    /// The file's path in the index.
    pub const PATH: &str = "config.json";

    /// The file's content. Equal settings have equal content, so a restart makes no commit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings and a bool"); // JSON holds both
        bytes.push(b'\n');
        bytes
    }

    /// The change for an index that others write too: unknown keys are kept, and a file with equal settings stays as it
    /// is.
    pub fn change_merged(&self, present: Option<&[u8]>) -> Change {
        let change = self.change(present);
        let parsed = present.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(bytes).ok());
        let Some(before) = parsed else { return change };
        let mut merged = before.clone();
        merged.insert("dl".to_owned(), self.dl.clone().into());
        merged.insert("api".to_owned(), self.api.clone().into());
        if self.auth_required {
            merged.insert("auth-required".to_owned(), true.into());
        } else {
            merged.shift_remove("auth-required");
        }
        if merged == before {
            return Change { content: present.map(Bytes::copy_from_slice), ..change };
        }
        let mut bytes = serde_json::to_vec_pretty(&merged).expect("it was JSON"); // it was parsed from JSON
        bytes.push(b'\n');
        Change { content: Some(bytes.into()), ..change }
    }

    /// Parses a file. Unknown keys are ignored, as in cargo.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The change that writes these settings; `present` is the file's current content.
    pub fn change(&self, present: Option<&[u8]>) -> Change {
        let message = match present {
            None => "Initialise the index",
            Some(_) => "Update config.json",
        };
        Change { path: Self::PATH.to_owned(), content: Some(self.to_bytes().into()), message: message.to_owned() }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(auth_required: bool) -> ConfigJson {
        ConfigJson {
            dl: "https://cargo.example/api/v1/crates".to_owned(),
            api: "https://cargo.example".to_owned(),
            auth_required,
        }
    }

    // protocol: 1
    #[test]
    fn the_file_has_the_keys_cargo_reads() {
        let text = String::from_utf8(config(false).to_bytes()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "dl": "https://cargo.example/api/v1/crates",
          "api": "https://cargo.example"
        }
        "#);
        let text = String::from_utf8(config(true).to_bytes()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "dl": "https://cargo.example/api/v1/crates",
          "api": "https://cargo.example",
          "auth-required": true
        }
        "#);
    }

    #[test]
    fn unknown_keys_are_kept() {
        let desired = config(false);
        let ours = br#"{"api":"https://cargo.example","dl":"https://cargo.example/api/v1/crates","x":1}"#;
        assert_eq!(desired.change_merged(Some(ours)).content.unwrap(), ours.as_slice());
        let other = br#"{"dl":"https://old.example","x":{"y":2},"auth-required":true}"#;
        let text = String::from_utf8(desired.change_merged(Some(other)).content.unwrap().to_vec()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "dl": "https://cargo.example/api/v1/crates",
          "x": {
            "y": 2
          },
          "api": "https://cargo.example"
        }
        "#);
        assert_eq!(desired.change_merged(None), desired.change(None));
        assert_eq!(desired.change_merged(Some(b"no json")).content, desired.change(None).content);
    }

    #[test]
    fn the_commit_message_depends_on_whether_the_file_existed() {
        assert_eq!(config(false).change(None).message, "Initialise the index");
        assert_eq!(config(false).change(Some(b"{}")).message, "Update config.json");
    }
}
