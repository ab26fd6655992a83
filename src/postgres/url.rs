//! What is added to a database URL.

/// Bounds on how long a connection may be silent before it counts as gone: without them a server that lost its power
/// is waited for until the system gives up, which takes hours. In seconds, `tcp_user_timeout` in milliseconds.
const DEFAULTS: [(&str, &str); 5] = [
    ("connect_timeout", "10"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// The URL, or keyword string, with time-outs. What it says itself stands later, and so wins.
pub fn with_timeouts(url: &str) -> String {
    if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
        let defaults = DEFAULTS.map(|(name, value)| format!("{name}={value} "));
        return defaults.concat() + url;
    }
    let defaults = DEFAULTS.map(|(name, value)| format!("{name}={value}")).join("&");
    match url.split_once('?') {
        None => format!("{url}?{defaults}"),
        Some((address, "")) => format!("{address}?{defaults}"),
        Some((address, given)) => format!("{address}?{defaults}&{given}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_stand_before_what_the_url_says() {
        let defaults =
            "connect_timeout=10&keepalives_idle=5&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000";
        assert_eq!(with_timeouts("postgresql://u@h/db"), format!("postgresql://u@h/db?{defaults}"));
        assert_eq!(
            with_timeouts("postgres://h/db?connect_timeout=3"),
            format!("postgres://h/db?{defaults}&connect_timeout=3")
        );
        assert_eq!(
            with_timeouts("host=h dbname=db"),
            "connect_timeout=10 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000 host=h dbname=db"
        );
    }
}
