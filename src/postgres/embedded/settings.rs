//! The server's settings, given on its command line, which wins over every file in the cluster.

/// For every cluster. The socket lies in the server's working directory, which is the cluster.
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

/// What was answered with success is on disk.
const DURABLE: [&str; 2] = ["fsync=on", "full_page_writes=on"];

/// What is thrown away needs no disk. A commit is still handed to the operating system before it is answered, so that
/// even here a killed server loses nothing.
const THROWAWAY: [&str; 2] = ["fsync=off", "full_page_writes=off"];

/// The port in the socket's name; nothing listens on it as a TCP port.
pub(super) const PORT: u16 = 5432;

/// The arguments `-c name=value …`.
pub(super) fn arguments(throwaway: bool) -> impl Iterator<Item = &'static str> {
    let durability = if throwaway { THROWAWAY } else { DURABLE };
    COMMON.into_iter().chain(durability).flat_map(|setting| ["-c", setting])
}
