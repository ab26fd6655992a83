//! How `serve` speaks HTTP.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

#[derive(Args, Debug, Clone, Default)]
pub struct HttpOptions {
    /// Serve HTTPS with this certificate, in PEM: the registry's own one first, then its chain
    ///
    /// A file that changed is taken within a minute, or at once on SIGHUP; connections go on. One that can't be used is
    /// reported in the log, and the former certificate stays.
    #[arg(long, env = "SUPERCARGO_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM (PKCS#8, PKCS#1 or SEC1)
    #[arg(long, env = "SUPERCARGO_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Proxies in front of the registry, as addresses or networks (10.0.0.0/8), separated by commas
    ///
    /// What they say in X-Forwarded-For, or else in Forwarded, is taken as the address of the client, and their
    /// X-Request-Id as the request's name. A proxy that sets Forwarded has to remove X-Forwarded-For. Of everybody else
    /// these headers are ignored.
    #[arg(long, env = "SUPERCARGO_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// How many connections are served at the same time
    ///
    /// Without it, as many as the limit of open files allows, at most 4096. A connection needs two open files. When all are
    /// in use, a new one takes the place of the one that has been idle longest; if none is idle, it waits.
    #[arg(long, env = "SUPERCARGO_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroU32>,
    /// How many connections one client may have, and how many requests at the same time
    ///
    /// A client is an IPv4 address or an IPv6 network of 64 bits. Without it, a quarter of --max-connections, at least 64,
    /// and all of them if there are fewer than 64. Raise it for many machines behind one address. Connections of trusted proxies are not counted;
    /// requests are counted for the client that the proxy names.
    #[arg(long, env = "SUPERCARGO_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub max_connections_per_address: Option<NonZeroU32>,
    /// How much memory publishes may take that arrive or are carried out, in bytes
    ///
    /// Others wait, and larger files that arrive are kept in the data directory meanwhile, at most four times as many bytes.
    #[arg(long, env = "SUPERCARGO_MAX_UPLOAD_MEMORY", value_name = "BYTES", default_value_t = DEFAULT_UPLOAD_MEMORY, value_parser = clap::value_parser!(u64).range(MIN_UPLOAD_MEMORY..))]
    pub max_upload_memory: u64,
}

const DEFAULT_UPLOAD_MEMORY: u64 = 256 * 1024 * 1024;
/// Less would let a few publishes of the usual size wait for each other.
const MIN_UPLOAD_MEMORY: u64 = 16 * 1024 * 1024;

impl HttpOptions {
    /// Refuses a limit for one client that is above the one for all.
    pub fn check(&self) -> Result<(), String> {
        match (self.max_connections_per_address, self.max_connections) {
            (Some(one), Some(all)) if one > all => Err(format!(
                "--max-connections-per-address {one} is more than --max-connections {all}: one client cannot have more \
                 connections than there are. Lower the one or raise the other"
            )),
            _ => Ok(()),
        }
    }

    /// How many connections and requests one client may have, of so many connections.
    pub fn per_address(&self, max_connections: u32) -> u32 {
        let usual = || (max_connections / 4).max(max_connections.min(64));
        self.max_connections_per_address.map_or_else(usual, NonZeroU32::get)
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed =
        text.parse::<IpNet>().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| address.into()));
    parsed
        .ok_or_else(|| "it must be an address such as 10.1.2.3 or fd00::1, or a network such as 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_has_a_quarter_of_the_connections_or_what_it_is_given() {
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
        insta::assert_snapshot!(both("41", "40").unwrap_err(), @"--max-connections-per-address 41 is more than --max-connections 40: one client cannot have more connections than there are. Lower the one or raise the other");
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
