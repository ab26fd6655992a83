//! The categories that crates name, and their order: `a::b` is a subcategory of `a`. Rows stay when no crate names the
//! category any longer, so only the crates say which categories there are.

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use crate::statement::statement;

/// The slugs of a family: of the category and of its subcategories, as far as crates have named them.
pub fn family(connection: &mut PgConnection, slug: &str) -> QueryResult<Vec<String>> {
    // In byte order, a semicolon follows a colon.
    let found: Vec<Slug> = diesel::sql_query(
        "SELECT slug FROM crate_categories WHERE slug = $1 OR (slug >= $1 || '::' AND slug < $1 || ':;')",
    )
    .bind::<Text, _>(slug)
    .load(connection)?;
    Ok(found.into_iter().map(|one| one.slug).collect())
}

/// Notes the categories of a crate.
pub fn note(connection: &mut PgConnection, slugs: &[String]) -> QueryResult<()> {
    if slugs.is_empty() {
        return Ok(());
    }
    // Mostly there is nothing to insert. The order keeps concurrent writers from waiting for each other in a circle.
    statement(
        "INSERT INTO crate_categories (slug)
         SELECT given FROM unnest($1) AS given
         WHERE NOT EXISTS (SELECT FROM crate_categories WHERE slug = given) ORDER BY given
         ON CONFLICT DO NOTHING",
    )
    .bind::<Array<Text>, _>(slugs)
    .execute(connection)
    .map(drop)
}

#[derive(QueryableByName)]
struct Slug {
    #[diesel(sql_type = Text)]
    slug: String,
}

/// The subcategories one level below a category, whether a crate names them or only categories below them.
pub fn children(connection: &mut PgConnection, slug: &str) -> QueryResult<Vec<String>> {
    let found: Vec<Slug> = diesel::sql_query(
        "SELECT DISTINCT $1 || '::' || split_part(substr(slug, length($1) + 3), '::', 1) AS slug FROM crate_categories
         WHERE slug >= $1 || '::' AND slug < $1 || ':;' ORDER BY 1",
    )
    .bind::<Text, _>(slug)
    .load(connection)?;
    Ok(found.into_iter().map(|one| one.slug).collect())
}

/// The categories above a category, the topmost first.
pub fn ancestors(slug: &str) -> Vec<String> {
    slug.match_indices("::").map(|(place, _)| slug[..place].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_below_those_that_its_slug_begins_with() {
        assert_eq!(ancestors("a::b::c"), ["a", "a::b"]);
        assert!(ancestors("a-b").is_empty());
    }
}
