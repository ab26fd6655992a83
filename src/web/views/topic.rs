//! The JSON of keywords and categories. They exist as long as a crate has them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::count;
use crate::database::catalog::topics::Topic;

/// A keyword.
#[derive(Serialize, ToSchema)]
#[schema(as = Keyword)]
pub struct KeywordView {
    /// The same as `keyword`.
    id: String,
    keyword: String,
    /// When the first crate that has it was created.
    created_at: DateTime<Utc>,
    crates_cnt: u32,
}

impl From<Topic> for KeywordView {
    fn from(topic: Topic) -> Self {
        let crates_cnt = count(topic.crates);
        Self { id: topic.name.clone(), keyword: topic.name, created_at: topic.created_at, crates_cnt }
    }
}

/// A category.
#[derive(Serialize, ToSchema)]
#[schema(as = Category)]
pub struct CategoryView {
    /// The same as `slug`.
    id: String,
    /// The last part of the slug.
    category: String,
    /// The name in manifests, such as `network-programming` or `parser::json`.
    slug: String,
    /// Always empty.
    description: String,
    /// When the first crate that has it was created.
    created_at: DateTime<Utc>,
    crates_cnt: u32,
}

impl From<Topic> for CategoryView {
    fn from(topic: Topic) -> Self {
        Self {
            id: topic.name.clone(),
            category: topic.name.rsplit("::").next().unwrap_or_default().to_owned(),
            slug: topic.name,
            description: String::new(),
            created_at: topic.created_at,
            crates_cnt: count(topic.crates),
        }
    }
}
