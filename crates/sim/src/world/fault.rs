//! Breaking things, and healing them.

use super::agenda::Happening;
use super::{Scene, Weather, Which, World};
use crate::address::domain;
use machine::Input;

impl World {
    /// The stream from one domain to another breaks: of what is in flight only the first `kept` stanzas arrive. The
    /// sender's server notices; the receiver's when `both`.
    pub fn break_stream(&mut self, from: &str, to: &str, kept: usize, both: bool) -> usize {
        let lost = self.lose(from, to, kept);
        let (_, last_ms) = self.in_flight(from, to);
        let at = last_ms.max(self.now.mono_ms) + self.rng.between(1, NOTICED_MS);
        if let Some(server) = self.server_of(from) {
            self.agenda.put(at, Happening::StreamEnded { server, domain: to.to_owned() });
        }
        if let Some(server) = self.server_of(to).filter(|_| both) {
            self.agenda.put(at, Happening::StreamEnded { server, domain: from.to_owned() });
        }
        lost
    }

    /// What is in flight behind the first `kept` stanzas is lost, and nobody notices.
    pub fn lose_tail(&mut self, from: &str, to: &str, kept: usize) -> usize {
        self.lose(from, to, kept)
    }

    /// Both directions between two domains are as bad as `weather` for so long; then what streams there were have
    /// ended, which the servers notice.
    pub fn storm(&mut self, a: &str, b: &str, weather: Weather, for_ms: u64) {
        self.storm_one_way(a, b, weather, for_ms);
        self.storm_one_way(b, a, weather, for_ms);
    }

    /// The same until it is mended.
    pub fn cut(&mut self, a: &str, b: &str, weather: Weather) {
        for (from, to) in [(a, b), (b, a)] {
            self.lose(from, to, 0);
            self.set_weather(from, to, weather);
        }
    }

    /// Both directions between two domains work again.
    pub fn mend(&mut self, a: &str, b: &str) {
        for (from, to) in [(a, b), (b, a)] {
            self.clear(from, to);
        }
    }

    /// The same as a storm, in one direction alone: the other still hears, and is not heard.
    pub fn storm_one_way(&mut self, from: &str, to: &str, weather: Weather, for_ms: u64) {
        if weather != Weather::Slow {
            self.lose(from, to, 0);
        }
        self.set_weather(from, to, weather);
        let until = self.now.mono_ms + for_ms;
        self.agenda.put(until, Happening::Clear { from: from.to_owned(), to: to.to_owned() });
    }

    /// The clock that the people of a server read goes wrong by so much.
    pub fn set_clock_off(&mut self, server: usize, by_ms: i64) {
        self.servers[server].clock_off_ms = by_ms;
    }

    /// All links work again, and no trap lies any more.
    pub fn calm(&mut self) {
        self.traps.clear();
        let storms = self.links.iter().filter(|(_, link)| link.weather != Weather::Clear);
        let pairs: Vec<(String, String)> = storms.map(|(pair, _)| pair.clone()).collect();
        for (from, to) in pairs {
            self.clear(&from, &to);
        }
    }

    /// A server loses its power: of the writes that were not synced the first `kept` are there nonetheless; of what it
    /// had sent a part still arrives. It starts again after `down_ms`.
    pub fn crash(&mut self, server: usize, kept: usize, down_ms: u64) {
        if !self.is_up(server) {
            return;
        }
        self.servers[server].die(kept);
        let domains = self.servers[server].config.domains();
        self.vanished.retain(|full, _| !domains.iter().any(|domain| domain == full.domain()));
        let ended: Vec<String> =
            self.online.iter().filter(|full| domains.iter().any(|d| domain(full) == d)).cloned().collect();
        for full in ended {
            self.online.remove(&full);
            self.tape.tell(self.now.mono_ms, &full, Scene::Ended);
        }
        let pairs: Vec<(String, String)> = self.links.keys().cloned().collect();
        for (from, to) in pairs {
            if domains.contains(&to) {
                self.break_stream(&from, &to, 0, false);
            } else if domains.contains(&from) {
                let (in_flight, _) = self.in_flight(&from, &to);
                let kept = usize::try_from(self.rng.below(in_flight as u64 + 1)).unwrap_or(0);
                self.break_stream(&from, &to, kept, true);
            }
        }
        self.agenda.put(self.now.mono_ms + down_ms, Happening::Restart { server });
    }

    /// A copy of the disk of a server is put aside, as an operator does: of what is durable. Gives since when what the server was to
    /// keep is not in it.
    pub fn back_up(&mut self, server: usize) -> u64 {
        self.servers[server].back_up(self.now.mono_ms, self.tape.tellings.len())
    }

    /// Whether a copy was put aside.
    pub fn is_backed_up(&self, server: usize) -> bool {
        self.servers[server].is_backed_up()
    }

    /// While a server is down its disk is replaced by the copy that was put aside, or where there is none by an empty one. Gives when
    /// the copy was made.
    pub fn set_back(&mut self, server: usize) -> u64 {
        assert!(!self.is_up(server), "the disk of a server that runs cannot be taken out");
        let (from_ms, from) = self.servers[server].set_back();
        for domain in self.servers[server].config.domains() {
            self.tape.set_back(&domain, (from_ms, from), self.now.mono_ms);
        }
        from_ms
    }

    /// The disk of a server takes nothing more for so long.
    pub fn fill_disk(&mut self, server: usize, for_ms: u64) {
        self.servers[server].disk_full = true;
        self.agenda.put(self.now.mono_ms + for_ms, Happening::DiskWorks { server });
    }

    /// How many writes of a server are not durable yet.
    pub fn unsynced(&self, server: usize) -> usize {
        self.servers[server].disk.unsynced()
    }

    pub(super) fn restart(&mut self, server: usize) {
        if !self.is_up(server) {
            let seed = self.rng.seed();
            self.servers[server].start(seed);
        }
    }

    pub(super) fn clear(&mut self, from: &str, to: &str) {
        // What was slow is on its way.
        if self.set_weather(from, to, Weather::Clear) != Weather::Slow {
            self.break_stream(from, to, 0, true);
        }
    }

    /// A server notices that a stream to or from a domain has ended.
    pub(super) fn stream_ended(&mut self, server: usize, domain: &str) {
        if self.is_up(server) {
            for which in [Which::Primary, Which::Replica] {
                self.feed(server, which, Input::StreamEnded(domain.to_owned()));
            }
        }
    }
}

/// How long it may take a server to notice that a stream has ended, milliseconds.
const NOTICED_MS: u64 = 50;
