//! `supercargo serve`.
//!
//! Started from the ground up: data directory, database, index, workers, and the listener last, whose socket is bound
//! first, so that a port in use is noticed before anything is made. Stopped from the top down: no new requests, then the
//! batch at hand, then the database.

use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::sync::oneshot;

use super::setup::{ensure_admin, ensure_config_json};
use super::signals::Signals;
use super::working::Working;
use super::{CommandError, Storage};
use crate::config::ServeOptions;
use crate::crate_store::CrateStore;
use crate::index::View;
use crate::package::RegistryUrls;
use crate::queue::{Completions, Wakeups};
use crate::web::index::{GitService, IndexState};
use crate::web::{self, App, Settings};

pub(super) fn serve(options: &ServeOptions) -> Result<(), CommandError> {
    let signals = Signals::block()?;
    let listener = TcpListener::bind(options.listen).map_err(|error| cannot_listen(options.listen, error))?;
    let storage = Storage::open(&options.storage, options.throwaway)?;
    let data_dir = storage.data_dir.clone();
    let served = serve_from(options, &storage, listener, signals);
    let closed = storage.close();
    if options.throwaway {
        std::fs::remove_dir_all(data_dir.path())?;
    }
    served.and(closed)
}

fn cannot_listen(address: SocketAddr, error: std::io::Error) -> CommandError {
    let remedy = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program has this port; choose another with --listen",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose another with --listen",
        _ => "choose another address with --listen",
    };
    CommandError::while_doing(format!("can't listen on {address} ({remedy})"), error)
}

fn serve_from(
    options: &ServeOptions,
    storage: &Storage,
    listener: TcpListener,
    signals: Signals,
) -> Result<(), CommandError> {
    let address = listener.local_addr()?;
    let base_url = options.public_url.clone().unwrap_or_else(|| local_url(address));
    if storage.is_embedded() {
        ensure_admin(&mut storage.connect()?, &storage.data_dir.admin_token_file())?;
    }
    let index = storage.index(&options.storage)?;
    ensure_config_json(&index, &base_url)?;
    let crate_store = CrateStore::local(&storage.data_dir.crates())?;
    let pool = storage.pool(&options.storage);
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let working = Working::start(storage, &pool, &index, &wakeups, &completions, !options.no_worker)?;
    let settings = Settings {
        urls: registry_urls(options, &base_url, address),
        base_url: base_url.clone(),
        limits: options.limits(),
        publish_wait: options.publish_wait,
    };
    let index_state = IndexState { git: GitService::new(&index), view: View::new(index) };
    let app = App::new(pool, crate_store, index_state, wakeups, completions, settings);
    let server = Server::start(app, listener)?;
    announce(storage, &base_url)?;
    let signal = signals.wait()?;
    tracing::info!("{signal}: finishing requests and the batch at hand; once more to leave at once");
    // A throw-away registry is told by the death of its parent, which the kernel may tell twice; it has to clean up.
    if !options.throwaway {
        signals.leave_at_the_next()?;
    }
    let said = retract(storage);
    let served = server.stop(options.shutdown_grace);
    working.stop();
    served.and(said)
}

/// Where clients on this machine reach an address.
fn local_url(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return format!("http://{address}");
    }
    let url = format!("http://127.0.0.1:{}", address.port());
    tracing::warn!(
        "listening on all addresses, while config.json tells clients {url}: set --public-url to the registry's own name"
    );
    url
}

fn registry_urls(options: &ServeOptions, base_url: &str, address: SocketAddr) -> RegistryUrls {
    let local = format!("http://{address}");
    let aliases = options.url_aliases.iter().map(String::as_str);
    RegistryUrls::new([base_url, &local].into_iter().chain(aliases))
}

/// Says where the registry is: a file for programs, the lines to copy for people.
fn announce(storage: &Storage, base_url: &str) -> Result<(), CommandError> {
    write_whole(&storage.data_dir.url_file(), base_url)?;
    tracing::info!(url = base_url, data_dir = %storage.data_dir.path().display(), "serving");
    if !std::io::stdout().is_terminal() {
        return Ok(());
    }
    println!("\nThe registry is at {base_url}. To use it, put this into .cargo/config.toml:\n");
    println!("    [registries.supercargo]\n    index = \"sparse+{base_url}/index/\"\n");
    let token = storage.data_dir.admin_token_file();
    if token.exists() {
        println!("To publish, log in with the token of the user `admin`:\n");
        println!("    cargo login --registry supercargo < {}", token.display());
        println!("    cargo publish --registry supercargo\n");
    } else {
        println!("To publish, make a user and a token with `supercargo admin user create` and `admin token create`.\n");
    }
    Ok(())
}

/// Takes back where the registry is. Somebody else may have done so.
fn retract(storage: &Storage) -> Result<(), CommandError> {
    let file = storage.data_dir.url_file();
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CommandError::while_doing(format!("{} can't be removed", file.display()), error))
        }
        _ => Ok(()),
    }
}

/// Readers see nothing or the whole text.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = std::fs::File::create(&unfinished)?;
    writeln!(file, "{text}")?;
    std::fs::rename(unfinished, path)
}

/// The HTTP server on threads of its own.
struct Server {
    runtime: tokio::runtime::Runtime,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start(app: App, listener: TcpListener) -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("web").enable_all().build()?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = {
            let _entered = runtime.enter();
            // Without TCP_NODELAY a peer loses 40 ms on every answer of a connection it keeps.
            tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
            })
        };
        let served = runtime.spawn(async move {
            let stopping = async {
                // A sender that is gone means stop as well.
                let _ = stopped.await;
            };
            axum::serve(listener, web::router(app)).with_graceful_shutdown(stopping).await
        });
        Ok(Self { runtime, stop, served })
    }

    /// Takes no new connections, and gives requests that are being answered some time.
    fn stop(self, grace: Duration) -> Result<(), CommandError> {
        // The receiver is gone if the server ended by itself; then there is nothing to stop.
        let _ = self.stop.send(());
        let ended = self.runtime.block_on(async { tokio::time::timeout(grace, self.served).await });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        match ended {
            Ok(served) => Ok(served??),
            Err(_) => {
                tracing::warn!("some requests did not end within {grace:?}; their clients have to send them again");
                Ok(())
            }
        }
    }
}
