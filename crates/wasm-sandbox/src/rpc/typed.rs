//! Types and calls over any channel.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::RpcChannel;
use super::frame::Frame;
use crate::{Error, Result};

/// Requests that one end works on at a time; later ones wait in the channel.
const CONCURRENT_REQUESTS: usize = 64;

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(|error| Error::Codec {
        codec: "msgpack",
        reason: error.to_string(),
    })
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|error| Error::Codec {
        codec: "msgpack",
        reason: error.to_string(),
    })
}

/// Typed messages and calls, for every channel. Do not mix them with raw messages on one channel.
///
/// ```
/// use wasm_sandbox::rpc::{RpcChannelExt, memory_channel};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasm_sandbox::Result<()> {
/// let (a, b) = memory_channel(16)?;
/// a.send(&("temperature", 21.5)).await?;
/// let reading: Option<(String, f64)> = b.receive().await?;
/// assert_eq!(reading, Some(("temperature".into(), 21.5)));
///
/// // One side serves until the other is gone.
/// let server = tokio::spawn(async move {
///     b.serve(|method, (x, y): (i32, i32)| async move {
///         match method.as_str() {
///             "add" => Ok(x + y),
///             other => Err(format!("there is no method `{other}`")),
///         }
///     })
///     .await
/// });
/// let sum: i32 = a.call("add", &(5, 7)).await?;
/// assert_eq!(sum, 12);
/// assert!(a.call::<_, i32>("divide", &(5, 7)).await.is_err());
/// drop(a);
/// server.await.expect("it does not panic")?;
/// # Ok(())
/// # }
/// ```
pub trait RpcChannelExt: RpcChannel {
    /// Sends a message, waiting for room.
    ///
    /// # Errors
    ///
    /// As [`RpcChannel::send_raw`], and when the message cannot be encoded.
    fn send<T: Serialize + Sync + ?Sized>(
        &self,
        message: &T,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let frame = Frame::Message(&encode(message)?).write()?;
            self.send_boxed(&frame).await
        }
    }

    /// Receives a message, waiting for it; [`None`] when the other side is gone.
    ///
    /// # Errors
    ///
    /// As [`RpcChannel::receive_raw`], and when the message is malformed.
    fn receive<T: DeserializeOwned + Send>(
        &self,
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        async move {
            match self.pending().message(self).await? {
                Some(bytes) => decode(&bytes).map(Some),
                None => Ok(None),
            }
        }
    }

    /// Calls a method of the other side and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`Error::Remote`] when the other side failed, [`Error::PeerGone`] when it will never answer.
    fn call<P, R>(&self, method: &str, params: &P) -> impl Future<Output = Result<R>> + Send
    where
        P: Serialize + Sync + ?Sized,
        R: DeserializeOwned + Send,
    {
        async move {
            let waiting = self.pending().register();
            let params = encode(params)?;
            let frame = Frame::Request {
                id: waiting.id,
                method,
                params: &params,
            }
            .write()?;
            self.send_boxed(&frame).await?;
            match self.pending().answer(self, &waiting).await? {
                Ok(bytes) => decode(&bytes),
                Err(reason) => Err(Error::Remote {
                    method: method.into(),
                    reason,
                }),
            }
        }
    }

    /// Answers the other side's calls until it is gone, several at a time.
    ///
    /// A handler that panics answers its caller with a failure. Must be called within tokio.
    ///
    /// # Errors
    ///
    /// When the channel fails; a peer that goes away is no error.
    fn serve<P, R, F, H>(&self, handler: H) -> impl Future<Output = Result<()>> + Send
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Future<Output = Result<R, String>> + Send + 'static,
        H: Fn(String, P) -> F + Send + Sync + 'static,
    {
        async move {
            let handler = Arc::new(handler);
            let mut running: JoinSet<Vec<u8>> = JoinSet::new();
            let mut ids = std::collections::HashMap::new();
            loop {
                let may_accept = running.len() < CONCURRENT_REQUESTS;
                let finished = tokio::select! {
                    biased;
                    Some(finished) = running.join_next_with_id() => finished,
                    request = self.pending().request(self), if may_accept => {
                        let Some(request) = request? else { break };
                        let handler = handler.clone();
                        let id = request.id;
                        let task = running.spawn(async move {
                            let outcome = match decode::<P>(&request.params) {
                                Ok(params) => handler(request.method, params).await,
                                Err(error) => Err(error.to_string()),
                            };
                            answer(id, outcome)
                        });
                        ids.insert(task.id(), id);
                        continue;
                    }
                };
                let frame = match finished {
                    Ok((task, frame)) => {
                        ids.remove(&task);
                        frame
                    }
                    Err(error) => match ids.remove(&error.id()) {
                        Some(id) => Frame::Failure {
                            id,
                            reason: "the method panicked",
                        }
                        .write()?,
                        None => continue,
                    },
                };
                match self.send_boxed(&frame).await {
                    Ok(()) => {}
                    Err(Error::PeerGone) => break,
                    Err(error @ Error::MessageTooLarge { .. }) => {
                        // The caller learns why instead of waiting forever.
                        if let Frame::Answer { id, .. } = Frame::parse(&frame)? {
                            let reason = error.to_string();
                            self.send_boxed(
                                &Frame::Failure {
                                    id,
                                    reason: &reason,
                                }
                                .write()?,
                            )
                            .await?;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }
}

/// The frame that answers request `id`; what cannot be encoded is a failure.
fn answer<R: Serialize>(id: u64, outcome: Result<R, String>) -> Vec<u8> {
    let encoded = outcome.and_then(|result| encode(&result).map_err(|error| error.to_string()));
    let frame = match &encoded {
        Ok(result) => Frame::Answer { id, result },
        Err(reason) => Frame::Failure { id, reason },
    };
    // Only a method's name can be too long to be written.
    frame.write().unwrap_or_default()
}

impl<T: RpcChannel + ?Sized> RpcChannelExt for T {}
