//! What the server takes for a page, and its size, in a registry of 20,000 crates and 100,000 versions: through the router,
//! without the network.
//!
//! `cargo bench --bench pages`, with another number of crates as its argument.

#[path = "support/catalog.rs"]
mod catalog;
#[path = "support/package.rs"]
mod package;
#[path = "support/scale.rs"]
mod scale;
#[path = "support/words.rs"]
mod words;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use http_body_util::BodyExt;
use supercargo::crate_store::CrateStore;
use supercargo::database::{Pool, migrations};
use supercargo::index::{Index, View};
use supercargo::jobs::Admission;
use supercargo::package::{Limits, Policy, RegistryUrls};
use supercargo::postgres::embedded::{Cluster, Options};
use supercargo::queue::{Completions, Wakeups};
use supercargo::web::index::{GitService, IndexState};
use supercargo::web::{
    AddressRequests, App, Backlog, Settings, SharedWith, SignInWays, SourceWork, StatusStreams, TrustedProxies,
    Uploads, router,
};
use tower::ServiceExt;

use scale::amount;
use words::Words;

const CRATES: usize = 20_000;
const VERSIONS: usize = 5;
const RUNS: usize = 300;
const BASE_URL: &str = "http://registry.test";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let crates =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or_else(|| amount(CRATES, 300));
    let directory = tempfile::tempdir()?;
    // As root, PostgreSQL runs as another user, who has to get through.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let data_dir = directory.path().join("data");
    std::fs::create_dir(&data_dir)?;
    let cluster = Cluster::start(&Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: true })?;
    let mut connection = PgConnection::establish(&cluster.url())?;
    migrations::migrate(&mut connection)?;
    let words = Words::new();
    catalog::populate(&mut connection, &words, crates, VERSIONS)?;
    complete(&mut connection)?;
    let name = name(&mut connection)?;
    println!("{crates} crates with {VERSIONS} versions each");
    let app = app(directory.path(), &cluster.url())?;
    let files = package::own_source(&app.crate_store, &mut connection, &name, &format!("1.{}.0", VERSIONS - 1))?;
    let router = router(app);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("  {:<28}{:>9}{:>10}{:>10}{:>10}", "", "bytes", "p50", "p99", "max");
    for (label, path) in [
        ("home", "/".to_owned()),
        ("crate", format!("/crates/{name}")),
        ("crate, older version", format!("/crates/{name}/1.0.0")),
        ("versions", format!("/crates/{name}/versions")),
        ("dependents", format!("/crates/{name}/dependents")),
        ("list", "/search".to_owned()),
        ("search, name", format!("/search?q={name}")),
        ("search, rare word", format!("/search?q={}", words.0[15_000])),
        ("search, word of 5 %", format!("/search?q={}", words.0[250])),
        ("search, fragment", format!("/search?q={}&fragment=1", &name[..4])),
        ("keyword", format!("/search?keyword={}", words.0[250])),
        ("feed", "/feeds/versions.atom".to_owned()),
    ] {
        measure(&runtime, &router, label, &[path])?;
    }
    let of_files: Vec<String> =
        files.iter().map(|file| format!("/crates/{name}/1.{}.0/source/{file}", VERSIONS - 1)).collect();
    // The first answer makes the index of the package.
    measure(&runtime, &router, "files of a package", &of_files[..1])?;
    measure(&runtime, &router, "source file, first view", &of_files)?;
    measure(&runtime, &router, "source file, again", &of_files)?;
    drop(router);
    drop(connection);
    cluster.stop()?;
    Ok(())
}

/// Dependencies, owners, and downloads by day of the most downloaded crates.
fn complete(connection: &mut PgConnection) -> Outcome<()> {
    connection.batch_execute(
        "INSERT INTO users (login) SELECT 'user' || n FROM generate_series(1, 500) AS n;
         INSERT INTO crate_owners (crate_id, user_id) SELECT id, 1 + id % (SELECT count(*) FROM users) FROM crates
             WHERE 1 + id % (SELECT count(*) FROM users) IN (SELECT id FROM users);
         INSERT INTO dependencies (version_id, place, name, req, kind, optional, default_features, features)
             SELECT crates.default_version_id, place, other.name, '^1', 'normal', false, true, '{}'
             FROM crates CROSS JOIN generate_series(1, 6) AS place
                 JOIN crates AS other ON other.id = 1 + (crates.id * place * place) % 2000
             WHERE crates.default_version_id IS NOT NULL;
         SELECT follow_dependencies(id, default_version_id) FROM crates;
         INSERT INTO version_downloads_by_day (version_id, day, downloads)
             SELECT versions.id, current_date - days, 1 + (versions.id * days) % 1000
             FROM (SELECT crate_id FROM crate_downloads ORDER BY downloads DESC LIMIT 500) AS popular
                 JOIN versions USING (crate_id) CROSS JOIN generate_series(0, 89) AS days;
         SELECT recount_registry()",
    )?;
    // Each is a transaction of its own.
    for table in ["dependencies", "crate_dependents", "version_downloads_by_day", "crate_owners", "crates"] {
        connection.batch_execute(&format!("VACUUM ANALYZE {table}"))?;
    }
    Ok(())
}

/// The name of a crate with many downloads and dependents.
fn name(connection: &mut PgConnection) -> Outcome<String> {
    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let found: Name = diesel::sql_query(
        "SELECT name FROM crates JOIN crate_downloads ON crate_id = id WHERE id < 2000 ORDER BY downloads DESC LIMIT 1",
    )
    .get_result(connection)?;
    Ok(found.name)
}

fn app(directory: &Path, url: &str) -> Outcome<App> {
    let index = Index::open_or_init(&directory.join("index.git"))?;
    let settings = Settings {
        base_url: BASE_URL.to_owned(),
        urls: RegistryUrls::new([BASE_URL]),
        limits: Limits::default(),
        policy: Policy::default(),
        admission: Admission::default(),
        auth_required: false,
        shared_with: SharedWith::Everyone,
        publish_wait: Duration::ZERO,
        trusted_proxies: TrustedProxies::default(),
        address_requests: AddressRequests::unlimited(),
        uploads: Uploads::new(64 * 1024 * 1024, directory.to_owned()),
        backlog: Backlog::new(0),
        source_cache: (directory.join("source-cache"), 64 * 1024 * 1024),
        source_work: SourceWork::usual(TrustedProxies::default()),
        status_streams: StatusStreams::new(8, 8, TrustedProxies::default()),
        sign_in: SignInWays::default(),
        sends_mail: false,
        upstreams: supercargo::web::upstreams::Upstreams::default(),
        download_redirect: None,
        download_log: supercargo::web::download_log::DownloadLog::default(),
        advisories: None,
        docs: supercargo::web::DocsSettings::default(),
    };
    let state = IndexState { git: GitService::new(&index), view: View::new(index) };
    let crate_store = CrateStore::local(&directory.join("crates"))?;
    Ok(App::new(Pool::live(url, 4), crate_store, state, Wakeups::default(), Completions::default(), settings))
}

/// Times requests for these paths, one after the other: of a single one many, of several one each.
fn measure(runtime: &tokio::runtime::Runtime, router: &axum::Router, label: &str, paths: &[String]) -> Outcome<()> {
    let mut times = Vec::new();
    let mut bytes = 0;
    let runs = if paths.len() == 1 { amount(RUNS, 2) } else { paths.len() };
    // The first answer renders the README.
    for run in 0..=runs {
        let path = paths[run % paths.len()].as_str();
        let begin = Instant::now();
        let (status, length) = runtime.block_on(async {
            let response = router.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
            let status = response.status();
            Ok::<_, Box<dyn Error + Send + Sync>>((status, response.into_body().collect().await?.to_bytes().len()))
        })?;
        if status != StatusCode::OK {
            return Err(format!("{path}: {status}").into());
        }
        bytes = length;
        if run > 0 {
            times.push(begin.elapsed());
        }
    }
    times.sort();
    let milliseconds = |place: usize| times[place.min(times.len() - 1)].as_secs_f64() * 1000.0;
    println!(
        "  {label:<28}{bytes:>9}{:>8.2}ms{:>8.2}ms{:>8.2}ms",
        milliseconds(times.len() / 2),
        milliseconds(times.len() * 99 / 100),
        milliseconds(times.len() - 1)
    );
    Ok(())
}
