//! The turnstile on paper: every interleaving of an owner and two who wait.
//!
//! Each step is one access to shared memory, named after the line of `turnstile.rs` that it stands for. A plain store
//! goes into its thread's store buffer and reaches memory at any later time; a load sees the buffer of its
//! own thread first; locked instructions empty the buffer of their thread, heavy barriers those of all
//! (x86-TSO: Sewell, Sarkar, Owens, Nardelli and Myreen, CACM 2010). That is all the reordering that a light
//! barrier, which only binds the compiler, leaves on that machine; on weaker ones `membarrier` makes the same
//! promise to whoever calls it.
//!
//! Checked in every state that can be reached: at most one is in, and everybody can still come to the
//! end, so no wake-up is lost. Planted faults must be noticed.

use std::collections::{HashMap, HashSet, VecDeque};

/// Words of shared memory.
const OWNER: usize = 0;
const INSIDE: usize = 1;
const TAKEN: usize = 2;
const WAITING: usize = 3;

/// Values of `OWNER`: the thread 0 is the one who may become the owner.
const NOBODY: u8 = 0;
const REVOKED: u8 = 1;
const SHARED: u8 = 2;
const THREAD_0: u8 = 3;

const THREADS: usize = 3;

/// A fault in the algorithm that the model must notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The owner does not look again whether it is the owner.
    NoSecondLook,
    /// Revoking without the barrier.
    NoBarrierWhenRevoking,
    /// Queueing up without the barrier.
    NoBarrierWhenWaiting,
    /// Entering on the shared way without a look at `inside`.
    NoLookInside,
    /// Leaving without a look at the queue.
    NoLookAtQueue,
}

/// What a thread does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    // `enter`
    IsOwner,
    LoadInside,
    StoreInside,
    LookAgain,
    BackOff,
    BackOffQueue,
    // `enter_shared`
    PreCheck,
    Cas,
    LoadOwner,
    // `deserves` said yes
    BecomeOwner,
    BecomeInside,
    BecomeLeave,
    BecomeQueue,
    // `revoke`
    StoreRevoked,
    Heavy,
    StoreShared,
    LastCheck,
    FailLeave,
    FailQueue,
    // Somebody is in: `enter_or_queue`
    Failed { inside: bool },
    Asleep,
    // In, and `leave`
    In { owner: bool },
    Leave { owner: bool },
    LeaveQueue,
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Thread {
    at: At,
    /// Stores on their way to memory.
    buffer: Vec<(usize, u8)>,
    /// Entries still to make.
    rounds: u8,
    /// Tries since it was woken.
    tries: u8,
    woken: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    memory: [u8; 4],
    threads: [Thread; THREADS],
    queue: Vec<usize>,
}

impl State {
    fn new() -> Self {
        let thread = |rounds| Thread {
            at: At::IsOwner,
            buffer: Vec::new(),
            rounds,
            tries: 0,
            woken: false,
        };
        Self {
            memory: [NOBODY, 0, 0, 0],
            threads: [thread(3), thread(1), thread(1)],
            queue: Vec::new(),
        }
    }

    fn load(&self, me: usize, word: usize) -> u8 {
        let buffered = self.threads[me].buffer.iter().rev();
        let mut own = buffered.filter(|(at, _)| *at == word);
        own.next().map_or(self.memory[word], |(_, value)| *value)
    }

    fn store(&mut self, me: usize, word: usize, value: u8) {
        self.threads[me].buffer.push((word, value));
    }

    fn flush(&mut self, thread: usize) {
        for (word, value) in std::mem::take(&mut self.threads[thread].buffer) {
            self.memory[word] = value;
        }
    }

    fn swap(&mut self, me: usize, word: usize, value: u8) -> u8 {
        self.flush(me);
        std::mem::replace(&mut self.memory[word], value)
    }

    fn heavy(&mut self) {
        (0..THREADS).for_each(|thread| self.flush(thread));
    }

    /// `wake_one`: the mutex makes it one step.
    fn wake_one(&mut self, me: usize) {
        self.flush(me);
        if !self.queue.is_empty() {
            let woken = self.queue.remove(0);
            self.threads[woken].woken = true;
        }
        self.memory[WAITING] = self.queue.len() as u8;
    }

    fn look_at_queue(&mut self, me: usize, fault: Fault) {
        if self.load(me, WAITING) > 0 && fault != Fault::NoLookAtQueue {
            self.wake_one(me);
        }
    }

    /// The next step of a thread; [`None`] when it has none.
    fn step(&self, me: usize, fault: Fault) -> Option<Self> {
        let mut next = self.clone();
        let at = self.threads[me].at;
        let goto = match at {
            At::IsOwner if me == 0 && next.load(me, OWNER) == THREAD_0 => At::LoadInside,
            At::IsOwner => At::PreCheck,
            At::LoadInside if next.load(me, INSIDE) == 1 => At::Failed { inside: true },
            At::LoadInside => At::StoreInside,
            At::StoreInside => {
                next.store(me, INSIDE, 1);
                At::LookAgain
            }
            At::LookAgain if fault == Fault::NoSecondLook || next.load(me, OWNER) == THREAD_0 => {
                At::In { owner: true }
            }
            At::LookAgain => At::BackOff,
            At::BackOff => {
                next.store(me, INSIDE, 0);
                At::BackOffQueue
            }
            At::BackOffQueue => {
                next.look_at_queue(me, fault);
                At::PreCheck
            }
            At::PreCheck if next.load(me, INSIDE) == 1 => At::Failed { inside: true },
            At::PreCheck => At::Cas,
            At::Cas => {
                next.flush(me);
                if next.memory[TAKEN] == 1 {
                    At::Failed { inside: false }
                } else {
                    next.memory[TAKEN] = 1;
                    At::LoadOwner
                }
            }
            At::LoadOwner => match next.load(me, OWNER) {
                NOBODY if me == 0 => At::BecomeOwner,
                NOBODY | SHARED => At::LastCheck,
                _ => At::StoreRevoked,
            },
            At::BecomeOwner => {
                next.store(me, OWNER, THREAD_0);
                At::BecomeInside
            }
            At::BecomeInside => {
                next.store(me, INSIDE, 1);
                At::BecomeLeave
            }
            At::BecomeLeave => {
                next.swap(me, TAKEN, 0);
                At::BecomeQueue
            }
            At::BecomeQueue => {
                next.look_at_queue(me, fault);
                At::In { owner: true }
            }
            At::StoreRevoked => {
                next.store(me, OWNER, REVOKED);
                At::Heavy
            }
            At::Heavy => {
                if fault != Fault::NoBarrierWhenRevoking {
                    next.heavy();
                }
                At::StoreShared
            }
            At::StoreShared => {
                next.store(me, OWNER, SHARED);
                At::LastCheck
            }
            At::LastCheck if fault != Fault::NoLookInside && next.load(me, INSIDE) == 1 => {
                At::FailLeave
            }
            At::LastCheck => At::In { owner: false },
            At::FailLeave => {
                next.swap(me, TAKEN, 0);
                At::FailQueue
            }
            At::FailQueue => {
                next.look_at_queue(me, fault);
                At::Failed { inside: true }
            }
            At::Failed { inside } => {
                next.threads[me].tries += 1;
                match (self.threads[me].tries, inside) {
                    (0, _) => {
                        next.threads[me].woken = false;
                        next.flush(me);
                        if !next.queue.contains(&me) {
                            next.queue.push(me);
                        }
                        next.memory[WAITING] = next.queue.len() as u8;
                        At::IsOwner
                    }
                    (1, true) => {
                        if fault != Fault::NoBarrierWhenWaiting {
                            next.heavy();
                        }
                        At::IsOwner
                    }
                    _ => At::Asleep,
                }
            }
            At::Asleep if self.threads[me].woken => {
                next.threads[me].tries = 0;
                At::IsOwner
            }
            At::Asleep | At::Done => return None,
            At::In { owner } => At::Leave { owner },
            At::Leave { owner: true } => {
                next.store(me, INSIDE, 0);
                At::LeaveQueue
            }
            At::Leave { owner: false } => {
                next.swap(me, TAKEN, 0);
                At::LeaveQueue
            }
            At::LeaveQueue => {
                next.look_at_queue(me, fault);
                let thread = &mut next.threads[me];
                thread.rounds -= 1;
                match thread.rounds {
                    0 => At::Done,
                    _ => At::IsOwner,
                }
            }
        };
        if let At::In { .. } = goto {
            // Who enters gives its place up: the future is dropped.
            next.threads[me].tries = 0;
            if at != goto && next.queue.contains(&me) {
                next.queue.retain(|other| *other != me);
                next.flush(me);
                next.memory[WAITING] = next.queue.len() as u8;
            }
        }
        next.threads[me].at = goto;
        Some(next)
    }

    /// The states after this one: each thread's next step, and each buffer's oldest store.
    fn successors(&self, fault: Fault) -> Vec<Self> {
        let mut all = Vec::new();
        for thread in 0..THREADS {
            all.extend(self.step(thread, fault));
            if let Some(&(word, value)) = self.threads[thread].buffer.first() {
                let mut next = self.clone();
                next.threads[thread].buffer.remove(0);
                next.memory[word] = value;
                all.push(next);
            }
        }
        all
    }

    fn is_exclusive(&self) -> bool {
        let inside = |thread: &&Thread| matches!(thread.at, At::In { .. } | At::Leave { .. });
        self.threads.iter().filter(inside).count() <= 1
    }

    fn is_final(&self) -> bool {
        self.threads.iter().all(|thread| thread.at == At::Done)
    }
}

/// The number of states, or what is wrong with one of them.
fn explore(fault: Fault) -> Result<usize, &'static str> {
    let mut numbers = HashMap::from([(State::new(), 0)]);
    let mut work = VecDeque::from([State::new()]);
    let mut predecessors: Vec<Vec<usize>> = vec![Vec::new()];
    let mut finals = Vec::new();
    while let Some(state) = work.pop_front() {
        let number = numbers[&state];
        if !state.is_exclusive() {
            return Err("two are in");
        }
        if state.is_final() {
            finals.push(number);
        }
        for next in state.successors(fault) {
            let fresh = numbers.len();
            let target = *numbers.entry(next.clone()).or_insert(fresh);
            if target == fresh {
                predecessors.push(Vec::new());
                work.push_back(next);
            }
            predecessors[target].push(number);
        }
    }
    // From where can the end be reached?
    let mut reaching: HashSet<usize> = finals.iter().copied().collect();
    while let Some(number) = finals.pop() {
        for &before in &predecessors[number] {
            if reaching.insert(before) {
                finals.push(before);
            }
        }
    }
    match reaching.len() == numbers.len() {
        true => Ok(numbers.len()),
        false => Err("somebody waits for ever"),
    }
}

#[test]
fn one_at_a_time_and_nobody_waits_for_ever() {
    let states = explore(Fault::None).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(states > 10_000, "{states} states are too few to be all");
}

#[test]
fn planted_faults_are_noticed() {
    for (fault, wrong) in [
        (Fault::NoSecondLook, "two are in"),
        (Fault::NoBarrierWhenRevoking, "two are in"),
        (Fault::NoLookInside, "two are in"),
        (Fault::NoBarrierWhenWaiting, "somebody waits for ever"),
        (Fault::NoLookAtQueue, "somebody waits for ever"),
    ] {
        assert_eq!(explore(fault), Err(wrong));
    }
}
