//! `GET /api/v1/crates/{crate}/versions`: lists the versions of a crate.

use std::collections::{BTreeMap, HashSet};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use crate::database::catalog::version_details::{self, Features, Listed};
use crate::package::Version;
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::extract::query::{MAX_PER_PAGE, QueryParameters};
use crate::web::extract::seek::{Place, SeekPage};
use crate::web::lookup::shown_crate;
use crate::web::views::{Errors, PageMeta, ReleaseTrack, VersionView, release_tracks};
use crate::web::{ApiError, App};

/// A page of versions, with empty `features`.
#[derive(Serialize, ToSchema)]
pub struct VersionsPage {
    versions: Vec<VersionView>,
    meta: VersionsMeta,
}

/// A page's place in the whole list, and what is asked for of the whole list.
#[derive(Serialize, ToSchema)]
pub struct VersionsMeta {
    #[serde(flatten)]
    page: PageMeta,
    /// With `include=release_tracks`: the highest version of each release track, such as `1` or `0.4`, of all versions that
    /// are neither yanked nor pre-releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_tracks: Option<BTreeMap<String, ReleaseTrack>>,
}

/// The last version of a page. The time is microseconds since 1970.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
enum Seek {
    Semver(String, i32),
    Date(i64, i32),
}

/// The order of versions.
#[derive(EnumString, VariantNames, ToSchema)]
#[strum(serialize_all = "kebab-case")]
#[schema(rename_all = "kebab-case")]
pub enum VersionsSort {
    /// By version, the highest first.
    Semver,
    /// By date, the newest first.
    Date,
}

/// List the versions of a crate
///
/// Lists the versions that the index shows, without their features; a single version is shown with them.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/versions",
    tag = "versions",
    params(
        CratePath,
        ("sort" = Option<VersionsSort>, Query, description = "The order: semver (the default, the highest first) or date (the newest first)"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 100 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
        ("seek" = Option<String>, Query, description = "The place of the page, from `meta.next_page`; not with page"),
        ("nums[]" = Option<Vec<String>>, Query, description = "Only versions with these numbers; may be repeated"),
        ("include" = Option<String>, Query, pattern = "^(release_tracks(,|$)|,)*$", description = "`release_tracks`: with the highest version of each release track"),
    ),
    responses(
        (status = 200, body = VersionsPage, description = "A page of versions"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
    )
)]
pub async fn list(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<VersionsPage>, ApiError> {
    let name = crate_name(&name)?;
    let by_date = query.choice("sort")?.is_some_and(|sort| matches!(sort, VersionsSort::Date));
    let paging: SeekPage<Seek> = query.seek_page(MAX_PER_PAGE)?;
    let after = match &paging.place {
        Place::After(seek) => Some(After::read(seek, by_date).ok_or_else(|| query.refused_seek())?),
        _ => None,
    };
    let nums: HashSet<String> = query.texts("nums[]").into_iter().collect();
    let with_tracks = query.words("include", &["release_tracks"])?.is_some_and(|words| !words.is_empty());
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let mut listed = match by_date {
            true => version_details::newest_first(connection, krate.row.id)?,
            false => version_details::highest_first(connection, krate.row.id)?,
        };
        let release_tracks = with_tracks.then(|| release_tracks(&listed));
        listed.retain(|one| nums.is_empty() || nums.contains(&one.num.to_string()));
        let total = i64::try_from(listed.len()).unwrap_or(i64::MAX);
        let before = after.map_or(0, |after| listed.partition_point(|one| !after.is_before(one)));
        let page = paging.page(i64::try_from(before).unwrap_or(i64::MAX));
        let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let mut listed: Vec<Listed> = listed.into_iter().skip(number(page.offset)).take(number(page.limit)).collect();
        let follows = paging.cut(&mut listed);
        let last = listed.last().filter(|_| follows).map(|last| match by_date {
            true => Seek::Date(last.created_at.timestamp_micros(), last.id),
            false => Seek::Semver(last.num.to_string(), last.id),
        });
        let ids: Vec<i32> = listed.iter().map(|one| one.id).collect();
        let versions = version_details::by_ids(connection, &ids, Features::LeftOut)?;
        let versions = versions.into_iter().map(|version| VersionView::new(version, &base_url)).collect();
        let meta = VersionsMeta { page: paging.meta(total, last, &query), release_tracks };
        Ok::<_, ApiError>(Json(VersionsPage { versions, meta }))
    })
    .await
}

/// The last version of the page before.
enum After {
    Semver(Version, i32),
    Date(i64, i32),
}

impl After {
    /// None if the value is of a list in another order.
    fn read(seek: &Seek, by_date: bool) -> Option<Self> {
        match seek {
            Seek::Semver(num, id) if !by_date => Some(Self::Semver(num.parse().ok()?, *id)),
            Seek::Date(at, id) if by_date => Some(Self::Date(*at, *id)),
            _ => None,
        }
    }

    /// Whether this version follows in the list.
    fn is_before(&self, one: &Listed) -> bool {
        match self {
            Self::Semver(num, id) => (&one.num, one.id) < (num, *id),
            Self::Date(at, id) => (one.created_at.timestamp_micros(), one.id) < (*at, *id),
        }
    }
}
