//! The registry's database in the cluster.

use diesel::{Connection, PgConnection, RunQueryDsl};

use super::error::EmbeddedError;
use super::server_log::ServerLog;
use super::socket::Socket;

/// The database's name.
pub(super) const NAME: &str = "supercargo";

/// Creates the database if it does not exist. CREATE DATABASE is atomic, also when the server is killed meanwhile.
pub(super) fn ensure(socket: &Socket) -> Result<(), EmbeddedError> {
    create_missing(socket).map_err(|problem| {
        let error = EmbeddedError::Database { database: NAME, problem: problem.clone(), log: log_path(socket) };
        error.or_disk_full(socket.cluster(), &problem)
    })
}

fn create_missing(socket: &Socket) -> Result<(), String> {
    let mut connection = PgConnection::establish(&socket.url("postgres")).map_err(|error| error.to_string())?;
    let found = diesel::sql_query(format!("SELECT 1 FROM pg_database WHERE datname = '{NAME}'"))
        .execute(&mut connection)
        .map_err(|error| error.to_string())?;
    if found == 0 {
        diesel::sql_query(format!("CREATE DATABASE {NAME}"))
            .execute(&mut connection)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn log_path(socket: &Socket) -> std::path::PathBuf {
    let data_dir = socket.cluster().parent().unwrap_or(socket.cluster());
    ServerLog::of(data_dir).path().to_owned()
}
