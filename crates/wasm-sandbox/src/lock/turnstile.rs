//! Who may pass: the lock without its value.
//!
//! # Algorithm
//!
//! A biased lock (Kawachiya, Koseki and Onodera, "Lock Reservation", OOPSLA 2002), with the operating
//! system's barrier on the rare side as in Dice, Huang and Yang, "Asymmetric Dekker Synchronization"
//! (2001). Most instances are only ever called from one thread, and two locked instructions take as long as
//! the shortest call.
//!
//! - *Shared way.* Taking the lock is a compare-and-swap of `taken`, giving it back a swap.
//! - *Owner's way.* A thread that entered [`STREAK`] times in a row becomes the owner. It enters by writing
//!   `inside` and then looking whether it still is the owner, and leaves by writing `inside`: plain
//!   stores.
//! - *Revocation.* Another thread that wants to enter first takes `taken`, so that one does this at a time,
//!   then writes that there is no owner, then makes the owner pass a barrier, and looks at `inside`.
//!   Either the owner's entry is visible there, or the owner sees that it is none. There is no
//!   second owner: a lock that was wanted by two threads will be again.
//!
//! Whoever waits queues up first and then tries once more: the holder that leaves sees the queue, or the one
//! who queued up sees the lock free. On the shared way both sides are sequentially consistent. If `inside`
//! is what blocks, the one who waits pays for the barrier and tries a last time: what it saw may be an
//! old value, written by an owner that has left without seeing the queue.
//!
//! # Invariants
//!
//! - `inside` becomes true only by the owner, which is one thread, and only from false.
//! - `owner` changes only while `taken` is held: nobody → a thread → revoked → shared.
//! - Nobody enters on the shared way before a barrier has followed the end of ownership, and then only after
//!   `inside` was seen false.
//! - Whoever waits is in the queue, or has been woken since it looked last.
//!
//! The `model` beside this file walks through all interleavings of an owner and two others, with
//! store buffers.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::barrier;

/// There has been no owner yet.
const NOBODY: u64 = 0;
/// There was an owner; the barrier is still to come.
const REVOKED: u64 = 1;
/// There was an owner and will be none.
const SHARED: u64 = 2;
/// The first thread's token.
const FIRST_THREAD: u64 = 3;

/// Entries in a row that make a thread the owner. A revocation costs as much as some hundred entries on the
/// shared way, so this bounds what is lost when the guess is wrong.
const STREAK: u32 = 256;

/// A number that no other thread has or will have.
#[inline]
fn this_thread() -> u64 {
    thread_local! {
        static TOKEN: Cell<u64> = const { Cell::new(NOBODY) };
    }
    #[cold]
    fn fresh() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(FIRST_THREAD);
        let token = NEXT.fetch_add(1, Ordering::Relaxed);
        TOKEN.set(token);
        token
    }
    match TOKEN.get() {
        NOBODY => fresh(),
        token => token,
    }
}

/// How somebody entered, and so must leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Owner,
    Shared,
}

/// Why somebody could not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// By `inside`.
    Inside,
    /// By `taken`.
    Taken,
}

/// See the module.
#[derive(Default)]
pub(super) struct Turnstile {
    owner: AtomicU64,
    /// Somebody is in on the owner's way, or the owner is about to notice that it is none.
    inside: AtomicBool,
    /// Somebody is in on the shared way, or is finding out whether it may be.
    taken: AtomicBool,
    /// Who entered last on the shared way, and how often in a row; touched only while `taken` is held.
    last: AtomicU64,
    streak: AtomicU32,
    /// The length of the queue.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiters: VecDeque<(u64, Waker)>,
    next: u64,
}

impl Turnstile {
    /// Enters if nobody is in.
    #[inline]
    pub(super) fn enter(&self) -> Result<Way, Blocked> {
        let me = this_thread();
        if self.owner.load(Ordering::Relaxed) == me {
            if self.inside.load(Ordering::Acquire) {
                return Err(Blocked::Inside);
            }
            self.inside.store(true, Ordering::Relaxed);
            barrier::light();
            if self.owner.load(Ordering::Relaxed) == me {
                return Ok(Way::Owner);
            }
            self.leave(Way::Owner);
        }
        self.enter_shared(me)
    }

    fn enter_shared(&self, me: u64) -> Result<Way, Blocked> {
        if self.inside.load(Ordering::Relaxed) {
            return Err(Blocked::Inside);
        }
        self.taken
            .compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst)
            .map_err(|_| Blocked::Taken)?;
        match self.owner.load(Ordering::Relaxed) {
            SHARED => {}
            NOBODY => {
                if self.deserves(me) {
                    self.owner.store(me, Ordering::Relaxed);
                    self.inside.store(true, Ordering::Relaxed);
                    self.leave(Way::Shared);
                    return Ok(Way::Owner);
                }
            }
            _ => {
                if !self.revoke() {
                    self.leave(Way::Shared);
                    return Err(Blocked::Inside);
                }
            }
        }
        if self.inside.load(Ordering::Acquire) {
            self.leave(Way::Shared);
            return Err(Blocked::Inside);
        }
        Ok(Way::Shared)
    }

    /// Counts an entry; whether it makes its thread the owner.
    fn deserves(&self, me: u64) -> bool {
        if self.last.load(Ordering::Relaxed) != me {
            self.last.store(me, Ordering::Relaxed);
            self.streak.store(0, Ordering::Relaxed);
        }
        let streak = self.streak.load(Ordering::Relaxed).saturating_add(1);
        self.streak.store(streak, Ordering::Relaxed);
        streak >= STREAK && barrier::prepare()
    }

    /// Ends the ownership. `false` when the kernel refuses its part: then nobody enters until it plays it.
    #[cold]
    fn revoke(&self) -> bool {
        self.owner.store(REVOKED, Ordering::Relaxed);
        let done = barrier::heavy();
        if done {
            self.owner.store(SHARED, Ordering::Relaxed);
        }
        done
    }

    /// Leaves as one has entered. May be called by another thread than [`enter`](Self::enter).
    #[inline]
    pub(super) fn leave(&self, way: Way) {
        match way {
            Way::Owner => {
                self.inside.store(false, Ordering::Release);
                barrier::light();
            }
            Way::Shared => {
                self.taken.swap(false, Ordering::SeqCst);
            }
        }
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.wake_one();
        }
    }

    /// Whether somebody is in.
    pub(super) fn is_taken(&self) -> bool {
        self.inside.load(Ordering::Relaxed) || self.taken.load(Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn wake_one(&self) {
        let woken = {
            let mut queue = self.queue();
            let woken = queue.waiters.pop_front();
            self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
            woken
        };
        if let Some((_, waker)) = woken {
            waker.wake();
        }
    }

    /// Enters, or queues up (or renews one's place) and will be woken.
    pub(super) fn enter_or_queue(&self, ticket: &mut Option<u64>, waker: &Waker) -> Option<Way> {
        if let Ok(way) = self.enter() {
            return Some(way);
        }
        self.queue_up(ticket, waker);
        match self.enter() {
            Ok(way) => Some(way),
            Err(Blocked::Taken) => None,
            Err(Blocked::Inside) => {
                if !barrier::heavy() {
                    // Nobody promises to see the queue: look again.
                    waker.wake_by_ref();
                    return None;
                }
                self.enter().ok()
            }
        }
    }

    fn queue_up(&self, ticket: &mut Option<u64>, waker: &Waker) {
        let mut queue = self.queue();
        let ticket = *ticket.get_or_insert_with(|| {
            queue.next += 1;
            queue.next
        });
        let place = queue.waiters.iter().position(|(other, _)| *other == ticket);
        match place {
            Some(place) => queue.waiters[place].1.clone_from(waker),
            None => queue.waiters.push_back((ticket, waker.clone())),
        }
        self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
    }

    /// Gives up one's place.
    pub(super) fn give_up(&self, ticket: u64) {
        let was_woken = {
            let mut queue = self.queue();
            let before = queue.waiters.len();
            queue.waiters.retain(|(other, _)| *other != ticket);
            self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
            queue.waiters.len() == before
        };
        // A wake-up that was not used belongs to the next; one that was used does no harm twice.
        if was_woken && !self.is_taken() {
            self.wake_one();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiters(&self) -> usize {
        self.queue().waiters.len()
    }

    /// Whether some thread owns it.
    #[cfg(test)]
    pub(super) fn is_owned(&self) -> bool {
        self.owner.load(Ordering::Relaxed) >= FIRST_THREAD
    }

    /// As if this thread had entered often enough to become the owner.
    #[cfg(test)]
    pub(super) fn skip_streak(&self) {
        self.last.store(this_thread(), Ordering::Relaxed);
        self.streak.store(STREAK, Ordering::Relaxed);
    }
}
