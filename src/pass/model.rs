//! A row's life as a model, held against the real queries: two hosts and a platform do things in random order, while
//! the clock runs and jumps; after each step [`rules`] says whether the ledger may look as it does.
//!
//! A failing story is told again with `REMINDERS_TEST_SEED`, which the test prints.

#[path = "../../tests/integration/support/random.rs"]
mod random;
mod rules;
mod world;

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};

use self::{
    random::Random,
    rules::{Change, Step},
    world::{Held, World},
};
use crate::{
    ledger::{Channel, close::LAST_MOMENT},
    outcome::{Fault, Outcome},
};

const STORIES: u64 = 50;
const STEPS: usize = 200;

/// As the lines have it: what a delivery needs of its lease, and of the time to the start.
const LEASE_NEEDED: Duration = Duration::seconds(75);
const DELIVERY: Duration = Duration::seconds(45);

struct Story {
    random: Random,
    world: World,
    /// What has come to participants: by row, the `rendered_at` of each message.
    arrived: HashMap<i64, Vec<DateTime<Utc>>>,
    /// The last change of the platform: session, user, and what it was.
    change: (usize, usize, usize),
    /// How often each kind of step found something to do.
    done: HashMap<&'static str, usize>,
}

#[test]
fn no_order_of_steps_leads_a_row_where_it_may_not_go() {
    let seed = Random::seed();
    let mut done = HashMap::new();
    // A model in which nothing happens proves nothing: it goes on until everything has.
    for number in 0.. {
        let never = rules::ALL_CHANGES
            .iter()
            .find(|what| !done.contains_key(**what));
        if never.is_none() && number >= STORIES {
            break;
        }
        assert!(number < 10 * STORIES, "never {never:?}: {done:?}");
        println!("story {number}");
        let mut story = Story::begin(seed + number);
        (0..STEPS).for_each(|_| story.step());
        story.end();
        for (what, count) in story.done {
            *done.entry(what).or_insert(0) += count;
        }
    }
    println!("{done:?}");
}

impl Story {
    fn begin(seed: u64) -> Story {
        Story {
            random: Random::new(seed),
            world: World::new(),
            arrived: HashMap::new(),
            change: (0, 0, 0),
            done: HashMap::new(),
        }
    }

    fn step(&mut self) {
        let host = self.below(2);
        let channel = Channel::ALL[self.below(2)];
        match self.below(100) {
            0..18 => self.take(host, channel),
            18..50 => self.deliver(host),
            50..66 => self.record(host, channel),
            66..78 => self.look(Step::Prepare(host), |world| world.prepare(host)),
            78..80 => self.look(Step::Other, |world| world.restart(host)),
            80..82 => self.look(Step::Hold(channel), |world| world.hold(host, channel)),
            82..90 => self.change_platform(),
            _ => self.let_time_pass(),
        }
    }

    /// The sessions begin, and every row of theirs comes to its end, at the latest after the hour in which Twilio is
    /// asked.
    fn end(&mut self) {
        let starts = |world: &mut World| world.ledger().into_iter().map(|row| row.start);
        let last = starts(&mut self.world).max();
        let next = starts(&mut self.world).find(|start| *start > self.world.now.naive_utc());
        for start in [next, last].into_iter().flatten() {
            self.world.now = self.world.now.max(start.and_utc() - Duration::seconds(30));
            self.look(Step::Prepare(0), |world| world.prepare(0));
            for _ in 0..4 {
                self.take(0, Channel::Whatsapp);
                self.deliver(0);
                self.record(0, Channel::Whatsapp);
            }
        }
        self.world.now += Duration::minutes(65);
        self.look(Step::Other, |world| world.restart(0));
        self.look(Step::Prepare(0), |world| world.prepare(0));
        let now = self.world.now.naive_utc();
        for row in self.world.ledger() {
            let open = row.start + Duration::hours(1) > now;
            assert!(open || rules::is_over(&row), "{row:?}");
        }
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.random.below(end)).unwrap()
    }

    /// Does something, and looks what it has done to the ledger.
    fn look(&mut self, step: Step, act: impl FnOnce(&mut World)) {
        let before = self.world.ledger();
        act(&mut self.world);
        let after = self.world.ledger();
        for change in rules::check(&step, &self.world, &before, &after) {
            let Change { from, to } = change;
            *self.done.entry(rules::name(from, to)).or_default() += 1;
        }
    }

    fn take(&mut self, host: usize, channel: Channel) {
        let room = 1 + self.below(4);
        self.look(Step::Take(host), |world| world.take(host, channel, room));
    }

    /// One of the rows that the host has claimed and not begun leaves it, if there is time for it.
    fn deliver(&mut self, host: usize) {
        let now = self.world.now;
        let due = |held: &Held| {
            held.outcome.is_none()
                && held.job.claim.lease_until - now >= LEASE_NEEDED
                && (held.job.doubt.is_some() || held.job.start - now >= DELIVERY)
        };
        let held = &self.world.hosts[host].held;
        let Some(place) = held.iter().position(due) else {
            return;
        };
        let (chance, held) = (self.below(10), &self.world.hosts[host].held[place]);
        let (id, rendered_at) = (held.job.claim.row.id, held.job.claim.rendered_at);
        let arrived = self.arrived.entry(id).or_default();
        let too_late = held.job.start - now < LAST_MOMENT;
        let found = held.job.doubt.is_some() && !arrived.is_empty();
        let outcome = match chance {
            _ if found => sent(id),
            _ if held.job.otherwise.is_some() => held.job.otherwise.clone().unwrap(),
            _ if too_late => Outcome::Missed(Fault::new("too_late", "")),
            0..3 => sent(id),
            3..6 => Outcome::InDoubt(Fault::new("lost", "")),
            6..8 => Outcome::Retry {
                fault: Fault::new("451", ""),
                after: None,
            },
            8 => Outcome::Failed(Fault::new("550", "")),
            9 if id % 2 == 0 => Outcome::Busy(Fault::new("20429", "")),
            _ => Outcome::Stopped(Fault::new("421", "")),
        };
        if !found && held.job.otherwise.is_none() && !too_late && chance < 5 {
            // Whatever comes a second time is a mail, in doubt until then, and the same mail.
            let in_doubt = held.job.claim.row.in_doubt_since();
            let again = held.channel == Channel::Mail && in_doubt == arrived.first().copied();
            assert!(arrived.is_empty() || again, "{id} came twice: {held:?}");
            arrived.push(rendered_at);
        }
        self.world.hosts[host].held[place].outcome = Some(outcome);
    }

    /// What came back is recorded, and what was not begun given back, or kept.
    fn record(&mut self, host: usize, channel: Channel) {
        let all = self.below(3) == 0;
        let finished = self.world.finished(host, channel, all);
        let step = Step::Record(rules::fences(&finished, &self.world.hosts[host].name));
        self.look(step, |world| world.record(host, &finished));
    }

    fn change_platform(&mut self) {
        // Often the last change is taken back.
        if self.below(2) == 0 {
            self.change = (self.below(2), self.below(3), self.below(6));
        }
        let (session, user, chance) = self.change;
        let minutes = i64::try_from(self.below(25)).unwrap() + 50;
        self.look(Step::Other, |world| match chance {
            0 => world.sessions[session].move_to(world.now + Duration::minutes(minutes)),
            1 => world.sessions[session].move_back(),
            2 => world.sessions[session].cancelled ^= true,
            3 => world.sessions[session].left[user] ^= true,
            _ => world.opted_in[user] ^= true,
        });
        self.world.write_view();
    }

    fn let_time_pass(&mut self) {
        let seconds = match self.below(40) {
            0..30 => 1 + self.below(8),
            30..37 => 60 + self.below(120),
            _ => 60 * (5 + self.below(60)),
        };
        self.world.now += Duration::seconds(i64::try_from(seconds).unwrap());
    }
}

fn sent(id: i64) -> Outcome {
    Outcome::Sent {
        message_id: format!("<{id}@example.org>"),
        status: None,
    }
}
