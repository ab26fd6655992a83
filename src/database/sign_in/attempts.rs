//! How often a sign-in may fail. What is counted is in buckets, which fill again, and is in the database so that all processes
//! share it: attempts for a login from an address, for a login from anywhere, and from an address for any login.
//!
//! An attempt is counted before the password is looked at, so that attempts at the same time count as well, and given back if
//! it succeeds.

use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Double};
use sha2::{Digest, Sha256};

/// The seconds in which an empty bucket fills.
const PERIOD: f64 = 15.0 * 60.0;
/// Attempts for a login from an address.
const OF_BOTH: f64 = 10.0;
/// Attempts for a login from anywhere. Somebody else can use them up, so there are more: the user then signs in after a while, or
/// in another way.
const OF_LOGIN: f64 = 100.0;
/// Attempts from an address.
const OF_ADDRESS: f64 = 50.0;
/// Devices of an address that ask for a token. A network of many people can be one.
const OF_DEVICES: f64 = 200.0;

/// The buckets of an attempt.
pub struct Attempt {
    keys: Vec<[u8; 32]>,
    sizes: Vec<f64>,
}

impl Attempt {
    /// `address` is the block of addresses that counts as one client; attempts without one are of one client.
    pub fn new(login: &str, address: &str) -> Self {
        let login = login.to_ascii_lowercase();
        Self::of(vec![
            (key("both", &[&login, address]), OF_BOTH),
            (key("login", &[&login]), OF_LOGIN),
            (key("address", &[address]), OF_ADDRESS),
        ])
    }

    /// An answer that a browser brings from a provider. Wrong passwords of others at the same address do not count.
    pub fn of_answer(address: &str) -> Self {
        Self::of(vec![(key("answer", &[address]), OF_ADDRESS)])
    }

    /// A device that asks for a token.
    pub fn of_device(address: &str) -> Self {
        Self::of(vec![(key("device", &[address]), OF_DEVICES)])
    }

    fn of(mut buckets: Vec<([u8; 32], f64)>) -> Self {
        // In the order of their keys, so that two attempts do not deadlock.
        buckets.sort_by_key(|(key, _)| *key);
        let (keys, sizes) = buckets.into_iter().unzip();
        Self { keys, sizes }
    }

    /// Counts the attempt; false if there were too many, and this one does not count then.
    pub fn count(&self, connection: &mut PgConnection) -> QueryResult<bool> {
        let counted = connection.transaction(|connection| {
            diesel::sql_query("DELETE FROM sign_in_failures WHERE filled_at < now() - interval '1 hour'")
                .execute(connection)?;
            let left: Vec<Left> = diesel::sql_query(
                "INSERT INTO sign_in_failures AS bucket (key_sha256, tokens, filled_at)
                 SELECT key, size - 1, clock_timestamp() FROM unnest($1, $2) AS asked (key, size) ORDER BY key
                 ON CONFLICT (key_sha256) DO UPDATE
                 SET (tokens, filled_at) = (
                     SELECT least(size, bucket.tokens
                                + extract(epoch FROM clock_timestamp() - bucket.filled_at) * size / $3) - 1,
                            clock_timestamp()
                     FROM unnest($1, $2) AS asked (key, size) WHERE key = bucket.key_sha256)
                 RETURNING tokens",
            )
            .bind::<Array<Binary>, _>(self.keys.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
            .bind::<Array<Double>, _>(&self.sizes)
            .bind::<Double, _>(PERIOD)
            .get_results(connection)?;
            if left.iter().any(|left| left.tokens < 0.0) {
                return Err(diesel::result::Error::RollbackTransaction);
            }
            Ok(true)
        });
        match counted {
            Err(diesel::result::Error::RollbackTransaction) => Ok(false),
            other => other,
        }
    }

    /// Gives the attempt back, because it has succeeded.
    pub fn give_back(&self, connection: &mut PgConnection) -> QueryResult<()> {
        diesel::sql_query(
            "UPDATE sign_in_failures SET tokens = tokens + 1 WHERE key_sha256 IN (
                 SELECT key_sha256 FROM sign_in_failures WHERE key_sha256 = ANY ($1) ORDER BY key_sha256 FOR UPDATE)",
        )
        .bind::<Array<Binary>, _>(self.keys.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
        .execute(connection)
        .map(drop)
    }
}

fn key(kind: &str, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(kind);
    parts.iter().for_each(|part| hash.update([part.as_bytes(), b"\0"].concat()));
    hash.finalize().into()
}

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = Double)]
    tokens: f64,
}
