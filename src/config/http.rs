//! Options of `serve` about HTTP and TLS.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Network")]
pub struct HttpOptions {
    /// Serve HTTPS with this certificate chain (PEM, leaf first)
    ///
    /// A changed file is loaded within a minute, or immediately on SIGHUP; open connections continue. If the new
    /// certificate cannot be used, that is logged and the previous one stays in use.
    #[arg(long, env = "SUPERCARGO_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM: PKCS#8, PKCS#1 or SEC1)
    #[arg(long, env = "SUPERCARGO_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Trusted reverse proxies: addresses or networks, comma-separated
    ///
    /// The client address is read from their X-Forwarded-For header, or else from Forwarded, and the request ID from
    /// X-Request-Id. A proxy that sets Forwarded must remove X-Forwarded-For. These headers are ignored from all other
    /// senders.
    #[arg(long, env = "SUPERCARGO_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Maximum number of open connections [default: from the open-file limit, at most 4096]
    ///
    /// A connection needs two open files. At the limit a new connection replaces the one that has been idle longest; if
    /// none is idle, it waits.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroU32>,
    /// Maximum number of connections and of concurrent requests per client [default: see --help]
    ///
    /// A client is an IPv4 address or an IPv6 /64 network. The default is a quarter of --max-connections, but at least
    /// 64, or all of them if there are fewer than 64. Raise it if many machines share one address. Connections from
    /// trusted proxies are not counted; requests count for the client that the proxy names.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub max_connections_per_address: Option<NonZeroU32>,
    /// Memory for publishes in progress, in bytes
    ///
    /// Further publishes wait. Larger uploads are buffered in the data directory, up to four times as many bytes.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_UPLOAD_MEMORY", value_name = "BYTES", default_value_t = DEFAULT_UPLOAD_MEMORY, value_parser = clap::value_parser!(u64).range(MIN_UPLOAD_MEMORY..))]
    pub max_upload_memory: u64,
    /// Number of clones of the git index at the same time [default: see --help]
    ///
    /// The default is half of the processors, from 1 to 4. git runs for so many clones; others wait in order, up to 50 seconds.
    /// Clones of the same state count as one; fetches of what is new do not count.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_CLONES", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub max_clones: Option<u8>,
    /// Disk space for the files of packages that pages show, in bytes
    ///
    /// The pages with sources and differences read a package from a copy that is made for them, in the data directory.
    /// The copies that were not used for the longest time are removed. With 0 none is kept.
    #[arg(long, hide = true, env = "SUPERCARGO_SOURCE_CACHE_SIZE", value_name = "BYTES", default_value_t = DEFAULT_SOURCE_CACHE)]
    pub source_cache_size: u64,
}

const DEFAULT_SOURCE_CACHE: u64 = 1024 * 1024 * 1024;
const DEFAULT_UPLOAD_MEMORY: u64 = 256 * 1024 * 1024;
/// With less, a few publishes of the usual size would wait for each other.
const MIN_UPLOAD_MEMORY: u64 = 16 * 1024 * 1024;

impl HttpOptions {
    /// Refuses a limit per client above the limit for all clients.
    pub fn check(&self) -> Result<(), String> {
        match (self.max_connections_per_address, self.max_connections) {
            (Some(one), Some(all)) if one > all => Err(format!(
                "--max-connections-per-address {one} is above --max-connections {all}: lower the first or raise the \
                 second"
            )),
            _ => Ok(()),
        }
    }

    /// The maximum number of connections and of concurrent requests per client.
    pub fn per_address(&self, max_connections: u32) -> u32 {
        let usual = || (max_connections / 4).max(max_connections.min(64));
        self.max_connections_per_address.map_or_else(usual, NonZeroU32::get)
    }
}

/// Parses a network or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed =
        text.parse::<IpNet>().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| address.into()));
    parsed.ok_or_else(|| "use an address such as 10.1.2.3 or fd00::1, or a network such as 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_a_quarter_of_the_connections_unless_configured() {
        let options = |arguments: &[&str]| {
            #[derive(clap::Parser)]
            struct Given {
                #[command(flatten)]
                http: HttpOptions,
            }
            <Given as clap::Parser>::parse_from(["x"].iter().chain(arguments)).http
        };
        let usual = options(&[]);
        assert_eq!([4096, 384, 100, 64, 2, 1].map(|all| usual.per_address(all)), [1024, 96, 64, 64, 2, 1]);
        assert_eq!(options(&["--max-connections-per-address", "7"]).per_address(4096), 7);
        let both = |one, all| options(&["--max-connections-per-address", one, "--max-connections", all]).check();
        assert_eq!(both("40", "40"), Ok(()));
        insta::assert_snapshot!(both("41", "40").unwrap_err(), @"--max-connections-per-address 41 is above --max-connections 40: lower the first or raise the second");
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        for (text, parsed) in
            [("10.0.0.0/8", "10.0.0.0/8"), (" 10.1.2.3", "10.1.2.3/32"), ("fd00::1", "fd00::1/128"), ("::/0", "::/0")]
        {
            assert_eq!(network(text).unwrap().to_string(), parsed);
        }
        for wrong in ["", "proxy.example", "10.0.0.0/33", "10.0.0.1:80", "[::1]"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
