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
    /// How many connections are served at the same time; others wait
    ///
    /// Without it, as many as the limit of open files allows, at most 4096. A connection needs two open files.
    #[arg(long, env = "SUPERCARGO_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroU32>,
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
