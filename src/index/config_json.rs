//! `config.json`, the first file cargo reads of an index.
//!
//! Source: the Cargo book, "Registry Index", and cargo's `RegistryConfig`. Cargo reads the three keys written here and no
//! other.

use serde::{Deserialize, Serialize};

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
    fn the_message_says_whether_there_was_one() {
        assert_eq!(config(false).change(None).message, "Initialise the index");
        assert_eq!(config(false).change(Some(b"{}")).message, "Update config.json");
    }
}
