//! The choice of a content coding by `Accept-Encoding`. Source: RFC 9110, sections 12.4.2 and 12.5.3.

use axum::http::{HeaderMap, header};

use crate::index::Coding;

/// The best coding for the answer to a request with these headers.
///
/// Zstandard is used only if the header names it with a weight not below gzip's: clients that send `*` may not support
/// it.
pub fn preferred(headers: &HeaderMap) -> Coding {
    let Weights { gzip, zstd, identity } = weights(headers);
    let compressed = if zstd > 0 && zstd >= gzip { (Coding::Zstd, zstd) } else { (Coding::Gzip, gzip) };
    match compressed {
        (coding, weight) if weight > 0 && weight >= identity => coding,
        _ => Coding::Identity,
    }
}

/// Whether the answer to a request with these headers may be gzip, if there is no other coding.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Weights { gzip, identity, .. } = weights(headers);
    gzip > 0 && gzip >= identity
}

/// The weights of codings, 0 for those that the header does not accept.
struct Weights {
    gzip: u16,
    zstd: u16,
    identity: u16,
}

fn weights(headers: &HeaderMap) -> Weights {
    let (mut gzip, mut zstd, mut identity, mut any) = (None, None, None, None);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for item in values.flat_map(|value| value.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default().to_ascii_lowercase();
        let Some(weight) = weight(parts) else {
            continue;
        };
        match coding.as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "zstd" => zstd = Some(weight),
            "identity" => identity = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    Weights { gzip: gzip.or(any).unwrap_or(0), zstd: zstd.unwrap_or(0), identity: identity.unwrap_or(0) }
}

/// The weight in thousandths: 1000 if there is none, `None` if it is invalid.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        if !name.trim().eq_ignore_ascii_case("q") {
            continue;
        }
        let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
        if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
        return match (whole, thousandths) {
            ("0", thousandths) => Some(thousandths),
            ("1", 0) => Some(1000),
            _ => None,
        };
    }
    Some(1000)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn chosen(values: &[&'static str]) -> Coding {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        preferred(&headers)
    }

    #[test]
    fn gzip_is_used_if_it_or_any_coding_is_accepted() {
        for value in [
            "gzip",
            "deflate, gzip",
            "GZIP;q=0.001",
            "x-gzip",
            "*",
            "br, *;q=0.1",
            "gzip ; q=1.000",
            "gzip;q=0.5, identity;q=0.5",
            "zstd;q=0.9, gzip",
            "zstd;q=0, gzip;q=0.1",
            "zstd;q=0.5, *",
        ] {
            assert_eq!(chosen(&[value]), Coding::Gzip, "{value}");
        }
        assert_eq!(chosen(&["deflate", "gzip"]), Coding::Gzip, "two header lines are one list");
    }

    #[test]
    fn zstd_is_used_if_it_is_named_and_gzip_is_not_preferred() {
        for value in ["zstd", "gzip, zstd", "gzip, deflate, br, zstd", "gzip;q=0.1, ZSTD;q=0.2", "zstd, *;q=0.5"] {
            assert_eq!(chosen(&[value]), Coding::Zstd, "{value}");
        }
    }

    #[test]
    fn nothing_is_compressed_if_that_is_not_accepted_not_preferred_or_invalid() {
        for value in [
            "",
            "deflate",
            "gzip;q=0",
            "gzip;q=0.000",
            "*;q=0",
            "gzip;q=0, *",
            "gzip;q=0.4, identity",
            "zstd;q=0.4, identity",
            "gzip;q=2",
            "gzip;q=x",
            "gzip;q=0.1234",
            "gzipped",
        ] {
            assert_eq!(chosen(&[value]), Coding::Identity, "{value}");
        }
        assert_eq!(chosen(&[]), Coding::Identity);
    }
}
