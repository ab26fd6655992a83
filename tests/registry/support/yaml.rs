//! YAML of CI systems.

use saphyr::{LoadableYamlNode, Yaml};

/// The one document of a text.
pub fn read(yaml: &str) -> Yaml<'_> {
    let mut documents = Yaml::load_from_str(yaml).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// The texts of a mapping.
pub fn texts(mapping: &Yaml<'_>) -> Vec<(String, String)> {
    mapping.as_mapping().unwrap().iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// The texts of a sequence.
pub fn lines(sequence: &Yaml<'_>) -> Vec<String> {
    sequence.as_vec().unwrap().iter().map(text).collect()
}

fn text(one: &Yaml<'_>) -> String {
    one.as_str().unwrap_or_else(|| panic!("{one:?}")).to_owned()
}
