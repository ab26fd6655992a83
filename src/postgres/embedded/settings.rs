//! The server's settings, on its command line, which has precedence over the files in the cluster.

/// The settings of every cluster. The socket is in the server's working directory, which is the cluster.
const COMMON: [&str; 16] = [
    "listen_addresses=",
    "unix_socket_directories=.",
    "unix_socket_permissions=0700",
    "port=5432",
    "max_connections=100",
    "synchronous_commit=on",
    "shared_buffers=64MB",
    // The registry's statements are small; compiling them takes longer than running them.
    "jit=off",
    "ssl=off",
    "cluster_name=supercargo",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
    "logging_collector=off",
    "log_destination=stderr",
    "log_checkpoints=off",
];

/// For a durable cluster: a committed transaction is on disk.
const DURABLE: [&str; 2] = ["fsync=on", "full_page_writes=on"];

/// For a throwaway cluster: nothing is flushed to disk. The operating system still has every committed transaction, so
/// a killed server loses none. Tests of many processes may share it.
const THROWAWAY: [&str; 3] = ["fsync=off", "full_page_writes=off", "max_connections=400"];

/// The port in the socket's name. The server does not listen on a TCP port.
pub(super) const PORT: u16 = 5432;

/// The superuser of the cluster, as which the registry connects.
pub(super) const SUPERUSER: &str = "supercargo";

/// The arguments `-c name=value …`.
pub(super) fn arguments(throwaway: bool) -> impl Iterator<Item = &'static str> {
    let durability: &[&str] = if throwaway { &THROWAWAY } else { &DURABLE };
    COMMON.into_iter().chain(durability.iter().copied()).flat_map(|setting| ["-c", setting])
}
