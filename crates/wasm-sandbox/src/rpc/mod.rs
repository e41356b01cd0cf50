//! Channels between two programs, or two halves of one: messages, requests and answers.
//!
//! A channel carries whole messages in order. [`RpcChannel`] is its dyn-compatible core; [`RpcChannelExt`]
//! adds types and calls. [`memory_channel`] connects two ends in one process,
//! [`StreamChannel`] goes over a Unix socket or TCP on the loopback interface.
//!
//! # Closing
//!
//! - [`close`](RpcChannel::close) ends this side: everything afterwards is [`Error::ChannelClosed`].
//! - When the other side closes or is dropped, what it sent before is still received; then receiving
//!   answers [`None`] and sending [`Error::PeerGone`].
//!
//! # Calls
//!
//! A request carries an id that its answer repeats, so any number of calls may be in flight, in both
//! directions at once. There is no background task: whoever waits for something reads the channel, and
//! hands on what belongs to others. A call whose future is dropped is forgotten; its late answer is
//! thrown away.
//!
//! ```
//! use std::sync::Arc;
//! use wasm_sandbox::rpc::{RpcChannelExt, memory_channel};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> wasm_sandbox::Result<()> {
//! let (client, server) = memory_channel(16)?;
//! tokio::spawn(async move {
//!     server
//!         .serve(|method, params: serde_json::Value| async move {
//!             match method.as_str() {
//!                 "double" => Ok(serde_json::json!(params.as_i64().unwrap_or(0) * 2)),
//!                 _ => Err(format!("there is no method `{method}`")),
//!             }
//!         })
//!         .await
//! });
//! assert_eq!(client.call::<_, i64>("double", &21).await?, 42);
//! assert!(client.call::<_, i64>("triple", &21).await.is_err());
//! # Ok(())
//! # }
//! ```

mod frame;
mod memory;
mod pending;
mod stream;
mod typed;

pub use memory::{
    MemoryChannel, create_memory_channel, create_memory_channel_with, memory_channel,
    memory_channel_with,
};
pub use pending::Pending;
pub use stream::{StreamChannel, StreamListener};
pub use typed::RpcChannelExt;

use std::any::Any;

use crate::runtime::BoxFuture;
use crate::{Error, Result};

/// The largest message that a channel carries unless told otherwise: 16 MiB.
///
/// ```
/// use wasm_sandbox::rpc::{DEFAULT_MESSAGE_BYTES, RpcChannel, memory_channel};
///
/// let (a, _b) = memory_channel(4)?;
/// assert!(a.send_raw(&vec![0; DEFAULT_MESSAGE_BYTES]).is_ok());
/// assert!(a.send_raw(&vec![0; DEFAULT_MESSAGE_BYTES + 1]).is_err());
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
pub const DEFAULT_MESSAGE_BYTES: usize = 16 << 20;

/// One end of a channel of whole messages.
///
/// ```
/// use wasm_sandbox::rpc::{MemoryChannel, RpcChannel, memory_channel};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasm_sandbox::Result<()> {
/// let (a, b) = memory_channel(16)?;
/// let channels: [Box<dyn RpcChannel>; 2] = [Box::new(a), Box::new(b)];
/// channels[0].send_boxed(b"hello").await?;
/// channels[0].send_raw(b"and good-bye")?;
/// channels[0].close()?;
/// assert!(!channels[0].is_connected());
/// // What was sent before the end is still received.
/// assert_eq!(channels[1].receive_boxed().await?.as_deref(), Some(&b"hello"[..]));
/// assert_eq!(channels[1].receive_raw()?.as_deref(), Some(&b"and good-bye"[..]));
/// assert_eq!(channels[1].receive_boxed().await?, None);
/// assert!(channels[1].as_any().is::<MemoryChannel>());
/// # let _ = channels[0].pending();
/// # Ok(())
/// # }
/// ```
pub trait RpcChannel: Send + Sync {
    /// Sends a message, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLarge`], [`Error::ChannelClosed`], [`Error::PeerGone`], or
    /// [`Error::LimitExceeded`] of [`Limit::Output`](crate::Limit::Output) when the buffer is full.
    fn send_raw(&self, data: &[u8]) -> Result<()>;

    /// Receives a message, without waiting; [`None`] when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::ChannelClosed`]; [`Error::PeerGone`] when there will never be one.
    fn receive_raw(&self) -> Result<Option<Vec<u8>>>;

    /// Sends a message, waiting for room. Dropping the future sends nothing or all.
    fn send_boxed<'a>(&'a self, data: &'a [u8]) -> BoxFuture<'a, Result<()>>;

    /// Receives a message, waiting for it; [`None`] when the other side is gone. Dropping the future
    /// loses nothing, and several may wait at once.
    fn receive_boxed(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;

    /// The requests of this end that wait for an answer, and what was read for others.
    fn pending(&self) -> &Pending;

    /// Whether messages can still be sent.
    fn is_connected(&self) -> bool;

    /// Ends this side. Closing twice is no error.
    ///
    /// # Errors
    ///
    /// When the transport cannot be shut down.
    fn close(&self) -> Result<()>;

    /// The concrete channel, for downcasting.
    fn as_any(&self) -> &dyn Any;
}

fn check_size(size: usize, limit: usize) -> Result<()> {
    if size > limit {
        Err(Error::MessageTooLarge { size, limit })
    } else {
        Ok(())
    }
}
