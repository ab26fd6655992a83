//! Which crates a list has. Of the parameters for one condition the first one counts, as on crates.io.

use crate::database::search::{Filter, Only};
use crate::web::ApiError;
use crate::web::extract::query::{QueryParameters, refused};

/// Reads the conditions.
pub(super) fn filter(query: &QueryParameters) -> Result<Filter, ApiError> {
    query
        .refuse_unsupported("following", "this registry does not record who follows what, so list crates by `ids[]`")?;
    Ok(Filter {
        category: query.text("category").map(|slug| slug.to_lowercase()),
        only: only(query)?.into_iter().collect(),
        without_yanked: query.get("include_yanked").is_some_and(|value| value != "yes"),
    })
}

fn only(query: &QueryParameters) -> Result<Option<Only>, ApiError> {
    let lower = |name| query.text(name).map(|text| text.to_lowercase());
    // A value that cannot be read is refused even if another parameter counts.
    let letter = query.text("letter").map(|text| first_letter(&text)).transpose()?;
    let (user, team) = (query.parsed("user_id", "a user id")?, query.parsed("team_id", "a team id")?);
    let names = query.texts("ids[]");
    Ok(if let Some(keywords) = lower("all_keywords") {
        Some(Only::Keywords(keywords.split_whitespace().map(str::to_owned).collect()))
    } else if let Some(keyword) = lower("keyword") {
        Some(Only::Keywords(vec![keyword]))
    } else if let Some(letter) = letter {
        Some(Only::Beginning(letter))
    } else if let Some(user) = user {
        Some(Only::Owner(user))
    } else if let Some(team) = team {
        Some(Only::Team(team))
    } else {
        (!names.is_empty()).then_some(Only::Names(names))
    })
}

/// The first character, as crates.io has it.
fn first_letter(text: &str) -> Result<String, ApiError> {
    let first = text.chars().next().ok_or_else(|| refused("letter", text, "a letter, with which the names begin"))?;
    Ok(first.to_lowercase().collect())
}
