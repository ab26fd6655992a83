//! The JSON of keywords and categories. They exist as long as a crate has them, and a category as long as a crate has a
//! subcategory of it.

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
    /// When the first crate that has it or a subcategory was created.
    created_at: DateTime<Utc>,
    /// Crates that have it or a subcategory.
    crates_cnt: u32,
    /// The categories above it, the topmost first; only in the answer for a single category.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    parent_categories: Option<Vec<CategoryView>>,
    /// The categories one level below it; only in the answer for a single category.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    subcategories: Option<Vec<CategoryView>>,
}

impl CategoryView {
    /// Adds the categories above and below.
    pub fn with_family(self, parents: Vec<Topic>, children: Vec<Topic>) -> Self {
        let views = |topics: Vec<Topic>| Some(topics.into_iter().map(Into::into).collect());
        Self { parent_categories: views(parents), subcategories: views(children), ..self }
    }
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
            parent_categories: None,
            subcategories: None,
        }
    }
}
