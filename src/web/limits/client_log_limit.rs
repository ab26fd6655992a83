//! A limit on log lines about clients, so that no client can flood the log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::web::client_address::AddressBlock;

/// The time for which lines are counted.
const PERIOD: Duration = Duration::from_secs(60);
/// The most lines about one client in a period: enough for tools that block a client after some failures.
const PER_CLIENT: u32 = 10;
/// The most lines in a period, for attacks from many addresses. This also bounds the memory.
const IN_ALL: u32 = 120;

/// Counts log lines by client.
#[derive(Debug, Default)]
pub struct ClientLogLimit(Mutex<Period>);

#[derive(Debug, Default)]
struct Period {
    began: Option<Instant>,
    by_client: HashMap<Option<AddressBlock>, u32>,
    lines: u32,
    /// Events without a line since the last line.
    omitted: u64,
}

impl ClientLogLimit {
    /// Counts an event of a client. If it gets a line, gives the number of events without one since the last line.
    pub fn count(&self, client: Option<AddressBlock>) -> Option<u64> {
        let mut period = self.0.lock();
        if period.began.is_none_or(|began| began.elapsed() >= PERIOD) {
            *period = Period { began: Some(Instant::now()), omitted: period.omitted, ..Period::default() };
        }
        let of_client = period.by_client.get(&client).copied().unwrap_or_default();
        if of_client >= PER_CLIENT || period.lines >= IN_ALL {
            period.omitted += 1;
            return None;
        }
        period.by_client.insert(client, of_client + 1);
        period.lines += 1;
        Some(std::mem::take(&mut period.omitted))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(number: u32) -> Option<AddressBlock> {
        Some(AddressBlock::from(IpAddr::from(Ipv4Addr::from_bits(number))))
    }

    fn lines(limit: &ClientLogLimit, client: Option<AddressBlock>, events: u32) -> u32 {
        (0..events).map(|_| u32::from(limit.count(client).is_some())).sum()
    }

    #[test]
    fn a_client_has_ten_lines_a_minute_and_keeps_none_from_others() {
        let limit = ClientLogLimit::default();
        assert_eq!(lines(&limit, client(1), 1000), PER_CLIENT);
        assert_eq!(limit.count(client(2)), Some(990));
        assert_eq!(limit.count(None), Some(0));
        assert_eq!(limit.count(client(1)), None);
        limit.0.lock().began = Instant::now().checked_sub(PERIOD);
        assert_eq!(limit.count(client(1)), Some(1));
    }

    #[test]
    fn many_clients_together_have_a_bounded_number_of_lines_and_entries() {
        let limit = ClientLogLimit::default();
        let written: u32 = (0..10_000).map(|number| lines(&limit, client(number), 2)).sum();
        assert_eq!(written, IN_ALL);
        assert!(limit.0.lock().by_client.len() <= IN_ALL as usize);
    }
}
