//! WASI according to an instance's capabilities.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::StdoutStream;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{
    Deterministic, FsPerms, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder,
    WasiCtxView, WasiView,
};

use super::state::State;
use crate::capabilities::permits;
use crate::random::split_mix;
use crate::{
    Access, Capabilities, Clocks, Error, ModuleKind, Output, Random, Result, Stdin, Stdio,
};

/// An instance's WASI.
pub(super) struct Wasi {
    context: Context,
    stdout: Option<MemoryOutputPipe>,
    stderr: Option<MemoryOutputPipe>,
    output_bytes: usize,
}

enum Context {
    Core(Box<WasiP1Ctx>),
    Component(Box<WasiCtx>, Box<ResourceTable>),
}

impl Wasi {
    pub(super) fn new(
        capabilities: &Capabilities,
        output_bytes: usize,
        kind: ModuleKind,
    ) -> Result<Self> {
        let mut builder = WasiCtxBuilder::new();
        builder
            .envs(&capabilities.environment())
            .args(&capabilities.args);
        match &capabilities.stdin {
            Stdin::Bytes(bytes) => builder.stdin(MemoryInputPipe::new(bytes.clone())),
            Stdin::Inherit => builder.inherit_stdin(),
        };
        let mut capture = |stdio,
                           inherit: fn(&mut WasiCtxBuilder) -> &mut WasiCtxBuilder,
                           set: Set| match stdio {
            Stdio::Null => {
                set(
                    &mut builder,
                    Box::new(wasmtime_wasi::p2::pipe::SinkOutputStream),
                );
                None
            }
            Stdio::Inherit => {
                inherit(&mut builder);
                None
            }
            Stdio::Capture => {
                let pipe = MemoryOutputPipe::new(output_bytes);
                set(&mut builder, Box::new(pipe.clone()));
                Some(pipe)
            }
        };
        let stdout = capture(
            capabilities.stdout,
            WasiCtxBuilder::inherit_stdout,
            |builder, stream| {
                builder.stdout(Boxed(stream));
            },
        );
        let stderr = capture(
            capabilities.stderr,
            WasiCtxBuilder::inherit_stderr,
            |builder, stream| {
                builder.stderr(Boxed(stream));
            },
        );
        if capabilities.clocks == Clocks::Frozen {
            builder.wall_clock(Frozen).monotonic_clock(Frozen);
        }
        if let Random::Seeded(seed) = capabilities.random {
            builder
                .secure_random(Deterministic::new(seeded_bytes(seed)))
                .insecure_random(Deterministic::new(seeded_bytes(seed ^ 1)))
                .insecure_random_seed(seed.into());
        }
        for grant in &capabilities.directories {
            let perms = match grant.access {
                Access::ReadOnly => FsPerms::ReadOnly,
                Access::ReadWrite => FsPerms::ReadWrite,
            };
            builder
                .preopened_dir(&grant.host, &grant.guest, perms)
                .map_err(|error| Error::InvalidCapability {
                    capability: grant.to_string(),
                    reason: error.root_cause().to_string(),
                })?;
        }
        network(&mut builder, capabilities);
        let context = match kind {
            ModuleKind::Core => Context::Core(Box::new(builder.build_p1())),
            ModuleKind::Component => Context::Component(Box::new(builder.build()), Box::default()),
        };
        Ok(Self {
            context,
            stdout,
            stderr,
            output_bytes,
        })
    }

    pub(super) fn output(&self) -> Output {
        let contents = |pipe: &Option<MemoryOutputPipe>| {
            pipe.as_ref()
                .map(|pipe| pipe.contents().to_vec())
                .unwrap_or_default()
        };
        let (stdout, stderr) = (contents(&self.stdout), contents(&self.stderr));
        let is_full =
            |pipe: &Option<_>, bytes: &[u8]| pipe.is_some() && bytes.len() >= self.output_bytes;
        let full = is_full(&self.stdout, &stdout) || is_full(&self.stderr, &stderr);
        Output {
            stdout,
            stderr,
            full,
        }
    }
}

type Set = fn(&mut WasiCtxBuilder, Box<dyn StdoutStream>);

/// A boxed stream is a stream.
struct Boxed(Box<dyn StdoutStream>);

impl wasmtime_wasi::cli::IsTerminal for Boxed {
    fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl StdoutStream for Boxed {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        self.0.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn wasmtime_wasi::p2::OutputStream> {
        self.0.p2_stream()
    }
}

/// Clocks that stand still.
#[derive(Clone, Copy)]
struct Frozen;

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// The period of the seeded sequence.
const SEEDED_BYTES: usize = 4096;

fn seeded_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| split_mix(&mut state).to_le_bytes())
        .flatten()
        .take(SEEDED_BYTES)
        .collect()
}

fn network(builder: &mut WasiCtxBuilder, capabilities: &Capabilities) {
    let grant = Arc::new(capabilities.network.clone());
    builder
        .allow_tcp(!grant.tcp.is_empty())
        .allow_udp(!grant.udp.is_empty())
        .allow_ip_name_lookup(grant.dns)
        .socket_addr_check(move |address, usage| {
            let grant = grant.clone();
            Box::pin(async move {
                let targets = match usage {
                    SocketAddrUse::TcpConnect => &grant.tcp,
                    SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => &grant.udp,
                    // Connecting binds to a wildcard address first; a guest may not choose its own.
                    SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                        return address.ip().is_unspecified() && address.port() == 0;
                    }
                    SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => return false,
                };
                // Names are resolved by the host, now: an answer that the guest got earlier counts for
                // nothing.
                let mut resolved = Vec::new();
                for target in targets {
                    if let crate::NetworkTarget::Name(name, port) = target
                        && *port == address.port()
                    {
                        resolved.push((name.clone(), resolve(name.clone(), *port).await));
                    }
                }
                permits(targets, address, &mut |name, _| {
                    resolved
                        .iter()
                        .find(|(known, _)| known == name)
                        .map(|(_, ips)| ips.clone())
                        .unwrap_or_default()
                })
            })
        });
}

/// Resolves on a thread of its own: the future must be `Sync`, which the executor's resolver is not.
async fn resolve(name: String, port: u16) -> Vec<IpAddr> {
    let lookup = tokio::task::spawn_blocking(move || {
        use std::net::ToSocketAddrs as _;
        (name.as_str(), port)
            .to_socket_addrs()
            .map(|found| found.map(|address| address.ip()).collect())
    });
    match lookup.await {
        Ok(Ok(addresses)) => addresses,
        _ => Vec::new(),
    }
}

const NO_WASI: &str = "WASI is linked only into instances that have it";

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        match self.wasi.as_mut().map(|wasi| &mut wasi.context) {
            Some(Context::Component(ctx, table)) => WasiCtxView { ctx, table },
            _ => unreachable!("{NO_WASI}"),
        }
    }
}

/// The preview-1 context of a core module's store.
pub(super) fn preview1(state: &mut State) -> &mut WasiP1Ctx {
    match state.wasi.as_mut().map(|wasi| &mut wasi.context) {
        Some(Context::Core(ctx)) => ctx,
        _ => unreachable!("{NO_WASI}"),
    }
}
