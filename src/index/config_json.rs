//! `config.json`, the first file cargo reads of an index.
//!
//! Source: the Cargo book, "Registry Index", and cargo's `RegistryConfig`. Cargo reads the three keys written here and no
//! other.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::Change;

/// What the index tells cargo about its registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigJson {
    /// Where crate files are downloaded: a URL, with cargo's markers (`{crate}`, `{version}` …) or without.
    pub dl: String,
    /// Where the web API is: a URL without a slash at its end.
    pub api: String,
    /// Whether cargo shall send its token with every request.
    #[serde(rename = "auth-required", default, skip_serializing_if = "is_false")]
    pub auth_required: bool,
}

impl ConfigJson {
    /// Its path in the index.
    pub const PATH: &str = "config.json";

    /// The file's bytes: the same for the same values, so that a restart changes nothing.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and a bool: there is nothing in it that JSON can't hold.
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings and a bool"); // JSON holds both
        bytes.push(b'\n');
        bytes
    }

    /// The same as [`ConfigJson::change`] for an index that others write, too: keys that are not ours stay, and a file
    /// that says what it shall say stays as it is.
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
            return Change { content: present.map(<[u8]>::to_vec), ..change };
        }
        let mut bytes = serde_json::to_vec_pretty(&merged).expect("it was JSON"); // it was parsed from JSON
        bytes.push(b'\n');
        Change { content: Some(bytes), ..change }
    }

    /// What a file says. Other keys are passed over, as cargo does.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The change that makes the index say this; `present` is what it holds now.
    pub fn change(&self, present: Option<&[u8]>) -> Change {
        let message = match present {
            None => "Initialise the index",
            Some(_) => "Update config.json",
        };
        Change { path: Self::PATH.to_owned(), content: Some(self.to_bytes()), message: message.to_owned() }
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
    fn what_others_wrote_into_the_file_stays() {
        let wanted = config(false);
        let ours = br#"{"api":"https://cargo.example","dl":"https://cargo.example/api/v1/crates","x":1}"#;
        assert_eq!(wanted.change_merged(Some(ours)).content.unwrap(), ours);
        let other = br#"{"dl":"https://old.example","x":{"y":2},"auth-required":true}"#;
        let text = String::from_utf8(wanted.change_merged(Some(other)).content.unwrap()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "dl": "https://cargo.example/api/v1/crates",
          "x": {
            "y": 2
          },
          "api": "https://cargo.example"
        }
        "#);
        assert_eq!(wanted.change_merged(None), wanted.change(None));
        assert_eq!(wanted.change_merged(Some(b"no json")).content, wanted.change(None).content);
    }

    #[test]
    fn the_message_says_whether_there_was_one() {
        assert_eq!(config(false).change(None).message, "Initialise the index");
        assert_eq!(config(false).change(Some(b"{}")).message, "Update config.json");
    }
}
