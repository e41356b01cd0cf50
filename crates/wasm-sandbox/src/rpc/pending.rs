//! Who waits for what on one end of a channel.
//!
//! # Algorithm
//!
//! Whoever waits also reads: it takes one message from the channel, hands it to the one it belongs to,
//! and looks whether that was itself. All who wait do so at once and none holds a lock while waiting,
//! so a future that is dropped, or that nobody polls for a while, never keeps the others waiting.
//!
//! # Invariants
//!
//! - A message is handed on in the same poll that read it: it cannot be lost by dropping a future.
//! - What is kept for later is bounded by [`KEPT`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::RpcChannel;
use super::frame::Frame;
use crate::{Error, Limit, Result};

/// How many messages and requests are kept for somebody who has not asked for them yet.
const KEPT: usize = 4096;

/// What an end of a channel remembers between calls: answers awaited, messages and requests kept.
///
/// A new transport holds one and returns it from [`RpcChannel::pending`].
///
/// ```
/// use wasm_sandbox::rpc::{RpcChannel, memory_channel};
///
/// let (a, _b) = memory_channel(4)?;
/// // Every transport keeps one; it is all that typed calls need besides whole messages.
/// let pending = RpcChannel::pending(&a);
/// assert!(std::ptr::eq(pending, a.pending()));
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Pending {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    calls: HashMap<u64, Option<Result<Vec<u8>, String>>>,
    messages: VecDeque<Vec<u8>>,
    requests: VecDeque<Request>,
    gone: bool,
}

/// A request as received.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) method: String,
    pub(super) params: Vec<u8>,
}

/// A call that waits for its answer; dropped, it is forgotten.
pub(super) struct Waiting<'a> {
    pending: &'a Pending,
    pub(super) id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pending.state().calls.remove(&self.id);
    }
}

impl Pending {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(&self) -> Waiting<'_> {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        state.calls.insert(id, None);
        Waiting { pending: self, id }
    }

    /// The answer of a call.
    pub(super) async fn answer<C: RpcChannel + ?Sized>(
        &self,
        channel: &C,
        waiting: &Waiting<'_>,
    ) -> Result<Result<Vec<u8>, String>> {
        let take = |state: &mut State| state.calls.get_mut(&waiting.id).and_then(Option::take);
        self.until(channel, take).await?.ok_or(Error::PeerGone)
    }

    /// The next message.
    pub(super) async fn message<C: RpcChannel + ?Sized>(
        &self,
        channel: &C,
    ) -> Result<Option<Vec<u8>>> {
        self.until(channel, |state| state.messages.pop_front())
            .await
    }

    /// The next request.
    pub(super) async fn request<C: RpcChannel + ?Sized>(
        &self,
        channel: &C,
    ) -> Result<Option<Request>> {
        self.until(channel, |state| state.requests.pop_front())
            .await
    }

    /// Reads until `take` finds what it waits for; [`None`] when the other side is gone first.
    async fn until<C: RpcChannel + ?Sized, T>(
        &self,
        channel: &C,
        mut take: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<Option<T>> {
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            // Registered before looking, so that what is handed over in between is not missed.
            news.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(found) = take(&mut state) {
                    return Ok(Some(found));
                }
                if state.gone {
                    return Ok(None);
                }
            }
            tokio::select! {
                biased;
                () = news => {}
                outcome = self.read_one(channel) => outcome?,
            }
        }
    }

    /// Reads one message and hands it over.
    async fn read_one<C: RpcChannel + ?Sized>(&self, channel: &C) -> Result<()> {
        let received = channel.receive_boxed().await?;
        let outcome = self.dispatch(received);
        self.news.notify_waiters();
        outcome
    }

    fn dispatch(&self, received: Option<Vec<u8>>) -> Result<()> {
        let mut state = self.state();
        let Some(bytes) = received else {
            state.gone = true;
            return Ok(());
        };
        let full = || Err(Error::exceeded(Limit::Output));
        match Frame::parse(&bytes)? {
            Frame::Message(_) if state.messages.len() >= KEPT => return full(),
            Frame::Message(message) => state.messages.push_back(message.to_vec()),
            Frame::Request { .. } if state.requests.len() >= KEPT => return full(),
            Frame::Request { id, method, params } => {
                state.requests.push_back(Request {
                    id,
                    method: method.into(),
                    params: params.to_vec(),
                });
            }
            // An answer that nobody waits for any more is thrown away.
            Frame::Answer { id, result } => {
                if let Some(slot) = state.calls.get_mut(&id) {
                    *slot = Some(Ok(result.to_vec()));
                }
            }
            Frame::Failure { id, reason } => {
                if let Some(slot) = state.calls.get_mut(&id) {
                    *slot = Some(Err(reason.to_owned()));
                }
            }
        }
        Ok(())
    }
}
