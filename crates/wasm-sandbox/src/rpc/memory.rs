//! Channels within one process, and the bounded queue that every channel is made of.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{DEFAULT_MESSAGE_BYTES, Pending, RpcChannel, check_size};
use crate::runtime::BoxFuture;
use crate::{Error, Limit, Result};

// All who wait are woken, not one: the one might be a future that nobody polls just now.

/// How many messages of the largest size a queue may hold, whatever its capacity.
const FULL_MESSAGES: usize = 4;

/// One direction of a channel.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    readable: Notify,
    writable: Notify,
    capacity: usize,
    message_bytes: usize,
}

#[derive(Debug, Default)]
struct QueueState {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Nothing more will be sent.
    finished: bool,
    /// Nothing more will be received.
    abandoned: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize, message_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            readable: Notify::new(),
            writable: Notify::new(),
            capacity,
            message_bytes,
        })
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a message; `Ok(false)` when there is no room.
    pub(super) fn try_push(&self, data: &[u8]) -> Result<bool> {
        check_size(data.len(), self.message_bytes)?;
        let mut state = self.state();
        if state.finished {
            return Err(Error::ChannelClosed);
        }
        if state.abandoned {
            return Err(Error::PeerGone);
        }
        let room = self
            .message_bytes
            .saturating_mul(FULL_MESSAGES)
            .saturating_sub(state.bytes);
        if state.messages.len() >= self.capacity || data.len() > room {
            return Ok(false);
        }
        state.bytes += data.len();
        state.messages.push_back(data.to_vec());
        drop(state);
        self.readable.notify_waiters();
        Ok(true)
    }

    pub(super) async fn push(&self, data: &[u8]) -> Result<()> {
        loop {
            let mut room = std::pin::pin!(self.writable.notified());
            // Registered before looking, so that room made in between is not missed.
            room.as_mut().enable();
            if self.try_push(data)? {
                return Ok(());
            }
            room.await;
        }
    }

    /// Takes the first message; [`Error::PeerGone`] when there is none and never will be.
    pub(super) fn try_pop(&self) -> Result<Option<Vec<u8>>> {
        let mut state = self.state();
        if state.abandoned {
            return Err(Error::ChannelClosed);
        }
        let Some(message) = state.messages.pop_front() else {
            return if state.finished {
                Err(Error::PeerGone)
            } else {
                Ok(None)
            };
        };
        state.bytes -= message.len();
        drop(state);
        self.writable.notify_waiters();
        Ok(Some(message))
    }

    /// The first message; [`None`] when there never will be one.
    pub(super) async fn pop(&self) -> Result<Option<Vec<u8>>> {
        loop {
            let mut news = std::pin::pin!(self.readable.notified());
            news.as_mut().enable();
            match self.try_pop() {
                Ok(None) => news.await,
                Err(Error::PeerGone) => return Ok(None),
                other => return other,
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.wake_all();
    }

    /// Says that nothing more will be received, and forgets what was not.
    pub(super) fn abandon(&self) {
        {
            let mut state = self.state();
            state.abandoned = true;
            state.messages = VecDeque::new();
            state.bytes = 0;
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        self.readable.notify_waiters();
        self.writable.notify_waiters();
    }

    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        !state.finished && !state.abandoned
    }
}

/// One end of a channel within the process.
///
/// ```
/// use wasm_sandbox::rpc::{MemoryChannel, RpcChannel, create_memory_channel};
///
/// let channel = create_memory_channel(4)?;
/// let channel = channel.as_any().downcast_ref::<MemoryChannel>().expect("it is one");
/// assert!(channel.take_peer().is_some());
/// assert!(channel.take_peer().is_none(), "there is only one");
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Debug)]
pub struct MemoryChannel {
    outgoing: Arc<Queue>,
    incoming: Arc<Queue>,
    pending: Pending,
    peer: Mutex<Option<Box<MemoryChannel>>>,
}

impl MemoryChannel {
    pub(super) fn new(outgoing: Arc<Queue>, incoming: Arc<Queue>) -> Self {
        Self {
            outgoing,
            incoming,
            pending: Pending::default(),
            peer: Mutex::new(None),
        }
    }

    /// The other end of a channel made by [`create_memory_channel`]; it can be taken once.
    #[must_use]
    pub fn take_peer(&self) -> Option<Self> {
        self.peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .map(|peer| *peer)
    }
}

/// A channel within the process that holds up to `capacity` messages in each direction.
///
/// ```
/// use wasm_sandbox::Error;
/// use wasm_sandbox::rpc::{RpcChannel, memory_channel};
///
/// let (a, b) = memory_channel(1)?;
/// a.send_raw(b"one")?;
/// assert!(a.send_raw(b"two").is_err(), "there is room for one");
/// assert_eq!(b.receive_raw()?.as_deref(), Some(&b"one"[..]));
/// drop(b);
/// assert!(matches!(a.send_raw(b"three"), Err(Error::PeerGone)));
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidConfig`] when the capacity is 0.
pub fn memory_channel(capacity: usize) -> Result<(MemoryChannel, MemoryChannel)> {
    memory_channel_with(capacity, DEFAULT_MESSAGE_BYTES)
}

/// As [`memory_channel`], with the largest size of a message. However many messages fit by number, a
/// direction never holds more bytes than four of the largest ones.
///
/// ```
/// use wasm_sandbox::Error;
/// use wasm_sandbox::rpc::{RpcChannel, memory_channel_with};
///
/// let (a, _b) = memory_channel_with(8, 4)?;
/// a.send_raw(b"four")?;
/// assert!(matches!(a.send_raw(b"fiver"), Err(Error::MessageTooLarge { size: 5, limit: 4 })));
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidConfig`] when the capacity is 0.
pub fn memory_channel_with(
    capacity: usize,
    message_bytes: usize,
) -> Result<(MemoryChannel, MemoryChannel)> {
    if capacity == 0 {
        return Err(Error::InvalidConfig {
            reason: "a channel needs room for one message".into(),
        });
    }
    let there = Queue::new(capacity, message_bytes);
    let back = Queue::new(capacity, message_bytes);
    Ok((
        MemoryChannel::new(there.clone(), back.clone()),
        MemoryChannel::new(back, there),
    ))
}

/// One end of a channel within the process, as a trait object; the other is taken from it.
///
/// ```
/// use wasm_sandbox::rpc::{MemoryChannel, RpcChannel, create_memory_channel};
///
/// let channel: Box<dyn RpcChannel> = create_memory_channel(1024)?;
/// let peer = channel.as_any().downcast_ref::<MemoryChannel>().and_then(MemoryChannel::take_peer);
/// let peer = peer.expect("nobody has taken it yet");
/// channel.send_raw(b"ping")?;
/// assert_eq!(peer.receive_raw()?.as_deref(), Some(&b"ping"[..]));
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidConfig`] when the capacity is 0.
pub fn create_memory_channel(capacity: usize) -> Result<Box<dyn RpcChannel>> {
    create_memory_channel_with(capacity, DEFAULT_MESSAGE_BYTES)
}

/// As [`create_memory_channel`], with the largest size of a message.
///
/// ```
/// use wasm_sandbox::Error;
/// use wasm_sandbox::rpc::create_memory_channel_with;
///
/// let channel = create_memory_channel_with(4, 10)?;
/// let refused = channel.send_raw(b"eleven bytes");
/// assert!(matches!(refused, Err(Error::MessageTooLarge { size: 12, limit: 10 })));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidConfig`] when the capacity is 0.
pub fn create_memory_channel_with(
    capacity: usize,
    message_bytes: usize,
) -> Result<Box<dyn RpcChannel>> {
    let (channel, peer) = memory_channel_with(capacity, message_bytes)?;
    *channel.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(peer));
    Ok(Box::new(channel))
}

impl RpcChannel for MemoryChannel {
    fn send_raw(&self, data: &[u8]) -> Result<()> {
        match self.outgoing.try_push(data)? {
            true => Ok(()),
            false => Err(Error::exceeded(Limit::Output)),
        }
    }

    fn receive_raw(&self) -> Result<Option<Vec<u8>>> {
        self.incoming.try_pop()
    }

    fn send_boxed<'a>(&'a self, data: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.outgoing.push(data))
    }

    fn receive_boxed(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(self.incoming.pop())
    }

    fn pending(&self) -> &Pending {
        &self.pending
    }

    fn is_connected(&self) -> bool {
        self.outgoing.is_open()
    }

    fn close(&self) -> Result<()> {
        self.outgoing.finish();
        self.incoming.abandon();
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for MemoryChannel {
    fn drop(&mut self) {
        self.outgoing.finish();
        self.incoming.abandon();
    }
}
