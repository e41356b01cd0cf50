//! Channels over byte streams: Unix sockets and TCP on the loopback interface.
//!
//! A message is its length (u32, little-endian) and its bytes. Two tasks per channel move messages
//! between the stream and two bounded queues, so that sending and receiving are the same as within a
//! process; a peer that does not read is felt as a full queue.

use std::any::Any;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::memory::Queue;
use super::{DEFAULT_MESSAGE_BYTES, MemoryChannel, Pending, RpcChannel};
use crate::runtime::BoxFuture;
use crate::{Error, Result};

/// Messages in each direction that may wait.
const CAPACITY: usize = 256;

/// One end of a channel over a byte stream. Made within a tokio runtime, which moves its bytes.
///
/// ```
/// use wasm_sandbox::rpc::{RpcChannelExt, StreamChannel};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasm_sandbox::Result<()> {
/// // Any byte stream will do: here the two ends of a pipe.
/// let (a, b) = tokio::io::duplex(1024);
/// let (a, b) = (StreamChannel::new(a, 1 << 20), StreamChannel::new(b, 1 << 20));
/// a.send(&[1, 2, 3]).await?;
/// assert_eq!(b.receive::<[u8; 3]>().await?, Some([1, 2, 3]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StreamChannel {
    queues: MemoryChannel,
}

impl StreamChannel {
    /// A channel over `stream` whose messages have up to `message_bytes` bytes.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static, message_bytes: usize) -> Self {
        let message_bytes = message_bytes.min(u32::MAX as usize);
        let outgoing = Queue::new(CAPACITY, message_bytes);
        let incoming = Queue::new(CAPACITY, message_bytes);
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (sending, receiving) = (outgoing.clone(), incoming.clone());
        tokio::spawn(async move {
            // Whatever ends the stream, the other queue must hear of it: what was sent is not
            // delivered, and what comes is the last.
            let _ = write_all(&sending, &mut writer).await;
            sending.abandon();
            let _ = writer.shutdown().await;
        });
        tokio::spawn(async move {
            let _ = read_all(&receiving, &mut reader, message_bytes).await;
            receiving.finish();
        });
        Self {
            queues: MemoryChannel::new(outgoing, incoming),
        }
    }

    /// Connects to a Unix socket.
    ///
    /// ```
    /// use wasm_sandbox::rpc::{RpcChannelExt, StreamChannel, StreamListener};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let listener = StreamListener::bind_unix(&path)?;
    /// let client = StreamChannel::connect_unix(&path).await?;
    /// let server = listener.accept().await?;
    /// server.send("welcome").await?;
    /// assert_eq!(client.receive::<String>().await?.as_deref(), Some("welcome"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    #[cfg(unix)]
    pub async fn connect_unix(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let stream = tokio::net::UnixStream::connect(path)
            .await
            .map_err(|error| Error::io(format!("connecting to `{}`", path.display()), error))?;
        Ok(Self::new(stream, DEFAULT_MESSAGE_BYTES))
    }

    /// Connects to a port of the loopback interface.
    ///
    /// ```
    /// use wasm_sandbox::rpc::{RpcChannel, StreamChannel, StreamListener};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> wasm_sandbox::Result<()> {
    /// let listener = StreamListener::bind_loopback(0).await?;
    /// let port = listener.address().expect("it listens on an address").port();
    /// assert!(StreamChannel::connect_loopback(port).await?.is_connected());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn connect_loopback(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| Error::io(format!("connecting to port {port}"), error))?;
        // Messages are small and answered at once.
        stream
            .set_nodelay(true)
            .map_err(|error| Error::io("setting up the connection", error))?;
        Ok(Self::new(stream, DEFAULT_MESSAGE_BYTES))
    }
}

async fn write_all(
    queue: &Arc<Queue>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> std::io::Result<()> {
    while let Ok(Some(message)) = queue.pop().await {
        let len = u32::try_from(message.len()).map_err(std::io::Error::other)?;
        writer.write_all(&len.to_le_bytes()).await?;
        writer.write_all(&message).await?;
        writer.flush().await?;
    }
    Ok(())
}

async fn read_all(
    queue: &Arc<Queue>,
    reader: &mut (impl AsyncRead + Unpin),
    message_bytes: usize,
) -> std::io::Result<()> {
    loop {
        let len = reader.read_u32_le().await? as usize;
        if len > message_bytes {
            return Err(std::io::Error::other(
                "the peer announced a message that is too large",
            ));
        }
        // Memory follows what has arrived, not what was announced.
        let mut message = Vec::new();
        (&mut *reader)
            .take(len as u64)
            .read_to_end(&mut message)
            .await?;
        if message.len() < len || queue.push(&message).await.is_err() {
            return Ok(());
        }
    }
}

impl RpcChannel for StreamChannel {
    fn send_raw(&self, data: &[u8]) -> Result<()> {
        self.queues.send_raw(data)
    }

    fn receive_raw(&self) -> Result<Option<Vec<u8>>> {
        self.queues.receive_raw()
    }

    fn send_boxed<'a>(&'a self, data: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        self.queues.send_boxed(data)
    }

    fn receive_boxed(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.queues.receive_boxed()
    }

    fn pending(&self) -> &Pending {
        self.queues.pending()
    }

    fn is_connected(&self) -> bool {
        self.queues.is_connected()
    }

    fn close(&self) -> Result<()> {
        self.queues.close()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Accepts channels.
///
/// ```
/// use wasm_sandbox::rpc::{RpcChannelExt, StreamChannel, StreamListener};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasm_sandbox::Result<()> {
/// let listener = StreamListener::bind_loopback(0).await?;
/// let port = listener.address().expect("it listens on an address").port();
/// let client = StreamChannel::connect_loopback(port).await?;
/// let server = listener.accept().await?;
/// client.send("hello").await?;
/// assert_eq!(server.receive::<String>().await?.as_deref(), Some("hello"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StreamListener {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Loopback(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

impl StreamListener {
    /// Listens on a port of the loopback interface; 0 chooses one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn bind_loopback(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| Error::io(format!("listening on port {port}"), error))?;
        Ok(Self {
            kind: Kind::Loopback(listener),
        })
    }

    /// Listens on a Unix socket, whose path must not exist.
    ///
    /// ```
    /// use wasm_sandbox::rpc::StreamListener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let folder = tempfile::tempdir()?;
    /// let listener = StreamListener::bind_unix(folder.path().join("socket"))?;
    /// assert_eq!(listener.address(), None);
    /// assert!(StreamListener::bind_unix(folder.path().join("socket")).is_err(), "it is taken");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let listener = tokio::net::UnixListener::bind(path)
            .map_err(|error| Error::io(format!("listening on `{}`", path.display()), error))?;
        Ok(Self {
            kind: Kind::Unix(listener),
        })
    }

    /// The loopback address; [`None`] for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Loopback(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Kind::Unix(_) => None,
        }
    }

    /// Waits for the next peer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn accept(&self) -> Result<StreamChannel> {
        let failed = |error| Error::io("accepting a connection", error);
        match &self.kind {
            Kind::Loopback(listener) => {
                let (stream, _) = listener.accept().await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                Ok(StreamChannel::new(stream, DEFAULT_MESSAGE_BYTES))
            }
            #[cfg(unix)]
            Kind::Unix(listener) => {
                let (stream, _) = listener.accept().await.map_err(failed)?;
                Ok(StreamChannel::new(stream, DEFAULT_MESSAGE_BYTES))
            }
        }
    }
}
