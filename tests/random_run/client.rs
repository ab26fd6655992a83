//! Somebody who asks one thing after the other, each until it is answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use crate::model::Model;
use crate::plan::Plan;
use crate::support::package::Package;
use crate::tally::Tally;
use crate::world::World;

/// What a client waits for one answer, and for one that is good.
const PATIENCE: Duration = Duration::from_secs(10);
const LONG_PATIENCE: Duration = Duration::from_secs(180);
/// Crates that clients share.
const SHARED: u64 = 12;

struct Client<'a> {
    number: u64,
    world: &'a World,
    model: &'a Model,
    agent: ureq::Agent,
    chance: StdRng,
    /// What this client published, and whether it wants it yanked.
    mine: Vec<(String, String, bool)>,
    versions: u64,
    tally: Tally,
}

/// An answer, or None if there was none that counts.
type Answer = Option<(u16, Vec<u8>)>;

pub fn work(plan: &Plan, number: u64, world: &World, model: &Model, ends: &AtomicBool) -> Tally {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
    let mut client = Client {
        number,
        world,
        model,
        agent: config.build().into(),
        chance: plan.chance(number),
        mine: Vec::new(),
        versions: 0,
        tally: Tally::default(),
    };
    while !ends.load(Ordering::SeqCst) {
        match client.chance.random_range(0..100) {
            0..40 => client.publish(),
            40..60 => client.yank(),
            60..72 => client.yank_and_unyank(),
            72..80 => client.change_owners(),
            80..90 => client.release(),
            _ => client.download(),
        }
    }
    client.tally
}

impl Client<'_> {
    fn publish(&mut self) {
        // Few names, so that clients meet; and now and then one of its own.
        let name = match self.chance.random_range(0..SHARED + 3) {
            own @ SHARED.. => format!("own{}-{}-{}", self.number, self.versions, own),
            shared => format!("shared{shared}"),
        };
        self.versions += 1;
        let num = format!("1.{}.{}", self.number, self.versions);
        let package = Package::new(&name, &num);
        let body = package.body();
        self.insist("publish", |client| {
            let url = format!("{}/api/v1/crates/new", client.world.url());
            read(client.agent.put(url).header("authorization", client.world.token()).send(&body))
        });
        self.model.published(&name, &num);
        self.mine.push((name, num, false));
    }

    /// Stages some versions in a set, perhaps one of them twice, and has them published together or not at all.
    fn release(&mut self) {
        self.versions += 1;
        let set = format!("set-{}-{}", self.number, self.versions);
        let count = self.chance.random_range(1..=4);
        let mut staged: Vec<(String, String)> = Vec::new();
        for place in 0..count {
            let chosen = self.chance.random_range(0..SHARED + 3);
            let shared = format!("shared{chosen}");
            // The name of a new crate would be taken as long as the set is open.
            let name = match self.model.crates.lock().unwrap().contains_key(&shared) {
                true => shared,
                false => format!("own{}-{}-{chosen}-{place}", self.number, self.versions),
            };
            let num = format!("2.{}.{}{place}", self.number, self.versions);
            if self.chance.random_bool(0.3) {
                let other = Package::new(&name, &num).file("src/other.rs", b"// replaced\n").body();
                self.stage(&set, &other);
            }
            self.stage(&set, &Package::new(&name, &num).body());
            staged.push((name, num));
        }
        match self.chance.random_range(0..100) {
            0..25 => {
                self.decide("reject", &set, "{\"reason\":\"not this one\"}");
                // What was given back can be taken.
                let (name, num) = staged.swap_remove(0);
                assert!(self.send_version("publish", &name, &num), "a rejected set keeps {name}@{num}");
                self.is_published(name, num);
                self.model.gone.lock().unwrap().extend(staged);
            }
            25..50 => self.approve_in_time_or_not(&set, staged),
            _ => {
                self.model.sets.lock().unwrap().push(staged.clone());
                self.decide("approve", &set, "");
                staged.into_iter().for_each(|(name, num)| self.is_published(name, num));
            }
        }
    }

    /// Approves a set about when it expires.
    fn approve_in_time_or_not(&mut self, set: &str, mut staged: Vec<(String, String)>) {
        self.model.sets.lock().unwrap().push(staged.clone());
        let url = |client: &Self| format!("{}/api/v1/release-sets/{set}", client.world.url());
        let has_expired = |status: u16, text: &str| status == 409 && text.contains(" expired on ");
        let shorten = |client: &Self| {
            let request = client.agent.patch(url(client)).header("authorization", client.world.token());
            read(request.send("{\"expires_in\":1}"))
        };
        self.insist_or("shorten", shorten, has_expired);
        std::thread::park_timeout(Duration::from_millis(self.chance.random_range(0..2000)));
        let approve = |client: &Self| {
            read(
                client
                    .agent
                    .put(format!("{}/approve", url(client)))
                    .header("authorization", client.world.token())
                    .send(""),
            )
        };
        let (status, _) = self.insist_or("approve or expire", approve, has_expired);
        if status == 200 {
            staged.into_iter().for_each(|(name, num)| self.is_published(name, num));
            return;
        }
        self.tally.did("expired");
        // Its versions are no longer to be shown together, before one of them is published alone.
        self.model.sets.lock().unwrap().retain(|set| *set != staged);
        // The number is free as soon as the set is ended, which a serve does once a minute.
        let (name, num) = staged.swap_remove(0);
        if self.send_version("publish after expiry", &name, &num) {
            self.tally.did("number free again");
            self.is_published(name, num);
        } else {
            staged.push((name, num));
        }
        self.model.gone.lock().unwrap().extend(staged);
    }

    /// Publishes a version; false if a set that has not been ended yet keeps the number.
    fn send_version(&mut self, operation: &'static str, name: &str, num: &str) -> bool {
        const KEPT: &str = "is staged in the release set";
        let body = Package::new(name, num).body();
        let send = |client: &Self| {
            let url = format!("{}/api/v1/crates/new", client.world.url());
            read(client.agent.put(url).header("authorization", client.world.token()).send(&body))
        };
        let is_kept = |status: u16, text: &str| status == 409 && text.contains(KEPT);
        let (status, body) = self.insist_or(operation, send, is_kept);
        !is_kept(status, &String::from_utf8_lossy(&body))
    }

    fn is_published(&mut self, name: String, num: String) {
        self.model.published(&name, &num);
        self.mine.push((name, num, false));
    }

    fn stage(&mut self, set: &str, body: &[u8]) {
        self.insist("stage", |client| {
            let url = format!("{}/stage/{set}/api/v1/crates/new", client.world.url());
            read(client.agent.put(url).header("authorization", client.world.token()).send(body))
        });
    }

    fn decide(&mut self, decision: &'static str, set: &str, body: &str) {
        self.insist(decision, |client| {
            let url = format!("{}/api/v1/release-sets/{set}/{decision}", client.world.url());
            read(client.agent.put(url).header("authorization", client.world.token()).send(body))
        });
    }

    fn yank(&mut self) {
        let Some(place) = self.some_of_mine() else { return };
        let yanked = !self.mine[place].2;
        self.change(place, yanked);
    }

    fn yank_and_unyank(&mut self) {
        let Some(place) = self.some_of_mine() else { return };
        for _ in 0..2 {
            let yanked = !self.mine[place].2;
            self.change(place, yanked);
        }
    }

    fn change(&mut self, place: usize, yanked: bool) {
        let (name, num, _) = self.mine[place].clone();
        self.insist(if yanked { "yank" } else { "unyank" }, |client| {
            let version = format!("{}/api/v1/crates/{name}/{num}", client.world.url());
            let token = client.world.token();
            if yanked {
                read(client.agent.delete(format!("{version}/yank")).header("authorization", token).call())
            } else {
                read(client.agent.put(format!("{version}/unyank")).header("authorization", token).send_empty())
            }
        });
        self.model.yanked(&name, &num, yanked);
        self.mine[place].2 = yanked;
    }

    fn change_owners(&mut self) {
        let Some(place) = self.some_of_mine() else { return };
        let name = self.mine[place].0.clone();
        let login = format!("owner{}", self.number);
        let is_owner = self.model.crates.lock().unwrap()[&name].owners.get(&login) == Some(&true);
        let body = format!("{{\"users\":[\"{login}\"]}}");
        self.insist(if is_owner { "owner remove" } else { "owner add" }, |client| {
            let url = format!("{}/api/v1/crates/{name}/owners", client.world.url());
            let token = client.world.token();
            let request = if is_owner {
                client.agent.delete(url).header("authorization", token).force_send_body().send(&body)
            } else {
                client.agent.put(url).header("authorization", token).send(&body)
            };
            read(request)
        });
        self.model.owner(&name, &login, !is_owner);
    }

    /// What was accepted can be downloaded at once, and is what was sent.
    fn download(&mut self) {
        let Some(place) = self.some_of_mine() else { return };
        let (name, num, _) = self.mine[place].clone();
        let (_, body) = self.insist("download", |client| {
            read(client.agent.get(format!("{}/api/v1/crates/{name}/{num}/download", client.world.url())).call())
        });
        assert!(
            body == Package::new(&name, &num).crate_file(),
            "{name}@{num}: another file than the one that was sent"
        );
    }

    fn some_of_mine(&mut self) -> Option<usize> {
        (!self.mine.is_empty()).then(|| self.chance.random_range(0..self.mine.len()))
    }

    /// Sends a request until it is answered for good.
    fn insist(&mut self, operation: &'static str, send: impl Fn(&Self) -> Answer) -> (u16, Vec<u8>) {
        self.insist_or(operation, send, |_, _| false)
    }

    /// The same; an answer that `others` knows ends it, too.
    fn insist_or(
        &mut self,
        operation: &'static str,
        send: impl Fn(&Self) -> Answer,
        others: impl Fn(u16, &str) -> bool,
    ) -> (u16, Vec<u8>) {
        let until = Instant::now() + LONG_PATIENCE;
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = send(self);
            if let Some((status, body)) = answer {
                let text = String::from_utf8_lossy(&body);
                let says = |status_of: u16, words: &str| status == status_of && text.contains(words);
                let had_been_accepted = tries > 1
                    && (says(409, "is already uploaded: it is ")
                        || says(409, "was rejected on ")
                        || says(400, "is not an owner of"));
                if status == 200 || had_been_accepted || others(status, &text) {
                    self.tally.did(operation);
                    self.tally.sent_again += usize::from(tries > 1);
                    return (status, body);
                }
                // 5xx: the registry says that it can't now.
                assert!(status >= 500, "{operation} was answered {status}: {text}");
            }
            assert!(Instant::now() < until, "{operation}: no good answer in {LONG_PATIENCE:?}");
            std::thread::park_timeout(Duration::from_millis(30));
        }
    }
}

/// What breaks off is no answer.
fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.ok()?;
    let body = answer.body_mut().read_to_vec().ok()?;
    Some((answer.status().as_u16(), body))
}
